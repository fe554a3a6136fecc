"""The worker over the embedded engine, with a store that can be held up, and a broker of dicts."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from faust.types import TP

from schemas.rows import CheckpointRow, EventRow, Row
from schemas.topics import EVENTS_CALL
from sinks.checkpoints import CheckpointStore
from sinks.errors import StoreMisconfigured, StoreUnavailable
from sinks.metrics import Metrics
from sinks.migrate import migrate
from sinks.store import EMBEDDED, Store, open_store
from sinks.writer import Writer
from streams.blocks import Pace
from streams.broker_admin import BrokerUnavailableError
from streams.carry_over import CarryOver
from streams.fold.rules import FoldRules
from streams.health import Health
from streams.identity.beginning import LinksBeginning
from streams.identity.guards import Limits
from streams.identity.messages import Message
from streams.monitor.beginning import MonitorBeginning
from streams.monitor.rules import MonitorRules
from streams.progress import Progress
from streams.takeover import LogTruncated, Takeover
from streams.transport import Chunk
from streams.worker import Worker
from tests.support.clickhouse import embedded_path, unused_database

DEADLINE_SECONDS = 20.0
CALL_0, CALL_1 = TP(EVENTS_CALL, 0), TP(EVENTS_CALL, 1)
START_MS = 1_772_442_000_000


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None
    timestamp: int = START_MS
    key: bytes | None = b"k"
    headers: Sequence[tuple[str, bytes]] = ()


def record(offset: int, source: str = "test", extra: str = "") -> Record:
    value = (
        f'{{"specversion":"1.0","id":"e-{offset}","source":"{source}","type":"queue.entered",'
        f'"time":"2026-03-02T09:00:00Z","subject":"call-{offset}",{extra}'
        '"data":{"queue":"support"}}'
    )
    return Record(offset, value.encode())


def chunk(
    offsets: Sequence[int], *, begins: int | None = None, seek: int = 1, tp: TP = CALL_0
) -> Chunk:
    first = offsets[0] if begins is None else begins
    return Chunk(tp, [record(offset) for offset in offsets], first, seek)


class HeldStore:
    """A store whose inserts wait for `gate`, or fail with `error`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.waiting = threading.Event()
        self.inserts: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def insert(self, row_type: type[Row], rows: Sequence[tuple[Any, ...]]) -> None:
        if not self.gate.is_set():
            self.waiting.set()
            assert self.gate.wait(DEADLINE_SECONDS)
        if self.error is not None:
            raise self.error
        self._store.insert(row_type, rows)
        self.inserts.append(row_type.TABLE)


@dataclass
class DictBroker:
    """A broker that answers from memory; `away` makes it not answer so many times."""

    log: str = "log-1"
    oldest: int = 0
    end: int = 1_000
    away: int = 0

    def logs(self, topics: frozenset[str]) -> Mapping[str, str]:
        if self.away:
            self.away -= 1
            raise BrokerUnavailableError("nobody there")
        return dict.fromkeys(topics, self.log)

    def bounds(self, topics: frozenset[str]) -> Mapping[TP, tuple[int, int]]:
        return {TP(t, n): (self.oldest, self.end) for t in topics for n in range(4)}

    def ends_before(self, tp: TP, offset: int) -> bool:  # noqa: ARG002 -- all end at one offset
        return self.end < offset


@dataclass
class Seeks:
    """What the worker asked of its reader."""

    committed: dict[TP, int] = field(default_factory=dict)
    reread_from: list[tuple[TP, int]] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    hears: bool = True
    recovered: int = 0
    last: int = 0

    def commit(self, offsets: Mapping[TP, int]) -> None:
        self.committed.update(offsets)

    async def reread(self, tp: TP, offset: int) -> None:
        self.reread_from.append((tp, offset))

    async def say(self, messages: list[Message]) -> bool:
        self.said += messages
        return self.hears

    async def tell(self, partials: Sequence[tuple[Any, ...]]) -> bool:
        self.told += partials
        return self.hears

    async def recover(self) -> None:
        self.recovered += 1

    def seeks(self, tp: TP) -> int:  # noqa: ARG002 -- all are sought together
        return self.last


