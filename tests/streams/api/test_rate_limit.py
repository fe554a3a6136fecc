import math

from hypothesis import given
from hypothesis import strategies as st

from streams.api.rate_limit import RateLimit


class Clock:
    """A clock that is set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_as_often_as_it_fills() -> None:
    clock = Clock()
    limit = RateLimit(2, 3, clock)
    assert [limit.wait_seconds("a") for _ in range(3)] == [0, 0, 0]
    assert math.isclose(limit.wait_seconds("a"), 0.5)
    clock.now += 0.5
    assert limit.wait_seconds("a") == 0
    assert limit.wait_seconds("a") > 0


def test_refused_requests_cost_nothing() -> None:
    clock = Clock()
    limit = RateLimit(1, 1, clock)
    assert limit.wait_seconds("a") == 0
    waits = [limit.wait_seconds("a") for _ in range(5)]
    assert all(math.isclose(wait, 1) for wait in waits)
    clock.now += waits[-1]
    assert limit.wait_seconds("a") == 0


def test_holders_do_not_share() -> None:
    limit = RateLimit(1, 1, Clock())
    assert [limit.wait_seconds(holder) for holder in "ab"] == [0, 0]
    assert limit.wait_seconds("a") > 0


@given(
    per_second=st.floats(0.1, 1_000),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 10), max_size=60),
)
def test_in_no_time_more_is_allowed_than_a_burst_and_what_filled_since(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    clock = Clock()
    limit = RateLimit(per_second, burst, clock)
    allowed: list[float] = []
    for pause in pauses:
        clock.now += pause
        wait = limit.wait_seconds("a")
        if wait == 0:
            allowed.append(clock.now)
        else:
            assert wait <= 1 / per_second + 1e-6
    for first, since in enumerate(allowed):
        for last, until in enumerate(allowed[first:], start=1):
            assert last <= burst + (until - since) * per_second + 1e-4
