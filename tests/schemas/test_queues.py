"""Queue settings: thresholds as the fold counts them, hours as a week has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.queues import QueueSettings, opening_minutes

SECONDS = st.floats(0.001, 2_592_000)


@given(SECONDS, SECONDS, st.lists(SECONDS, max_size=16))
def test_every_threshold_is_counted_once_in_order(
    target: float, short: float, extra: list[float]
) -> None:
    queue = QueueSettings(
        target_seconds=target, short_abandon_seconds=short, thresholds_seconds=tuple(extra)
    )
    assert {queue.target_ms, queue.short_abandon_ms} <= set(queue.within_ms)
    assert list(queue.within_ms) == sorted(set(queue.within_ms))
    assert {round(seconds * 1000) for seconds in (target, short, *extra)} == set(queue.within_ms)


@given(st.integers(0, 1439), st.integers(1, 1440))
def test_hours_are_read_as_minutes(start: int, end: int) -> None:
    text = "-".join(f"{m // 60:02}:{m % 60:02}" for m in (start, end))
    if start < end:
        assert opening_minutes(text) == (start, end)
    else:
        with pytest.raises(ValueError, match="ends before it begins"):
            opening_minutes(text)


@pytest.mark.parametrize(
    "text", ["", "9:00-17:00", "09:00", "24:00-24:00", "09:60-10:00", "٠٩:00-10:00"]
)
def test_other_texts_are_no_hours(text: str) -> None:
    with pytest.raises(ValueError, match="is not HH:MM-HH:MM"):
        opening_minutes(text)


def test_a_days_hours_are_sorted() -> None:
    queue = QueueSettings(business_hours={"monday": ("13:00-24:00", "08:00-13:00")})
    assert queue.business_hours["monday"] == ("08:00-13:00", "13:00-24:00")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        QueueSettings().target_seconds = 5  # type: ignore[misc]