class Bench:
    """Workers over one store."""

    def __init__(self, store: Store) -> None:
        self.store = HeldStore(store)
        self.broker = DictBroker()
        self.reader = Seeks()
        self.metrics = Metrics()
        self.health = Health(60.0)
        self.failures: list[BaseException] = []
        self.abandon = threading.Event()

    def worker(self, **pace: Any) -> Worker:
        store: Any = self.store
        self.abandon = threading.Event()
        rules = FoldRules(lateness_ms=86_400_000)
        writer = Writer(store, self.metrics, self.abandon)
        checkpoints = CheckpointStore(store, "test", self.metrics)
        carry_over = CarryOver(store, checkpoints, writer, rules)
        return Worker(
            takeover=Takeover(
                *(self.broker, checkpoints, carry_over, writer, rules),
                LinksBeginning(store, Limits(), rules.erased),
                MonitorBeginning(store, MonitorRules()),
            ),
            writer=writer,
            abandon=self.abandon,
            pace=Pace(**{"checkpoint_seconds": 3600.0, "revoke_seconds": DEADLINE_SECONDS, **pace}),
            progress=Progress(self.metrics),
            health=self.health,
            reader=self.reader,
            failed=self.failures.append,
        )

    def offsets(self) -> list[int]:
        """Offsets of the stored events."""
        rows = self.store.query("SELECT source_offset FROM events FINAL ORDER BY source_offset")
        return [row["source_offset"] for row in rows]

    def checkpoints(self) -> list[int]:
        """Next offsets of the stored checkpoints of partition 0."""
        rows = self.store.query(
            "SELECT DISTINCT next_offset FROM checkpoints WHERE source_partition = 0"
            " ORDER BY next_offset"
        )
        return [row["next_offset"] for row in rows]


@pytest.fixture
def bench() -> Iterator[Bench]:
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrate(store)
        yield Bench(store)
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(test(), DEADLINE_SECONDS)

    asyncio.run(within())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_a_restart_goes_on_at_the_checkpoint_and_skips_what_it_covers(bench: Bench) -> None:
    async def test() -> None:
        first = bench.worker()
        assert await first.recover(frozenset({CALL_0})) == {CALL_0: 0}
        await first.process(chunk(range(5)))
        assert await first.stop()
        assert bench.checkpoints() == [0, 5]
        assert bench.reader.committed == {CALL_0: 5}

        second = bench.worker()
        assert await second.recover(frozenset({CALL_0})) == {CALL_0: 5}
        stored_before = bench.metrics.sink_rows.labels("events")._value.get()
        await second.process(chunk(range(3, 8), begins=3))
        await second.settle()
        assert bench.metrics.sink_rows.labels("events")._value.get() == stored_before + 3
        assert bench.offsets() == list(range(8))
        await second.stop()

    run(test)


def test_records_that_were_lost_on_the_way_are_read_again_once(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(3)))
        await worker.process(chunk([5, 6], begins=5))
        await worker.process(chunk([7], begins=7))  # read before the seek, too
        assert bench.reader.reread_from == [(CALL_0, 3)]
        assert worker.applied() == {CALL_0: 3}
        await worker.process(chunk([3, 4, 5], begins=3, seek=2))
        assert worker.applied() == {CALL_0: 6}
        await worker.process(chunk([9], begins=9, seek=2))
        assert bench.reader.reread_from == [(CALL_0, 3), (CALL_0, 6)]
        await worker.stop()

    run(test)


