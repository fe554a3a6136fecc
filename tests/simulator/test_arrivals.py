import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from simulator.arrivals import moments
from simulator.clock import HOUR_MS
from simulator.dice import Dice

LOADS = st.lists(st.sampled_from([0.0, 1.0, 7.0]), min_size=24, max_size=24)


@given(st.integers(0, 1 << 32), st.just(0.0) | st.floats(0.01, 300), LOADS, st.integers(1, 3))
def test_moments_ascend_and_keep_to_the_hours_that_have_any(
    seed: int, a_day: float, load: list[float], days: int
) -> None:
    found = list(moments(Dice(seed, "x"), a_day, load, days))
    assert all(early < late for early, late in pairwise(found))
    for at in found:
        assert 0 <= at < days * 24 * HOUR_MS
        assert load[at // HOUR_MS % 24] > 0


def test_as_many_come_as_expected() -> None:
    found = list(moments(Dice(2, "x"), 2000, (1,) * 12 + (3,) * 12, 5))
    assert abs(len(found) - 10_000) < 4 * math.sqrt(10_000)
    afternoon = sum(at // HOUR_MS % 24 >= 12 for at in found)
    assert abs(afternoon - 7_500) < 4 * math.sqrt(7_500)
