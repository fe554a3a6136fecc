import gc
import weakref
from typing import Any

import pytest
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.record._crecords import DefaultRecordBatchBuilder, MemoryRecords
from aiokafka.structs import TopicPartition

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
    there = weakref.ref(fetched[CALL])
    gc.disable()
    try:
        while fetched[CALL].has_more():
            fetched[CALL].getall(most)
        del fetched[CALL]
        assert there() is None
    finally:
        gc.enable()
