"""Blocks on their way to the store: given up, waited for, vouched for."""

import asyncio
import time

import pytest

from schemas.rows import CheckpointRow, EventRow
from schemas.topics import EVENTS_CALL
from sinks.errors import StoreUnavailable
from streams.transport import Chunk
from streams.worker import Worker
from tests.support.worker_bench import (
    CALL_0,
    CALL_1,
    DEADLINE_SECONDS,
    Bench,
    Record,
    chunk,
    run,
    until,
)


async def _process_all(worker: Worker, records: int) -> None:
    for offset in range(records):
        await worker.process(chunk([offset]))


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
        worker = bench.worker(revoke_seconds=2.0)
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        bench.broker.away = 1_000_000
        assert await worker.stop()
        assert bench.offsets() == []
        assert not bench.failures

    run(test)


def test_stopping_while_an_insert_hangs_is_bounded_and_says_so(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker(revoke_seconds=0.3)
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        bench.store.gate.clear()
        await worker.flush()
        assert await asyncio.to_thread(bench.store.waiting.wait, DEADLINE_SECONDS)
        assert not await worker.stop()
        bench.store.gate.set()

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
        before = time.monotonic()
        await worker.settle()
        assert seconds() <= time.monotonic() - before
        assert bench.checkpoints() == [0]
        await worker.stop()

    run(test)
