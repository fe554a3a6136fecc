"""Faust's own consumer, over a thread that is a double: whole ones are in tests/integration."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import IllegalStateError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust.types import TP

from schemas.settings import load_settings
from schemas.topics import EVENTS_CALL
from streams.broker_admin import PLAINTEXT
from streams.faust_app import faust_app
from streams.fold.heard import Parsed
from streams.transport import Chunk, Consumer, ConsumerThread, Transport

DEADLINE_SECONDS = 10.0
CALL_0, CALL_1, CHANGELOG = TP(EVENTS_CALL, 0), TP(EVENTS_CALL, 1), TP("labels-changelog", 0)


def record(tp: TP, offset: int) -> ConsumerRecord:
    return ConsumerRecord(tp.topic, tp.partition, offset, 1_000, 1, None, b"v", 0, 0, 1, ())


@dataclass
class Positions:
    """Recovers to offset 7 of each partition when it may."""

    may: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[frozenset[TP]] = field(default_factory=list)
    cancelled: int = 0
    revoked: int = 0
    error: Exception | None = None

    async def recover(self, partitions: frozenset[TP]) -> Mapping[TP, int]:
        self.asked.append(partitions)
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return dict.fromkeys(partitions, 7)

    async def revoke(self) -> None:
        self.revoked += 1


class ThreadDouble:
    """Says what is assigned, and takes note of seeks."""

    def __init__(self, assigned: set[TP]) -> None:
        self.assigned = assigned
        self.sought: list[dict[TP, int]] = []
        self.gone = False

    def assignment(self) -> set[TP]:
        return set(self.assigned)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        if self.gone:
            raise IllegalStateError("no longer assigned")
        self.sought.append(dict(partitions))

    async def call_thread(self, _: Any, partitions: set[TP]) -> dict[TP, int]:
        return dict.fromkeys(partitions, 3)


class Setup:
    """A consumer of an app that was never started."""

    def __init__(self, directory: Path, assigned: set[TP]) -> None:
        settings = load_settings(None, {"data_dir": str(directory)})
        self.app = faust_app(settings, "127.0.0.1:1", PLAINTEXT)
        self.positions = Positions()
        self.failures: list[BaseException] = []
        transport = Transport(self.app.conf.broker_consumer, self.app)
        transport.source_topics = frozenset({EVENTS_CALL})
        transport.positions = self.positions
        transport.failed = self.failures.append
        self.app.transport = transport
        self.consumer: Consumer = self.app.consumer
        self.thread = ThreadDouble(assigned)
        self.consumer._thread = self.thread
        self.consumer._between_assignments = False

    async def recovered(self) -> None:
        assert self.consumer._recovery is not None
        await asyncio.wait([self.consumer._recovery])


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(test(), DEADLINE_SECONDS)

    asyncio.run(within())


def test_partitions_wait_for_their_checkpoints_and_are_read_on_there(tmp_path: Path) -> None:
    async def test() -> None:
        setup = Setup(tmp_path, {CALL_0, CALL_1, CHANGELOG})
        consumer = setup.consumer
        consumer._set_active_tps({CALL_0, CALL_1, CHANGELOG})
        assert await consumer.seek_to_committed() == {CHANGELOG: 3}
        assert consumer._get_active_partitions() == {CHANGELOG}
        setup.positions.may.set()
        await setup.recovered()
        assert setup.thread.sought == [{CALL_0: 7, CALL_1: 7}]
        assert consumer._get_active_partitions() == {CALL_0, CALL_1, CHANGELOG}

    run(test)


def test_in_the_middle_of_a_rebalance_nothing_is_recovered(tmp_path: Path) -> None:
    async def test() -> None:
        setup = Setup(tmp_path, {CALL_0})
        setup.consumer._between_assignments = True
        await setup.consumer.seek_to_committed()
        assert setup.positions.asked == []
        assert CALL_0 in setup.consumer._paused_partitions

    run(test)


def test_a_rebalance_ends_a_recovery_before_positions_are_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        setup = Setup(tmp_path, {CALL_0})
        await setup.consumer.seek_to_committed()
        while not setup.positions.asked:
            await asyncio.sleep(0)

        async def nothing(_: Any) -> None:
            assert setup.positions.cancelled == 1

        monkeypatch.setattr(setup.app, "_on_partitions_revoked", nothing)
        setup.consumer._on_partitions_revoked = nothing
        await setup.consumer.on_partitions_revoked({CALL_0})
        assert (setup.positions.cancelled, setup.positions.revoked) == (1, 1)
        assert setup.thread.sought == []

    run(test)


def test_an_assignment_of_nothing_is_recovered_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        setup = Setup(tmp_path, set())

        async def nothing(_: Any, __: int) -> None:
            return

        setup.consumer._on_partitions_assigned = nothing
        monkeypatch.setattr(setup.app, "on_rebalance_return", lambda: None)
        setup.positions.may.set()
        await setup.consumer.on_partitions_assigned(set(), 1)
        await setup.recovered()
        assert setup.positions.asked == [frozenset()]

    run(test)


def test_partitions_that_went_while_they_were_sought_are_no_failure(tmp_path: Path) -> None:
    async def test() -> None:
        setup = Setup(tmp_path, {CALL_0})
        setup.thread.gone = True
        setup.positions.may.set()
        await setup.consumer.seek_to_committed()
        await setup.recovered()
        assert CALL_0 in setup.consumer._paused_partitions
        await setup.consumer.reread(CALL_0, 5)
        assert not setup.failures

    run(test)


def test_a_recovery_that_fails_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        setup = Setup(tmp_path, {CALL_0})
        setup.positions.error = ValueError("unreadable")
        setup.positions.may.set()
        await setup.consumer.seek_to_committed()
        await setup.recovered()
        assert [str(error) for error in setup.failures] == ["unreadable"]

    run(test)


def test_a_consumer_that_leaves_takes_nothing_over(tmp_path: Path) -> None:
    async def test() -> None:
        setup = Setup(tmp_path, {CALL_0})
        await setup.consumer.leave()
        await setup.consumer.on_partitions_assigned({CALL_0}, 2)
        await setup.consumer.seek_to_committed()
        await setup.consumer.on_partitions_revoked({CALL_0})
        assert setup.positions.asked == []
        assert setup.positions.revoked == 1

    run(test)


def test_what_faust_remembers_of_reading_does_not_touch_source_topics(tmp_path: Path) -> None:
    async def test() -> None:
        offsets = Setup(tmp_path, set()).consumer._read_offset
        offsets[CALL_0], offsets[CHANGELOG] = 30, 30
        assert offsets[CALL_0] is None
        assert offsets[CHANGELOG] == 30

    run(test)


def test_a_reread_partition_is_no_longer_held_back_by_a_full_buffer(tmp_path: Path) -> None:
    async def test() -> None:
        setup = Setup(tmp_path, {CALL_0})
        consumer = setup.consumer
        consumer._set_active_tps({CALL_0})
        consumer.on_buffer_full(CALL_0)
        assert consumer._get_active_partitions() == set()
        await consumer.reread(CALL_0, 5)
        assert consumer._get_active_partitions() == {CALL_0}
        assert setup.thread.sought == [{CALL_0: 5}]

    run(test)


class FakeFetcher:
    """aiokafka's consumer as the thread sees it: gives what it is told to."""

    def __init__(self) -> None:
        self._closed = False
        self._subscriptions = self
        self._fetcher = self
        self._records: dict[TP, Any] = {}
        self.next: dict[TP, list[ConsumerRecord]] = {}

    def fetch_context(self) -> Any:
        import contextlib

        return contextlib.nullcontext()

    async def fetched_records(self, *_: Any, **__: Any) -> dict[TP, list[ConsumerRecord]]:
        return self.next

    def seek(self, *_: Any) -> None:
        return

    async def position(self, _: TP) -> int:
        return 0


