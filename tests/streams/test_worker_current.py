"""Which partitions a worker calls current: what is judged by them is so now, not on a past day."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from faust.types import TP

from schemas.queues import AlertThresholds, QueueSettings
from schemas.topics import EVENTS_CALL, EVENTS_CHAT, IDENTITY_LINKS, KPI_PANES
from streams.monitor.fold import MonitorFold
from streams.monitor.messages import Tick, rendered
from streams.monitor.rules import MonitorRules
from streams.present import NEARLY_MS, TOLD_LATE_MS, UNKNOWN_END
from streams.telling import BEHIND_MS
from streams.transport import Chunk
from streams.worker import Worker
from tests.support.monitor import notices_of
from tests.support.worker_bench import (
    CALL_0,
    CALL_1,
    START_MS,
    Bench,
    Record,
    chunk,
    record,
    run,
    until,
)

CHAT_0 = TP(EVENTS_CHAT, 0)
LINKS_0 = TP(IDENTITY_LINKS, 0)
PANES = TP(KPI_PANES, 0)
SOME_TIME_SECONDS = 0.3
"""Long enough for what must not happen."""
LATER = START_MS + 3_600_000
"""Now, long after the last record: only what was read to its end can be current."""


def told(offsets: Sequence[int], late_ms: int, tp: TP = CALL_0) -> Chunk:
    """Records of what happened at `START_MS`, and was told so much later."""
    records = [Record(n, record(n).value, START_MS + late_ms) for n in offsets]
    return Chunk(tp, records, offsets[0], 1)


def test_what_was_read_to_its_end_is_current_however_long_it_is_silent(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        assert worker.ahead.current({CALL_0: 0}, LATER) == {}
        await worker.recover(frozenset({CALL_1, CALL_0, CHAT_0, LINKS_0}))
        await worker.process(chunk(range(3)))
        ends = {CALL_0: 3, CALL_1: 0, CHAT_0: 0, LINKS_0: 0}
        assert worker.ahead.current(ends, LATER) == {EVENTS_CALL: (0, 1), EVENTS_CHAT: (0,)}
        assert worker.ahead.current(ends | {CALL_0: 4, CHAT_0: 1}, LATER) == {EVENTS_CALL: (1,)}
        # Where the others end is not known.
        assert worker.ahead.current({CALL_0: 3}, LATER) == {EVENTS_CALL: (0,)}
        await worker.revoke()
        assert worker.ahead.current(ends, LATER) == {}
        await worker.stop()

    run(test)


def test_a_partition_whose_last_record_is_young_is_as_good_as_read(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(3)))
        for ends in ({CALL_0: 900}, {}, {CALL_0: UNKNOWN_END}):
            assert worker.ahead.current(ends, START_MS + NEARLY_MS) == {EVENTS_CALL: (0,)}
            assert worker.ahead.current(ends, START_MS + NEARLY_MS + 1) == {}
        await worker.stop()

    run(test)


def test_what_is_told_long_after_it_happened_is_not_current(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0, CALL_1}))
        await worker.process(told([0, 1], TOLD_LATE_MS))
        await worker.process(told([0, 1], TOLD_LATE_MS + 1, CALL_1))
        ends = {CALL_0: 2, CALL_1: 2}
        assert worker.ahead.current(ends, LATER) == {EVENTS_CALL: (0,)}
        # However young the record is.
        assert worker.ahead.current(ends, START_MS + TOLD_LATE_MS + 1) == {EVENTS_CALL: (0,)}
        assert await worker.stop()

        again = bench.worker()
        await again.recover(frozenset({CALL_0, CALL_1}))
        assert again.ahead.current(ends, LATER) == {EVENTS_CALL: (0,)}
        # What happens now makes it current again.
        now = (record(2).value or b"").replace(b"09:00:00Z", b"09:30:00Z")
        await again.process(Chunk(CALL_1, [Record(2, now, START_MS + 1_800_000)], 2, 1))
        assert again.ahead.current(ends | {CALL_1: 3}, LATER) == {EVENTS_CALL: (0, 1)}
        await again.stop()

    run(test)


def test_stage_2_is_told_at_once_of_what_is_current_and_seldom_of_what_is_behind(
    bench: Bench,
) -> None:
    async def test() -> None:
        worker = bench.worker()

        async def told_of(now: int) -> list[int]:
            """The partitions that stage 2 is told of; the end of one has not come."""
            before = len(bench.reader.told)
            await worker.ahead.tell({CALL_0: 900, CALL_1: 6}, now)
            said = [msgspec.json.decode(value) for _, value in bench.reader.told[before:]]
            return sorted(one["partition"] for one in said)

        await worker.recover(frozenset({CALL_0, CALL_1}))
        for tp in (CALL_0, CALL_1):
            await worker.process(chunk(range(3), tp=tp))
        assert await told_of(LATER) == [0, 1]
        for tp in (CALL_0, CALL_1):
            await worker.process(chunk(range(3, 6), tp=tp))
        assert await told_of(LATER + 1) == [1]
        assert await told_of(LATER + BEHIND_MS - 1) == []
        assert await told_of(LATER + BEHIND_MS) == [0]
        await worker.process(chunk(range(6, 9)))
        # A clock that is put back is no reason to be silent until it is where it was.
        assert await told_of(LATER) == [0]
        await worker.stop()

    run(test)


@pytest.mark.parametrize(("late_ms", "changes"), [(1_000, ["opened"]), (TOLD_LATE_MS + 60_000, [])])
def test_replaying_a_past_day_raises_no_breach(
    bench: Bench, late_ms: int, changes: list[str]
) -> None:
    alerts = QueueSettings(alerts={"waiting": AlertThresholds(warning=2)})
    monitor = MonitorFold(KPI_PANES, 0, "m", 1, MonitorRules(queue=lambda _: alerts))
    log: list[Any] = []

    def say(key: bytes, value: bytes, at: int) -> None:
        log.append(Record(len(log), value, at, key))
        monitor.apply(log[-1:])

    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(told(range(5), late_ms))
        await worker.ahead.tell({}, START_MS)
        now = START_MS + late_ms
        for key, value in bench.reader.told:
            say(key, value, now)
        say(b"", rendered(Tick(now, worker.ahead.current({CALL_0: 5}, now))), now)
        ((seen, _),) = [known for known in monitor.lives() if known[0].queue == "support"]
        assert seen.waiting == 5
        assert [notice.change for notice in notices_of(monitor.drain().rows)] == changes
        await worker.stop()

    run(test)


def test_only_what_stage_2_was_told_of_is_said_to_be_current(bench: Bench) -> None:
    """A worker that took over works off a minute in one go: told of, it is current, not before."""

    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(3)))
        bench.reader.hears = False
        assert (await worker.ahead.tell({CALL_0: 3}, LATER)).current == {}
        bench.reader.hears = True
        assert (await worker.ahead.tell({CALL_0: 3}, LATER)).current == {EVENTS_CALL: (0,)}
        assert (await worker.ahead.tell({CALL_0: 6}, LATER)).current == {}

        # What a checkpoint vouches for is told with its block: once it is announced, which may be
        # late. Other blocks leave it to those who tell.
        await worker.process(chunk(range(3, 5)))
        before = len(bench.reader.told)
        await worker.flush()
        assert (await worker.ahead.tell({CALL_0: 5}, LATER)).current == {EVENTS_CALL: (0,)}
        assert len(bench.reader.told) > before
        await until(lambda: worker.storing_seconds == 0)
        await worker.process(chunk(range(5, 6)))
        bench.store.gate.clear()
        await worker.flush(checkpoint=True)
        await until(bench.store.waiting.is_set)
        await worker.process(chunk(range(6, 9)))
        before = len(bench.reader.told)
        ends = {CALL_0: 9}
        assert (await worker.ahead.tell(ends, LATER)).current == {}
        assert len(bench.reader.told) == before, "the block's come first"
        worker.ahead.announced()
        assert (await worker.ahead.tell(ends, LATER)).current == {EVENTS_CALL: (0,)}
        assert len(bench.reader.told) > before
        bench.store.gate.set()
        await until(lambda: worker.storing_seconds == 0)

        # Or stored, where nobody said so.
        await worker.process(chunk(range(9, 12)))
        await worker.settle()
        assert (await worker.ahead.tell({CALL_0: 12}, LATER)).current == {EVENTS_CALL: (0,)}
        await worker.stop()

    run(test)


async def _told(bench: Bench, worker: Worker) -> None:
    """Let a worker hear what it tells of three contacts."""
    await worker.recover(frozenset({CALL_0, PANES}))
    bench.store.inserts.clear()
    await worker.process(chunk(range(3)))
    await worker.ahead.tell({}, START_MS)
    told = [Record(n, v, START_MS, k) for n, (k, v) in enumerate(bench.reader.told)]
    await worker.process(Chunk(PANES, told, 0, 1))


def test_queues_are_stored_ahead_of_the_block_and_vouched_for_by_none(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await _told(bench, worker)
        await worker.ahead.show()
        await worker.ahead.show()  # the first is under way, or left nothing
        await until(lambda: worker.storing_seconds == 0)
        assert set(bench.store.inserts) == {"queue_live"}
        assert (bench.offsets(), bench.checkpoints()) == ([], [0])
        await worker.settle()
        assert bench.offsets() == [0, 1, 2]
        (row,) = bench.store.query("SELECT waiting FROM queue_live FINAL WHERE queue = 'support'")
        assert row["waiting"] == 3
        assert bench.store.inserts[-1] == "checkpoints"
        await worker.stop()

    run(test)


def test_queues_are_stored_while_a_block_is_on_its_way(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await _told(bench, worker)
        bench.store.gate.clear()
        bench.store.only = "events"
        await worker.flush()
        await until(bench.store.waiting.is_set)
        tick = Record(1, rendered(Tick(START_MS + 1_000, {})), START_MS + 1_000, b"")
        await worker.process(Chunk(PANES, [tick], 1, 1))
        await worker.ahead.show()
        await until(lambda: "queue_live" in bench.store.inserts)
        assert "events" not in bench.store.inserts
        bench.store.gate.set()
        await worker.stop()

    run(test)


def test_no_checkpoint_vouches_for_queues_that_are_not_stored_yet(bench: Bench) -> None:
    async def test() -> None:
        worker = bench.worker()
        await _told(bench, worker)
        bench.store.gate.clear()
        bench.store.only = "queue_live"
        await worker.ahead.show()
        await until(bench.store.waiting.is_set)
        settled = asyncio.create_task(worker.settle())
        await asyncio.wait([settled], timeout=SOME_TIME_SECONDS)
        assert "checkpoints" not in bench.store.inserts
        bench.store.gate.set()
        await settled
        stored = bench.store.inserts
        assert stored.index("queue_live") < stored.index("checkpoints")
        await worker.stop()

    run(test)


def test_a_block_that_is_cancelled_while_it_is_filled_takes_its_folds_with_it(
    bench: Bench,
) -> None:
    async def test() -> None:
        worker = bench.worker()
        await _told(bench, worker)
        bench.store.gate.clear()
        bench.store.only = "queue_live"
        await worker.ahead.show()
        await until(bench.store.waiting.is_set)
        filling = asyncio.create_task(worker.flush())
        await asyncio.wait([filling], timeout=SOME_TIME_SECONDS)  # it waits for the show
        filling.cancel()
        await asyncio.wait([filling])
        assert worker.applied() == {}
        bench.store.gate.set()
        await worker.stop()

    run(test)


def test_what_is_kept_over_a_rebalance_is_shown_meanwhile_and_what_is_taken_over_is_not(
    bench: Bench,
) -> None:
    kept, taken_over = TP(KPI_PANES, 0), TP(KPI_PANES, 1)

    async def test() -> None:
        worker = bench.worker()
        await worker.recover(frozenset({kept}))
        ((fold, revoked_at),) = worker.monitors()
        assert revoked_at is None
        await worker.revoke()
        ((same, revoked_at),) = worker.monitors()
        assert same is fold
        assert revoked_at is not None
        await worker.recover(frozenset({kept, taken_over}))
        shown = {id(monitor): since for monitor, since in worker.monitors()}
        assert len(shown) == 2
        assert shown.pop(id(fold)) == revoked_at
        assert list(shown.values()) == [None]
        await worker.recover(frozenset({taken_over}))
        assert len(list(worker.monitors())) == 1
        await worker.stop()

    run(test)