def test_what_the_log_itself_does_not_have_is_passed_over(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        # Markers of transactions at 0, 3 and 6.
        await worker.process(chunk([1, 2], begins=0))
        await worker.process(chunk([4, 5, 7], begins=3))
        assert worker.applied() == {CALL_0: 8}
        assert not bench.reader.reread_from
        labels = {"topic": EVENTS_CALL, "partition": "0"}
        assert bench.metrics.offset_gaps.labels(**labels)._value.get() == 2
        await worker.stop()
        assert bench.offsets() == [1, 2, 4, 5, 7]

    run(test)


def test_a_log_that_was_cut_off_below_what_was_applied_ends_the_worker(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        # aiokafka found no offset 5, and went back to the oldest record.
        await worker.process(chunk([0, 1], begins=5))
        assert worker.applied() == {CALL_0: 5}
        bench.broker.end = 3
        with pytest.raises(LogTruncated, match=r"events.call\[0\]: 5 records"):
            await worker.process(chunk([0, 1], begins=5))
        await worker.stop()
        with pytest.raises(LogTruncated):
            await bench.worker().recover(frozenset({CALL_0}))

    run(test)


def test_records_that_retention_deleted_before_they_were_read_are_skipped(bench: Bench) -> None:
    async def test() -> None:
        bench.broker.oldest = 7
        worker = bench.worker()
        assert await worker.recover(frozenset({CALL_0})) == {CALL_0: 7}
        await worker.stop()

    run(test)


def test_a_block_that_fails_for_good_gets_no_checkpoint_from_a_later_one(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        bench.store.error = RuntimeError("a bug")
        await worker.process(chunk(range(5)))
        await worker.settle()
        assert [str(error) for error in bench.failures] == ["a bug"]
        bench.store.error = None
        await worker.process(chunk(range(5, 9)))
        await worker.stop()
        assert bench.offsets() == []
        assert bench.checkpoints() == [0]

    run(test)


def test_revoking_while_the_store_is_away_is_bounded_and_keeps_no_fold(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker(revoke_seconds=0.3)
        await worker.recover(frozenset({CALL_0}))
        bench.store.error = StoreUnavailable("here", "away")
        await worker.process(chunk(range(5)))
        await worker.revoke()
        assert worker.assigned is None

        # The same worker gets it again: from the checkpoint, not from the rows that were given up.
        assert await worker.recover(frozenset({CALL_0})) == {CALL_0: 0}
        bench.store.error = None
        await worker.process(chunk(range(5), begins=0, seek=2))
        await worker.settle()
        await worker.stop()
        assert bench.offsets() == list(range(5))
        assert not bench.failures

    run(test)


def test_a_rebalance_does_not_wait_for_an_insert_that_hangs(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker(revoke_seconds=0.3)
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        bench.store.gate.clear()
        await worker.flush()
        await asyncio.to_thread(bench.store.waiting.wait, DEADLINE_SECONDS)
        await worker.revoke()
        recovery = asyncio.create_task(worker.recover(frozenset({CALL_0, CALL_1})))
        await asyncio.wait([recovery], timeout=0.1)
        assert not recovery.done()  # what is under way may be what it has to load
        bench.store.gate.set()
        assert await recovery == {CALL_0: 0, CALL_1: 0}
        await worker.stop()

    run(test)


def test_what_is_assigned_again_goes_on_where_it_is(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0, CALL_1}))
        await worker.process(chunk(range(5)))
        await worker.revoke()
        assert bench.checkpoints() == [0, 5]
        await worker.process(chunk(range(5, 7)))  # a chunk that was still in a buffer
        bench.store.command("TRUNCATE TABLE checkpoints")  # so that it would begin at 0
        assert await worker.recover(frozenset({CALL_0})) == {CALL_0: 5}
        assert worker.assigned == {CALL_0}
        assert await worker.recover(frozenset({CALL_0, CALL_1})) == {CALL_0: 5, CALL_1: 0}
        await worker.stop()

    run(test)


def test_a_fold_of_a_log_that_was_made_anew_begins_again(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        await worker.revoke()
        bench.broker.log = "log-2"
        assert await worker.recover(frozenset({CALL_0})) == {CALL_0: 0}
        await worker.stop()

    run(test)


def test_a_block_of_a_log_that_was_made_anew_is_not_stored(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        bench.broker.log = "log-2"
        await worker.settle()
        assert bench.offsets() == []
        assert bench.reader.recovered == 1

        bench.reader.last = 1
        assert await worker.recover(frozenset({CALL_0})) == {CALL_0: 0}
        await worker.process(chunk(range(3)))  # of the old log, still in a buffer
        await worker.process(chunk(range(2), seek=2))
        await worker.stop()
        rows = bench.store.query("SELECT log, source_offset FROM events FINAL ORDER BY ALL")
        assert [tuple(row.values()) for row in rows] == [("log-2", 0), ("log-2", 1)]
        assert not bench.failures

    run(test)


def test_a_worker_with_nothing_to_store_hears_of_a_log_that_was_made_anew(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.check_logs()
        assert bench.reader.recovered == 0
        bench.broker.log = "log-2"
        await worker.check_logs()
        assert bench.reader.recovered == 1
        await worker.stop()

    run(test)


def test_a_shorter_log_that_was_made_anew_is_not_one_that_was_cut_off(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        bench.broker.log, bench.broker.end = "log-2", 3
        # aiokafka found no offset 5, and went back to the oldest record.
        await worker.process(chunk([0, 1], begins=5))
        assert bench.reader.recovered == 1
        assert await worker.recover(frozenset({CALL_0})) == {CALL_0: 0}
        await worker.stop()

    run(test)


def test_a_block_waits_while_nobody_knows_whose_log_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.lanes.RETRY_SECONDS", 0.01)

    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        bench.broker.away = 1_000_000
        await worker.flush()
        await until(lambda: "waiting for the broker" in bench.health.waiting())
        assert bench.offsets() == []
        bench.broker.away = 0
        await worker.settle()
        assert bench.offsets() == list(range(5))
        await worker.stop()

    run(test)


def test_stopping_while_the_broker_is_away_is_bounded_and_stores_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.lanes.RETRY_SECONDS", 0.01)

    async def test() -> None:
        worker = bench.worker(revoke_seconds=0.3)
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        bench.broker.away = 1_000_000
        assert await worker.stop()
        assert bench.offsets() == []
        assert not bench.failures

    run(test)


def test_partitions_that_a_topic_made_anew_does_not_have_are_left_out(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        gone = TP(EVENTS_CALL, 9)
        assert await worker.recover(frozenset({CALL_0, gone})) == {CALL_0: 0}
        assert worker.assigned == {CALL_0}
        await worker.stop()

    run(test)


def test_a_one_shot_run_does_not_wait_for_a_person(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        worker.lanes.one_shot = True
        bench.store.command("DROP TABLE checkpoints")
        with pytest.raises(StoreMisconfigured, match="switchboard migrate"):
            await worker.recover(frozenset({CALL_0}))
        await worker.stop()

    run(test)


def test_a_recovery_that_is_cancelled_leaves_a_worker_that_can_recover(bench: Bench) -> None:
    async def test() -> None:
        bench.store.gate.clear()  # the first checkpoint of a new log waits
        worker = bench.worker()
        recovery = asyncio.create_task(worker.recover(frozenset({CALL_0})))
        await asyncio.to_thread(bench.store.waiting.wait, DEADLINE_SECONDS)
        recovery.cancel()
        await asyncio.wait([recovery])
        assert recovery.cancelled()
        assert worker.assigned is None
        bench.store.gate.set()
        assert await worker.recover(frozenset({CALL_1})) == {CALL_1: 0}
        assert worker.assigned == {CALL_1}
        await worker.stop()

    run(test)


def test_stopping_while_an_insert_hangs_is_bounded_and_says_so(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker(revoke_seconds=0.3)
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        bench.store.gate.clear()
        assert not await worker.stop()
        bench.store.gate.set()

    run(test)


def test_recovery_waits_for_the_broker_and_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.lanes.RETRY_SECONDS", 0.01)

    async def test() -> None:
        bench.broker.away = 1_000_000
        worker = bench.worker()
        recovery = asyncio.create_task(worker.recover(frozenset({CALL_0})))
        await until(lambda: "waiting for the broker" in bench.health.waiting())
        assert worker.assigned is None
        bench.broker.away = 0
        await recovery
        assert bench.health.waiting() == ""
        await worker.stop()

    run(test)


def test_a_worker_without_partitions_has_recovered_what_it_has(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        assert worker.assigned is None
        assert await worker.recover(frozenset()) == {}
        assert worker.assigned == frozenset()
        await worker.stop()

    run(test)


def test_reading_waits_when_one_block_is_stored_and_the_next_is_full(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker(flush_rows=10, revoke_seconds=5.0)
        await worker.recover(frozenset({CALL_0}))
        bench.store.gate.clear()
        ahead = asyncio.create_task(_process_all(worker, 100))
        await asyncio.to_thread(bench.store.waiting.wait, DEADLINE_SECONDS)
        await asyncio.wait([ahead], timeout=0.2)
        assert not ahead.done()
        # One block in flight, one full, each of ten rows at least: an event makes four.
        assert worker.applied()[CALL_0] <= 2 * 10
        bench.store.gate.set()
        await ahead
        await worker.stop()
        assert bench.offsets() == list(range(100))

    run(test)


async def _process_all(worker: Worker, records: int) -> None:
    for offset in range(records):
        await worker.process(chunk([offset]))


def test_a_chunk_that_is_larger_than_the_buffer_is_stored_in_parts(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker(buffer_bytes=64 << 10, revoke_seconds=5.0)
        await worker.recover(frozenset({CALL_0}))
        large = [Record(n, b"x" * 10_000) for n in range(20)]  # dead letters hold their bytes, too
        await worker.process(Chunk(CALL_0, large, 0, 1))
        await until(lambda: bench.store.inserts.count("dead_letters") >= 4)
        await worker.stop()
        rows = bench.store.query("SELECT count() AS n FROM dead_letters FINAL")
        assert rows[0]["n"] == 20

    run(test)


def test_checkpoints_follow_the_rows_that_they_vouch_for(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(3)))
        bench.store.inserts.clear()
        await worker.settle()
        assert bench.store.inserts[-1] == CheckpointRow.TABLE
        assert EventRow.TABLE in bench.store.inserts[:-1]
        await worker.stop()

    run(test)


def test_a_quiet_partition_is_as_well_covered_as_ever(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        age = "switchboard_checkpoint_age_seconds"
        labels = {"topic": EVENTS_CALL, "partition": "0"}

        def seconds() -> float:
            return bench.metrics.registry.get_sample_value(age, labels) or 0.0

        await until(lambda: seconds() > 0.5)
        await worker.settle()
        assert seconds() < 0.5
        assert bench.checkpoints() == [0]
        await worker.stop()

    run(test)


def test_a_store_that_needs_a_person_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.lanes.RETRY_SECONDS", 0.01)

    async def test() -> None:
        worker = bench.worker()
        queries = bench.store._store.query

        def refuse(*_: Any, **__: Any) -> Any:
            raise StoreMisconfigured("here", "no such table", 60)

        monkeypatch.setattr(bench.store._store, "query", refuse)
        recovery = asyncio.create_task(worker.recover(frozenset({CALL_0})))
        await until(lambda: "switchboard migrate" in bench.health.waiting())
        monkeypatch.setattr(bench.store._store, "query", queries)
        await recovery
        await worker.stop()

    run(test)


def test_fields_that_nobody_knows_are_told_once_for_each_source(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.unknown_fields.SAMPLE_SECONDS", 0.0)

    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        for offset in range(5):
            one = record(offset, source="pbx", extra='"shoe":43,')
            await worker.process(Chunk(CALL_0, [one], offset, 1))
        await worker.process(Chunk(CALL_0, [record(5, source="plain")], 5, 1))
        told = [r.getMessage() for r in caplog.records if "not in the contract" in r.getMessage()]
        assert len(told) == 1
        assert "'pbx'" in told[0]
        assert "shoe" in told[0]
        value = bench.metrics.unknown_fields.labels("pbx")._value.get()
        assert value == 1
        await worker.stop()

    run(test)
