"""What the worker says of itself, on a clock that the test moves."""

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.health import REMIND_SECONDS, Health

A, B = TP("events.call", 0), TP("events.call", 1)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def seen(
    health: Health,
    clock: Clock,
    seconds: int,
    position: int,
    fetched: tuple[int, int],
    *,
    excused: bool = False,
) -> list[TP]:
    """Observe each second; which partitions were to be read again."""
    nudged = []
    for _ in range(seconds):
        clock.seconds += 1
        nudged += health.observe({A: position}, {A: fetched}, excused=excused)
    return nudged


def test_a_part_that_fails_is_named_with_its_words_until_it_answers() -> None:
    clock = Clock()
    health = Health(60, clock)
    assert health.waiting() == ""
    assert health.waits("ClickHouse", ValueError("refused"))
    clock.seconds += 7
    assert not health.waits("ClickHouse", ValueError("still refused"))
    assert health.waiting() == "waiting for ClickHouse for 7 s: still refused"
    assert health.waiting(longer_than=8) == ""
    clock.seconds += REMIND_SECONDS
    assert health.waits("ClickHouse", ValueError("still refused"))
    health.answered("ClickHouse")
    assert health.waiting() == ""


def test_a_partition_that_stands_still_is_read_again_and_then_stalled() -> None:
    clock = Clock()
    health = Health(60, clock)
    assert seen(health, clock, 30, position=5, fetched=(5, 9)) == []
    assert seen(health, clock, 10, position=5, fetched=(5, 9)) == [A]
    assert health.stalled() == ""
    assert seen(health, clock, 30, position=5, fetched=(5, 9)) == []
    assert "events.call[0] has stood still at offset 5" in health.stalled()
    seen(health, clock, 1, position=6, fetched=(9, 9))
    assert health.stalled() == ""


def test_a_log_that_grows_while_all_is_fetched_and_nothing_comes_is_a_stall() -> None:
    clock = Clock()
    health = Health(60, clock)
    seen(health, clock, 61, position=5, fetched=(9, 9))
    assert health.stalled() == ""
    seen(health, clock, 1, position=5, fetched=(10, 10))
    assert health.stalled()


def test_markers_at_the_end_of_a_log_are_no_stall() -> None:
    clock = Clock()
    health = Health(60, clock)
    assert seen(health, clock, 600, position=5, fetched=(6, 6)) == [A]
    assert health.stalled() == ""


def test_a_partition_that_was_quiet_for_long_is_not_stalled_by_its_first_record() -> None:
    clock = Clock()
    health = Health(60, clock)
    seen(health, clock, 600, position=5, fetched=(5, 5))
    assert health.quiet() == [A]
    assert seen(health, clock, 1, position=5, fetched=(5, 6)) == []
    assert health.stalled() == ""


def test_waiting_for_the_store_is_no_stall() -> None:
    clock = Clock()
    health = Health(60, clock)
    assert seen(health, clock, 600, position=5, fetched=(5, 9), excused=True) == []
    seen(health, clock, 59, position=5, fetched=(5, 9))
    assert health.stalled() == ""


def test_a_partition_that_was_given_up_is_forgotten() -> None:
    clock = Clock()
    health = Health(60, clock)
    seen(health, clock, 100, position=5, fetched=(5, 9))
    assert health.stalled()
    health.observe({B: 0}, {}, excused=False)
    assert health.stalled() == ""
    assert health.quiet() == []


@given(st.lists(st.integers(1, 3), min_size=1, max_size=200))
def test_a_partition_that_moves_is_never_stalled(steps: list[int]) -> None:
    clock = Clock()
    health = Health(10, clock)
    position = 0
    for step in steps:
        clock.seconds += 4
        position += step
        assert health.observe({A: position}, {A: (position, 10_000)}, excused=False) == []
        assert health.stalled() == ""
