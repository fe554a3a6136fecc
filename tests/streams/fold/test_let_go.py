"""What is known of contacts that an earlier log let go."""

from streams.fold.let_go import LetGo, clock_of, furthest, still_ahead, subject_key

FIRST = LetGo({"pbx": 100, "crm": 50}, {subject_key("acme", "a"), subject_key("acme", "b")})
SECOND = LetGo({"pbx": 200}, {subject_key("acme", "b")})


def test_the_clock_of_a_contact_is_that_of_whoever_let_it_go_last() -> None:
    assert clock_of([FIRST, SECOND], "acme", "a", "pbx", -1) == 100
    assert clock_of([FIRST, SECOND], "acme", "b", "pbx", -1) == 200
    assert clock_of([FIRST, SECOND], "acme", "b", "crm", -1) == 50


def test_nothing_is_known_of_others() -> None:
    assert clock_of([FIRST], "acme", "c", "pbx", -1) == -1
    assert clock_of([FIRST], "other", "a", "pbx", -1) == -1
    assert clock_of([FIRST], "acme", "a", "chat", -1) == -1


def test_the_furthest_clock_of_a_source_is_its_own_or_an_earlier_logs() -> None:
    assert furthest([FIRST, SECOND], "pbx", 150) == 200
    assert furthest([FIRST, SECOND], "pbx", 250) == 250
    assert furthest([FIRST, SECOND], "chat", 1) == 1


def test_what_all_clocks_have_passed_is_dropped() -> None:
    assert still_ahead([FIRST, SECOND], {"pbx": 150, "crm": 49}) == [FIRST, SECOND]
    assert still_ahead([FIRST, SECOND], {"pbx": 150, "crm": 50}) == [SECOND]
    assert still_ahead([FIRST, SECOND], {"pbx": 200, "crm": 50}) == []
