"""KPI values, durations and instants as people read and write them. Pure."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import typer

from sinks.kpis.definition import Unit

NOTHING: Final = "-"
"""Where there is nothing to divide by, or a value is not known: never 0, never 100 %."""

_TENTHS_BELOW_SECONDS: Final = 100


def shown(value: float | None, unit: Unit) -> str:
    """A value in its unit, short: `68.9 %`, `38.7 s`, `4 min 23 s`, `108`."""
    if value is None:
        return NOTHING
    match unit:
        case "ratio":
            return f"{value:.1%}".replace("%", " %")
        case "seconds":
            return duration(value)
        case "rings per contact" | "points" | "contacts per hour" | "chats":
            return f"{value:.2f}"
        case _:
            return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """`38.7 s`, `4 min 23 s`, `2 h 05 min`; tenths only where they matter."""
    if seconds < _TENTHS_BELOW_SECONDS:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def clock(seconds: float) -> str:
    """`0:07`, `4:37`, `1:02:05`: for columns of durations that are read against each other."""
    minutes, rest = divmod(round(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f"-{text}" if seconds < 0 else text


def local(at: datetime, zone: str, *, seconds: bool = False) -> str:
    """An instant on the wall of `zone`, without naming it."""
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M" + (":%S" if seconds else ""))


def iso(at: datetime) -> str:
    """An instant for machines: RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant(text: str | None, zone: str, option: str) -> datetime | None:
    """An ISO 8601 time or date; one without an offset is on the wall of `zone`. None stays None.

    Raises:
        typer.BadParameter: it is no such time.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a time: write 2026-01-31, 2026-01-31T09:30 or 2026-01-31T09:30:00Z",
            param_hint=option,
        ) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))