@pytest.mark.parametrize(("place", "kind"), [(CALL_0, Parsed), (CHANGELOG, ConsumerRecord)])
@pytest.mark.parametrize("fetched_before", [True, False])
def test_of_records_of_source_topics_only_what_is_read_is_kept(
    tmp_path: Path, place: TP, kind: type[Any], fetched_before: bool
) -> None:
    batch = DefaultRecordBatchBuilder(2, 0, False, -1, -1, 0, 1_000_000)
    batch.append(0, 1_000, b"k", b"v", [("h", b"w")])
    records = MemoryRecords(bytes(batch.build()))
    state = SimpleNamespace(paused=False, position=0, consumed_to=lambda _: None)
    result = FetchResult(
        TopicPartition(*place),
        assignment=SimpleNamespace(active=True, state_value=lambda _: state),
        partition_records=PartitionRecords(place, records, [], 0, None, None, True, 1),
        backoff=0,
    )

    async def test() -> None:
        setup = Setup(tmp_path, {CALL_0})
        setup.consumer.flow_active = True
        thread, fetcher = ConsumerThread(setup.consumer), FakeFetcher()
        if fetched_before:
            fetcher._records[place] = result
        await thread._fetch_records(fetcher, {place})
        fetcher._records[place] = result
        (found,) = result.getall()
        assert isinstance(found, kind)
        assert (found.offset, found.timestamp) == (0, 1_000)
        assert (found.key, found.value, list(found.headers)) == (b"k", b"v", [("h", b"w")])
        thread.thread_loop.close()

    run(test)


def test_chunks_say_from_where_they_were_read_and_after_which_seek(tmp_path: Path) -> None:
    async def test() -> None:
        setup = Setup(tmp_path, {CALL_0})
        setup.consumer.flow_active = True
        thread = ConsumerThread(setup.consumer)
        fetcher = FakeFetcher()

        async def fetch(*offsets: int) -> Chunk:
            fetcher.next = {CALL_0: [record(CALL_0, n) for n in offsets]}
            chunk: Chunk
            [chunk] = (await thread._fetch_records(fetcher, {CALL_0}))[CALL_0]
            return chunk

        await thread._seek_wait(fetcher, {CALL_0: 4})
        first, second = await fetch(6, 7), await fetch(9)
        assert (first.begins, first.seek) == (4, 1)
        assert (second.begins, second.seek) == (8, 1)
        await thread._seek_wait(fetcher, {CALL_0: 8})
        again = await fetch(9, 10)
        assert (again.begins, again.seek) == (8, 2)
        message = setup.consumer._to_message(CALL_0, again)
        assert (message.offset, message.value) == (10, again)

        fetcher.next = {CHANGELOG: [record(CHANGELOG, 0)], CALL_0: []}
        assert await thread._fetch_records(fetcher, set()) == {CHANGELOG: fetcher.next[CHANGELOG]}
        thread.thread_loop.close()

    run(test)
