import gc
import struct
import weakref
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record._crecords import DefaultRecordBatchBuilder, MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.fetched import Fetched

CALL = TopicPartition("events.call", 0)


class Assignment:
    """The partition as aiokafka's consumer holds it; at an offset, unless it is paused."""

    active = True
    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def state_value(self, _: TopicPartition) -> "Assignment":
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def batch(first: int, records: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, 0, 1_000_000)
    for n in range(records):
        builder.append(n, 1_000, b"k", b"%d" % (first + n), [])
    return first.to_bytes(8, "big") + bytes(builder.build())[8:]


def fetched_from(offset: int, assignment: Assignment) -> FetchResult:
    """The log has the offsets 0 to 2 and 5 to 6, in two batches; asked for from `offset` on."""
    records = MemoryRecords(batch(0, 3) + batch(5, 2))
    parsed = PartitionRecords(CALL, records, [], offset, None, None, True, 1)
    return FetchResult(CALL, assignment=assignment, partition_records=parsed, backoff=0)


CONTROL = 0x20
MARKERS = {"abort": struct.pack(">hh", 0, 0), "commit": struct.pack(">hh", 0, 1)}


def transaction(first: int, kind: str, producer: int, records: int) -> bytes:
    """A batch of a producer's transaction, or the marker that ends one; without its checksum."""
    builder = DefaultRecordBatchBuilder(2, 0, True, producer, 0, 0, 1_000_000)
    if kind in MARKERS:
        builder.append(0, 1_000, MARKERS[kind], b"", [])
    else:
        for n in range(records):
            builder.append(n, 1_000, b"k", b"%d" % (first + n), [])
    of_batch = bytearray(first.to_bytes(8, "big") + bytes(builder.build())[8:])
    if kind in MARKERS:
        of_batch[22] |= CONTROL
    return bytes(of_batch)


@st.composite
def logs(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]], int]:
    """Batches, by themselves and of transactions, with holes between; those that were aborted, as
    (producer, first offset); and the last offset of the first one."""
    offset, log = 0, b""
    aborted: list[tuple[int, int]] = []
    ends: list[int] = []
    began: dict[int, int] = {}
    for _ in range(draw(st.integers(1, 8))):
        offset += draw(st.integers(0, 2))
        kind = draw(st.sampled_from(("plain", "plain", "of", "of", "abort", "commit")))
        producer, records = draw(st.integers(1, 2)), draw(st.integers(1, 4))
        if kind == "plain":
            log += batch(offset, records)
        else:
            log += transaction(offset, kind, producer, records)
            if kind == "of":
                began.setdefault(producer, offset)
            elif kind == "abort" and producer in began:
                aborted.append((producer, began[producer]))
            if kind in MARKERS:
                began.pop(producer, None)
        offset += 1 if kind in MARKERS else records
        ends.append(offset - 1)
    return log, aborted, ends[0]


@given(logs(), st.data())
def test_any_log_is_taken_as_aiokafka_gives_it(
    of: tuple[bytes, list[tuple[int, int]], int], data: st.DataObject
) -> None:
    log, aborted, last_of_first = of
    offset = data.draw(st.integers(0, last_of_first))

    def result(assignment: Assignment) -> FetchResult:
        parsed = PartitionRecords(
            *(CALL, MemoryRecords(log), list(aborted), offset, None, None, False, READ_COMMITTED)
        )
        return FetchResult(CALL, assignment=assignment, partition_records=parsed, backoff=0)

    there, expected = Assignment(offset), Assignment(offset)
    whole, taken = result(expected), result(there)
    fetched = Fetched(lambda: frozenset({CALL.topic}), {CALL: taken})
    while whole.has_more():
        assert fetched[CALL].has_more()
        most = data.draw(st.none() | st.integers(1, 6))
        assert offsets(taken.getall(most)) == offsets(whole.getall(most))
        assert there.position == expected.position
    assert not taken.has_more()


def test_what_was_damaged_on_its_way_is_not_taken() -> None:
    there = Assignment(0)
    damaged = bytearray(batch(0, 3) + batch(3, 2))
    damaged[-1] ^= 1
    parsed = PartitionRecords(CALL, MemoryRecords(bytes(damaged)), [], 0, None, None, True, 1)
    result = FetchResult(CALL, assignment=there, partition_records=parsed, backoff=0)
    taken = Fetched(lambda: frozenset({CALL.topic}), {CALL: result})[CALL]
    assert offsets(taken.getall(2)) == [(0, b"0"), (1, b"1")]
    with pytest.raises(CorruptRecordException):
        taken.getall(2)
    assert there.position == 2
    assert taken.getall(2) == []  # what is left is asked for again, from there on
    assert not taken.has_more()


def offsets(records: list[Any]) -> list[tuple[int, bytes]]:
    return [(record.offset, record.value) for record in records]


@pytest.mark.parametrize("most", [1, 2, 3, 4, None])
def test_records_are_taken_as_aiokafka_gives_them(most: int | None) -> None:
    there, expected = Assignment(1), Assignment(1)
    whole = fetched_from(1, expected)
    fetched = Fetched(lambda: frozenset({CALL.topic}), {CALL: fetched_from(1, there)})
    taken = fetched[CALL]
    while whole.has_more():
        assert taken.has_more()
        assert offsets(taken.getall(most)) == offsets(whole.getall(most))
        assert there.position == expected.position
    assert not taken.has_more()
    assert there.position == 7


def test_nothing_is_taken_of_a_partition_that_was_sought_elsewhere() -> None:
    fetched = Fetched(lambda: frozenset({CALL.topic}), {})
    fetched[CALL] = fetched_from(0, Assignment(2))
    assert fetched[CALL].getall(10) == []
    assert not fetched[CALL].has_more()


def test_records_of_other_topics_are_left_to_aiokafka() -> None:
    result = fetched_from(0, Assignment(0))
    Fetched(frozenset, {CALL: result})
    assert [record.topic for record in result.getall()] == [CALL.topic] * 5


@pytest.mark.parametrize("most", [2, None])
def test_what_was_taken_is_freed_without_the_collector(most: int | None) -> None:
    fetched = Fetched(lambda: frozenset({CALL.topic}), {CALL: fetched_from(0, Assignment(0))})
    parts = [weakref.ref(fetched[CALL]), weakref.ref(fetched[CALL]._partition_records)]
    gc.disable()
    try:
        while fetched[CALL].has_more():
            fetched[CALL].getall(most)
        del fetched[CALL]
        assert [part() for part in parts] == [None, None]
    finally:
        gc.enable()
