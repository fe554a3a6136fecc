"""What comes up at which minute."""

from hypothesis import given
from hypothesis import strategies as st

from streams.fold.expiry import Expiry, minute_of


def test_an_item_comes_up_at_its_minute_or_after_and_no_more() -> None:
    expiry = Expiry[str]()
    expiry.expect("a", 5)
    assert expiry.due(4) == []
    assert expiry.due(7) == ["a"]
    assert expiry.due(9) == []


def test_an_item_expected_twice_comes_up_at_either_minute() -> None:
    expiry = Expiry[str]()
    for minute in (8, 5):
        expiry.expect("a", minute)
    assert expiry.due(5) == ["a"]
    assert expiry.due(20) == ["a"]


def test_an_item_may_be_expected_again_while_others_come_up() -> None:
    expiry = Expiry[str]()
    for item in "ab":
        expiry.expect(item, 1)
    for item in expiry.due(1):
        expiry.expect(item, 1)
    assert expiry.due(1) == ["a", "b"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20))), st.integers(0, 20))
def test_exactly_those_come_up_whose_minute_has_come_the_earliest_first(
    expected: list[tuple[str, int]], now: int
) -> None:
    expiry = Expiry[str]()
    for item, minute in expected:
        expiry.expect(item, minute)
    in_order = sorted(expected, key=lambda pair: pair[1])
    assert expiry.due(now) == [item for item, minute in in_order if minute <= now]
    assert expiry.due(20) == [item for item, minute in in_order if minute > now]


def test_a_minute_holds_sixty_seconds_before_the_epoch_too() -> None:
    assert [minute_of(at) for at in (-1, 0, 59_999, 60_000)] == [-1, 0, 0, 1]
