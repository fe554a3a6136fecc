"""Speeds are compared over the same part of a log."""

from tests.faults.speeds import speed

SEEN = [(0.0, 0), (1.0, 100), (2.0, 300), (4.0, 320), (8.0, 400)]


def test_a_speed_begins_where_so_many_were_stored() -> None:
    assert speed(SEEN, 0) == 50.0
    assert speed(SEEN, 101) == speed(SEEN, 300) == 100 / 6
    assert speed(SEEN, 400) == 0.0  # nothing came after


def test_what_was_never_watched_has_no_speed() -> None:
    assert speed([], 10) == 0.0
    assert speed(SEEN, 401) == 0.0
