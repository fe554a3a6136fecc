import pytest

from streams.blocks import LONGEST_REST_SECONDS, REST, rest_after


def test_storing_takes_a_fifth_of_the_time() -> None:
    assert rest_after(0.1) == pytest.approx(REST * 0.1)


def test_an_outage_is_not_rested_for() -> None:
    assert rest_after(70 * 60) == LONGEST_REST_SECONDS
