"""What comes up at which minute."""

from hypothesis import given
from hypothesis import strategies as st

from streams.fold.expiry import Expiry, minute_of


def test_an_item_comes_up_once_at_its_minute_or_after() -> None:
    expiry = Expiry[str]()
    expiry.expect("pbx", "a", 5)
    assert list(expiry.due("pbx", 4)) == []
    assert list(expiry.due("pbx", 7)) == ["a"]
    assert list(expiry.due("pbx", 9)) == []


def test_an_item_expected_twice_comes_up_at_the_earlier_minute() -> None:
    expiry = Expiry[str]()
    for minute in (8, 5, 9):
        expiry.expect("pbx", "a", minute)
    assert list(expiry.due("pbx", 5)) == ["a"]
    assert list(expiry.due("pbx", 20)) == []


def test_clocks_do_not_know_each_other() -> None:
    expiry = Expiry[str]()
    expiry.expect("pbx", "a", 5)
    assert list(expiry.due("crm", 9)) == []


def test_an_item_may_be_expected_again_while_others_come_up() -> None:
    expiry = Expiry[str]()
    for item in "ab":
        expiry.expect("", item, 1)
    seen = []
    for item in expiry.due("", 1):
        seen.append(item)
        expiry.expect("", item, 2)
    assert sorted(seen) == ["a", "b"]
    assert sorted(expiry.due("", 2)) == ["a", "b"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20))), st.integers(0, 20))
def test_exactly_those_come_up_whose_earliest_minute_has_come(
    expected: list[tuple[str, int]], now: int
) -> None:
    expiry = Expiry[str]()
    for item, minute in expected:
        expiry.expect("", item, minute)
    earliest = {item: min(m for i, m in expected if i == item) for item, _ in expected}
    assert sorted(expiry.due("", now)) == sorted(i for i, m in earliest.items() if m <= now)


def test_a_minute_holds_sixty_seconds_before_the_epoch_too() -> None:
    assert [minute_of(at) for at in (-1, 0, 59_999, 60_000)] == [-1, 0, 0, 1]
