import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.dice import Dice

SEEDS = st.integers(0, 1 << 64)
SECONDS = st.floats(0.002, 1e6)


def test_the_sequence_of_a_seed_is_the_same_for_ever() -> None:
    dice = Dice(1, "arrivals")
    assert [dice.between(0, 999) for _ in range(6)] == [702, 934, 710, 392, 760, 131]


def test_streams_of_different_names_are_different() -> None:
    first, second = Dice(1, "a"), Dice(1, "b")
    assert [first.random() for _ in range(5)] != [second.random() for _ in range(5)]


@given(SEEDS, st.integers(-1000, 1000), st.integers(0, 1000))
def test_between_keeps_its_bounds(seed: int, low: int, span: int) -> None:
    dice = Dice(seed, "x")
    assert all(low <= dice.between(low, low + span) <= low + span for _ in range(20))


@given(SEEDS, SECONDS)
def test_durations_are_whole_milliseconds_and_never_nothing(seed: int, mean: float) -> None:
    dice = Dice(seed, "x")
    for ms in (dice.waiting(mean), dice.around(mean), dice.within(0, mean)):
        assert isinstance(ms, int)
        assert ms >= 1


@pytest.mark.parametrize("draw", ["waiting", "around"])
def test_means_are_what_they_are_said_to_be(draw: str) -> None:
    dice = Dice(5, "x")
    drawn = [getattr(dice, draw)(100) for _ in range(20_000)]
    assert statistics.fmean(drawn) == pytest.approx(100_000, rel=0.03)


def test_weights_are_relative_and_nothing_of_no_weight_comes() -> None:
    dice = Dice(5, "x")
    drawn = [dice.weighted({"a": 3.0, "b": 1.0, "never": 0.0}) for _ in range(8_000)]
    assert drawn.count("a") / drawn.count("b") == pytest.approx(3, rel=0.1)
    assert "never" not in drawn
