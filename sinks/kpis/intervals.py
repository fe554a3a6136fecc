"""Spans and intervals of a question on KPIs: read, checked, and as the views take them. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sinks.kpis.buckets import DAY_SECONDS, WHOLE_SECONDS
from sinks.kpis.views import PANE_SECONDS

EVER_FROM: Final = datetime(1970, 1, 1, tzinfo=UTC)
EVER_TO: Final = datetime(2200, 1, 1, tzinfo=UTC)

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


class KpiQueryError(ValueError):
    """A question that the KPI views cannot answer; the message says what can be asked."""


def interval_of(text: str) -> int:
    """Seconds of an interval as people write it: 10s … 30m, 1h, 1d, all (0).

    Raises `KpiQueryError` when intervals of that length cannot be aligned.
    """
    if text == "all":
        return WHOLE_SECONDS
    if text == "1d":
        return DAY_SECONDS
    number, unit = text[:-1], text[-1:]
    seconds = int(number) * _UNITS[unit] if number.isdecimal() and unit in _UNITS else 0
    if seconds < PANE_SECONDS or seconds % PANE_SECONDS or 3600 % seconds:
        raise KpiQueryError(
            f"interval {text!r}: use a whole part of an hour in steps of 10 seconds"
            " (10s, 30s, 1m, 5m, 15m, 30m, 1h), a day of the queue's timezone (1d), or all"
        )
    return seconds


def time_parameters(from_: datetime | None, to: datetime | None, interval: str) -> dict[str, Any]:
    """The views' parameters for a span and its intervals. Raises `KpiQueryError`."""
    for name, at in (("from", from_), ("to", to)):
        if at is not None and at.tzinfo is None:
            raise KpiQueryError(f"{name} {at.isoformat()}: say the timezone, as in …+00:00")
    if from_ is not None and to is not None and from_ >= to:
        raise KpiQueryError(f"from {from_.isoformat()} is not before to {to.isoformat()}")
    return {
        "from_at": instant_literal(from_ or EVER_FROM),
        "to_at": instant_literal(to or EVER_TO),
        "interval_seconds": interval_of(interval),
    }


def instant_literal(at: datetime) -> str:
    """An instant as the views take it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def on_panes(*bounds: datetime | None) -> bool:
    """Whether no bound lies within a pane."""
    pane = timedelta(seconds=PANE_SECONDS)
    return all(at is None or (at - EVER_FROM) % pane == timedelta(0) for at in bounds)


def bounds_of(
    row: dict[str, Any], from_: datetime | None, to: datetime | None, interval: str
) -> tuple[datetime | None, datetime | None]:
    """Begin and end of the interval that a view's row is of."""
    if interval == "all":
        return from_, to
    return row["interval_start"], row["interval_end"]


def known_timezone(zone: str) -> str:
    """The same. Raises `KpiQueryError` where it is no timezone's name."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise KpiQueryError(f"timezone {zone!r} is not known: use a name like UTC") from error
    return zone
