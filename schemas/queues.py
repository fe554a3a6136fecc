"""What is configured per queue: target, thresholds, hours, alerts.

The fold needs the thresholds, views the target and preset, alerts the rest. Pure; imports pydantic
and the time zone database.
"""

import difflib
import re
import zoneinfo
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Preset = Literal[
    "offered",
    "answered_abandoned",
    "short_abandons_removed",
    "abandons_in_target_removed",
    "answered_only",
    "all_exits",
    "asterisk_perf",
    "asterisk_perf2",
    "cisco_ignored",
    "cisco_negative",
    "cisco_positive",
]
"""Ids of the service-level presets; their formulas are in `sinks.kpis.service_level`."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

AlertKpi = Literal[
    "waiting",
    "longest_wait_now_seconds",
    "average_speed_of_answer_seconds",
    "abandonment_ratio",
    "service_level_ratio",
    "agents_available",
    "forecast_breach_probability",
]
LOW_IS_BAD: Final[frozenset[AlertKpi]] = frozenset({"service_level_ratio", "agents_available"})
"""KPIs that alert when they fall below a threshold; the others when they rise above it."""

MAX_THRESHOLD_SECONDS: Final = 2_592_000
MINUTES_A_DAY: Final = 1440


class Section(BaseModel):
    """Base of every part of the configuration: unknown keys are refused, nothing changes later.

    The text below a field is its documentation, from which the reference page is made.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


def _known_timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"a name of the IANA database, such as Europe/Berlin{hint}") from error
    return name


def opening_minutes(hours: str) -> tuple[int, int]:
    """`HH:MM-HH:MM` as minutes since midnight, half-open: [from, to). `24:00` ends a day.

    Raises:
        ValueError: it is not such a text, or does not end after it begins.
    """
    parts = re.fullmatch(
        r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)", hours
    )
    if parts is None:
        raise ValueError(f"{hours!r} is not HH:MM-HH:MM, such as 08:00-17:30")
    start = int(parts[1]) * 60 + int(parts[2])
    end = int(parts[3]) * 60 + int(parts[4]) if parts[3] else MINUTES_A_DAY
    if end <= start:
        raise ValueError(f"{hours!r} ends before it begins; give a night as two days' hours")
    return start, end


def _hours_apart(day: tuple[str, ...]) -> tuple[str, ...]:
    spans = sorted((opening_minutes(hours), hours) for hours in day)
    for (earlier, first), (later, second) in pairwise(spans):
        if later[0] < earlier[1]:
            raise ValueError(f"{first!r} and {second!r} overlap; join them")
    return tuple(hours for _, hours in spans)


Threshold = Annotated[float, Field(gt=0, le=MAX_THRESHOLD_SECONDS, allow_inf_nan=False)]
Timezone = Annotated[str, AfterValidator(_known_timezone)]
DayHours = Annotated[tuple[str, ...], AfterValidator(_hours_apart)]


class AlertThresholds(Section):
    """When a KPI of a queue is worth a warning, and when it is critical."""

    warning: float | None = Field(default=None, allow_inf_nan=False)
    """The value from which on people are warned; in the unit of the KPI."""
    critical: float | None = Field(default=None, allow_inf_nan=False)
    """The value from which on people are paged; in the unit of the KPI."""


class QueueSettings(Section):
    """One queue. What `[queues."NAME"]` leaves out is taken from `[queues.default]`."""

    target_seconds: Threshold = 20
    """The wait within which a contact should be answered: T of the service level."""
    target_ratio: float = Field(default=0.8, gt=0, le=1)
    """The share of contacts that should be answered within the target: 0.8 for 80 %."""
    short_abandon_seconds: float = Field(default=5, ge=0, le=MAX_THRESHOLD_SECONDS)
    """Who hangs up within this time counts as a short abandon: S of the service level."""
    thresholds_seconds: tuple[Threshold, ...] = Field(default=(), max_length=16)
    """More waits to count answers within, beside target and short abandon. Those of any other wait
    are still exact, but are computed from single contacts and take longer."""
    service_level_preset: Preset = "offered"
    """Which service level is shown where only one is: the id of a preset."""
    timezone: Timezone = "UTC"
    """Time zone of the queue's days, and of its business hours."""
    business_hours: dict[Weekday, DayHours] = Field(default_factory=dict)
    """Hours in which alerts may speak, by weekday: `monday = ["08:00-12:30", "13:00-24:00"]`.
    Without any the queue is always open; with some, a weekday that is not named is closed."""
    alerts: dict[AlertKpi, AlertThresholds] = Field(default_factory=dict)
    """Thresholds by KPI: `alerts.waiting = { warning = 5, critical = 10 }`."""

    @model_validator(mode="after")
    def _alerts_get_worse(self) -> "QueueSettings":
        for kpi, alert in self.alerts.items():
            if alert.warning is None or alert.critical is None or alert.warning == alert.critical:
                continue
            if (alert.critical < alert.warning) != (kpi in LOW_IS_BAD):
                side = "at or below" if kpi in LOW_IS_BAD else "at or above"
                raise ValueError(f"alerts.{kpi}: critical must be {side} warning")
        return self

    @property
    def target_ms(self) -> int:
        """The target in whole milliseconds, as rows hold durations."""
        return round(self.target_seconds * 1000)

    @property
    def short_abandon_ms(self) -> int:
        """The short-abandon limit in whole milliseconds."""
        return round(self.short_abandon_seconds * 1000)

    @property
    def within_ms(self) -> tuple[int, ...]:
        """Every wait up to which panes count, in whole milliseconds, ascending, each once."""
        extra = (round(seconds * 1000) for seconds in self.thresholds_seconds)
        return tuple(sorted({self.target_ms, self.short_abandon_ms, *extra}))
