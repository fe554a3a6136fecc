"""Where a worker goes on, and whose log it reads."""

import asyncio
from typing import Any

import pytest
from faust.types import TP

from schemas.topics import EVENTS_CALL, FOLDED_TOPICS
from sinks.errors import StoreMisconfigured
from streams.takeover import LogTruncated
from streams.transport import Chunk
from tests.support.worker_bench import (
    CALL_0,
    CALL_1,
    DEADLINE_SECONDS,
    Bench,
    chunk,
    record,
    run,
    until,
)


def test_what_came_last_does_not_wait_for_more_however_long_storing_took(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.rhythm.rest_after", lambda _seconds: 3_600.0)

    async def test() -> None:
        worker = bench.worker(flush_seconds=0.05)
        await worker.recover(frozenset({CALL_0}))
        timer = asyncio.create_task(worker.rhythm.run())
        await worker.process(chunk(range(3)))
        await until(lambda: bench.offsets() == [0, 1, 2])
        await worker.process(chunk(range(3, 6)))
        await until(lambda: bench.offsets() == [0, 1, 2, 3, 4, 5])
        assert await worker.stop()
        await timer

    run(test)


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


def test_a_usual_start_asks_four_questions_however_many_topics_there_are(bench: Bench) -> None:
    """Epochs, whether logs have begun, where checkpoints lie, and states: the group waits."""
    mine = frozenset(TP(topic, n) for topic in FOLDED_TOPICS for n in range(2))

    async def test() -> None:
        first = bench.worker()
        await first.recover(mine)
        await first.process(chunk(range(5)))
        assert await first.stop()

        second = bench.worker()
        bench.store.questions.clear()
        assert await second.recover(mine) == dict.fromkeys(mine, 0) | {CALL_0: 5}
        assert len(bench.store.questions) == 4
        bench.store.questions.clear()
        await second.recover(mine - {CALL_0})  # nothing that is not here already
        assert bench.store.questions == []
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
        assert worker.assigned == frozenset({CALL_0})
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


def test_partitions_that_a_topic_made_anew_does_not_have_are_left_out(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        gone = TP(EVENTS_CALL, 9)
        assert await worker.recover(frozenset({CALL_0, gone})) == {CALL_0: 0}
        assert worker.assigned == frozenset({CALL_0})
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
