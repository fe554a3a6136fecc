"""When checkpoints are written, and of which partitions."""

import asyncio
import math

import pytest
from faust.types import TP

from streams import rounds as rounds_module
from streams import worker as worker_module
from streams.blocks import Block, Pace
from streams.rounds import (
    AT_ONCE_SECONDS,
    LITTLE,
    LONGEST_AHEAD_SECONDS,
    LONGEST_REST_SECONDS,
    CheckpointRounds,
)
from tests.support.worker_bench import CALL_0, CALL_1, Bench, chunk, run, until

HELD = [CALL_0, CALL_1]


def block(seconds: float, *covered: TP) -> Block:
    return Block(positions=dict.fromkeys(covered, 1), serialising_seconds=seconds)


def test_a_round_is_spread_over_blocks_and_followed_by_a_rest() -> None:
    rounds = CheckpointRounds(Pace(checkpoint_seconds=10), 0.0)
    assert rounds.wanted(HELD, 9.9, everything=False) == ([], AT_ONCE_SECONDS)
    assert rounds.wanted(HELD, 10.0, everything=False)[0] == HELD
    rounds.covered(block(0.25, CALL_0), 12.0)
    assert rounds.wanted(HELD, 13.0, everything=False)[0] == [CALL_1]
    rounds.covered(block(0.25, CALL_1), 15.0)
    assert rounds.wanted(HELD, 15.0 + 49 * 0.5 - 0.1, everything=False)[0] == []
    assert rounds.wanted(HELD, 15.0 + 49 * 0.5, everything=False)[0] == HELD


def test_small_states_are_covered_together_at_their_usual_time() -> None:
    rounds = CheckpointRounds(Pace(checkpoint_seconds=10), 0.0)
    assert rounds.wanted(HELD, 10.0, everything=False)[0] == HELD
    rounds.covered(block(0.1, *HELD), 10.1)
    assert rounds.wanted(HELD, 19.9, everything=False)[0] == []
    assert rounds.wanted(HELD, 20.0, everything=False)[0] == HELD


def test_many_events_make_one_due_sooner_but_no_rest_shorter() -> None:
    rounds = CheckpointRounds(Pace(checkpoint_seconds=3_600, checkpoint_events=100), 0.0)
    rounds.applied(99)
    assert rounds.wanted(HELD, 1.0, everything=False)[0] == []
    rounds.applied(1)
    assert rounds.wanted(HELD, 1.0, everything=False)[0] == HELD
    rounds.covered(block(1_000.0, *HELD), 2.0)
    rounds.applied(100)
    before = 2.0 + LONGEST_REST_SECONDS
    assert rounds.wanted(HELD, before - 0.1, everything=False)[0] == []
    assert rounds.wanted(HELD, before, everything=False)[0] == HELD


def test_who_gives_up_partitions_covers_all_of_them_whatever_was_covered_before() -> None:
    rounds = CheckpointRounds(Pace(checkpoint_seconds=10), 0.0)
    rounds.wanted(HELD, 10.0, everything=False)
    rounds.covered(block(2.0, CALL_0), 12.0)
    assert rounds.wanted(HELD, 12.0, everything=True) == (HELD, math.inf)
    rounds.covered(block(4.0, *HELD), 16.0)
    assert rounds.wanted(HELD, 16.0, everything=False)[0] == []


def test_what_is_not_here_any_more_is_not_waited_for() -> None:
    rounds = CheckpointRounds(Pace(checkpoint_seconds=10), 0.0)
    rounds.wanted(HELD, 10.0, everything=False)
    rounds.covered(block(2.0, CALL_0), 12.0)
    assert rounds.wanted([CALL_0], 20.0, everything=False)[0] == [CALL_0]


def test_a_block_takes_a_state_of_which_little_is_left_or_that_is_long_due() -> None:
    rounds = CheckpointRounds(Pace(checkpoint_seconds=10), 0.0)
    rounds.wanted(HELD, 12.0, everything=False)
    assert rounds.under_way == (CALL_0, CALL_1)
    assert rounds.takes(LITTLE, 12.0, everything=False)
    assert not rounds.takes(LITTLE + 1, 12.0, everything=False)
    assert rounds.takes(LITTLE + 1, 12.0, everything=True)
    late = 12.0 + LONGEST_AHEAD_SECONDS
    assert not rounds.takes(LITTLE + 1, late - 0.1, everything=False)
    assert rounds.takes(LITTLE + 1, late, everything=False)


def test_what_was_serialised_ahead_is_rested_from_too() -> None:
    rounds = CheckpointRounds(Pace(checkpoint_seconds=10), 0.0)
    rounds.wanted(HELD, 10.0, everything=False)
    rounds.serialised_ahead(0.5)
    rounds.covered(block(0.125, *HELD), 20.0)
    assert rounds.under_way == ()
    before = 20.0 + 49 * 0.625
    assert rounds.wanted(HELD, before - 0.1, everything=False)[0] == []
    assert rounds.wanted(HELD, before + 0.1, everything=False)[0] == HELD


def test_a_large_state_is_serialised_ahead_before_a_block_takes_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds_module, "LITTLE", 0)
    monkeypatch.setattr(worker_module, "SLICE", 1)

    async def test() -> None:
        worker = bench.worker(checkpoint_seconds=0.0)
        await worker.recover(frozenset({CALL_0}))
        await worker.process(chunk(range(5)))
        await worker.flush()
        await until(lambda: worker.storing_seconds == 0)
        assert bench.offsets() == [0, 1, 2, 3, 4]
        assert bench.reader.committed == {}, "four contacts were left"
        fold = worker._held[CALL_0].fold
        ahead = asyncio.create_task(worker.run_ahead())
        await until(lambda: fold.prepare(0) == 0)
        await worker.flush()
        await until(lambda: worker.storing_seconds == 0)
        assert bench.reader.committed == {CALL_0: 5}
        await worker.stop()
        await ahead

    run(test)


def test_where_states_are_large_each_is_covered_by_a_block_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds_module, "AT_ONCE_SECONDS", 1e-9)

    async def test() -> None:
        worker = bench.worker(checkpoint_seconds=0.0)
        await worker.recover(frozenset(HELD))
        for tp in HELD:
            await worker.process(chunk(range(3), tp=tp))
        await worker.flush()
        await until(lambda: worker.storing_seconds == 0)
        assert len(bench.reader.committed) == 1
        await worker.flush()
        await until(lambda: worker.storing_seconds == 0)
        assert bench.reader.committed == dict.fromkeys(HELD, 3)
        await worker.stop()

    run(test)
