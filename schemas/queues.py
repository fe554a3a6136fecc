"""What is configured per queue: target, thresholds, hours, alerts.

The fold needs the thresholds, views the target and preset, alerts the rest. Pure; imports pydantic
and the time zone database.
"""

import difflib
import re
import zoneinfo
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Final, Literal, NamedTuple, get_args

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
Severity = Literal["warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("warning", "critical")
LOW_IS_BAD: Final[frozenset[AlertKpi]] = frozenset({"service_level_ratio", "agents_available"})
"""KPIs that alert when they fall below a threshold; the others when they rise above it."""

AlertName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""Of an alert of one's own: it becomes the `kpi` of its breaches."""

MAX_THRESHOLD_SECONDS: Final = 2_592_000
MINUTES_A_DAY: Final = 1440


class Condition(NamedTuple):
    """One comparison of a compound alert."""

    kpi: AlertKpi
    comparison: str
    """`>=`, `>`, `<=` or `<`."""
    value: float

    def holds(self, found: float) -> bool:
        """Whether a value fulfils it."""
        match self.comparison:
            case ">=":
                return found >= self.value
            case ">":
                return found > self.value
            case "<=":
                return found <= self.value
            case _:
                return found < self.value


def conditions_of(text: str) -> tuple[Condition, ...]:
    """The comparisons in `waiting >= 10 and longest_wait_now_seconds >= 120`.

    Raises:
        ValueError: it is not such a text. Says which part.
    """
    kpis: Mapping[str, AlertKpi] = {kpi: kpi for kpi in get_args(AlertKpi)}
    found = []
    for part in re.split(r"\s+and\s+", text.strip()):
        parts = re.fullmatch(r"(\w+)\s*(>=|>|<=|<)\s*(-?[0-9]+(?:\.[0-9]+)?)", part)
        if parts is None:
            raise ValueError(f"{part!r} is not KPI >= NUMBER, such as waiting >= 10")
        if parts[1] not in kpis:
            near = difflib.get_close_matches(parts[1], kpis, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kpis)}"
            raise ValueError(f"no KPI is called {parts[1]!r}; {hint}")
        found.append(Condition(kpis[parts[1]], parts[2], float(parts[3])))
    if len(found) > MOST_CONDITIONS:
        raise ValueError(f"at most {MOST_CONDITIONS} comparisons")
    return tuple(found)


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


AlertWindow = Literal["1m", "5m", "15m", "30m", "1h", "day"]
WINDOWED: Final[frozenset[AlertKpi]] = frozenset(
    {"average_speed_of_answer_seconds", "abandonment_ratio", "service_level_ratio"}
)
"""KPIs that are of a rolling window; the others are of this moment."""
MOST_CONDITIONS: Final = 8


class AlertThresholds(Section):
    """When a KPI of a queue is worth a warning, when it is critical, and when it is over."""

    warning: float | None = Field(default=None, allow_inf_nan=False)
    """The value from which on people are warned; in the unit of the KPI."""
    critical: float | None = Field(default=None, allow_inf_nan=False)
    """The value from which on people are paged; in the unit of the KPI."""
    warning_closes: float | None = Field(default=None, allow_inf_nan=False)
    """The value at which a warning is over; without it, where it no longer reaches `warning`. Put
    it on the better side, so that a value that goes to and fro warns once."""
    critical_closes: float | None = Field(default=None, allow_inf_nan=False)
    """The value at which it is no longer critical; without it, where it does not reach
    `critical`."""
    for_seconds: float = Field(default=0, ge=0, le=86_400)
    """How long the value must stand there before anybody is told."""
    minimum_contacts: int = Field(default=5, ge=0)
    """Contacts offered in the window below which a KPI of a window is not judged."""
    window: AlertWindow = "15m"
    """The rolling window of a KPI that has one."""

    def opens_at(self, severity: Severity) -> float | None:
        """The value that is worth `severity`; None where none is."""
        return self.warning if severity == "warning" else self.critical

    def closes_at(self, severity: Severity) -> float | None:
        """The value at which `severity` is over, where it has one of its own."""
        closes = self.warning_closes if severity == "warning" else self.critical_closes
        return self.opens_at(severity) if closes is None else closes


def _readable_condition(text: str) -> str:
    conditions_of(text)
    return text


class CompoundAlert(Section):
    """An alert on several KPIs at once."""

    when: Annotated[str, AfterValidator(_readable_condition)]
    """Comparisons that must all hold: `waiting >= 10 and longest_wait_now_seconds >= 120`."""
    severity: Severity = "critical"
    """What it is worth."""
    for_seconds: float = Field(default=0, ge=0, le=86_400)
    """How long they must hold before anybody is told."""
    closes_after_seconds: float = Field(default=60, ge=0, le=86_400)
    """How long they must not hold before it is over."""
    minimum_contacts: int = Field(default=5, ge=0)
    """Contacts offered in the window below which KPIs of a window are not judged."""
    window: AlertWindow = "15m"
    """The rolling window of the KPIs that have one."""


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
    """Hours in which alerts may speak, and in which the resolution of contacts is measured beside
    the calendar's, by weekday: `monday = ["08:00-12:30", "13:00-24:00"]`.
    Without any the queue is always open; with some, a weekday that is not named is closed."""
    alerts: dict[AlertKpi, AlertThresholds] = Field(default_factory=dict)
    """Thresholds by KPI: `alerts.waiting = { warning = 5, critical = 10, warning_closes = 3 }`."""
    compound_alerts: dict[AlertName, CompoundAlert] = Field(default_factory=dict, max_length=32)
    """Alerts on several KPIs at once, by a name of yours: `compound_alerts.crowd = { when =
    "waiting >= 10 and longest_wait_now_seconds >= 120" }`."""

    @model_validator(mode="after")
    def _alerts_get_worse(self) -> "QueueSettings":
        for kpi, alert in self.alerts.items():
            for severity in SEVERITIES:
                opens, closes = alert.opens_at(severity), alert.closes_at(severity)
                if opens is None or closes is None:
                    if closes is not None:
                        raise ValueError(
                            f"alerts.{kpi}: {severity}_closes without {severity} closes nothing"
                        )
                elif closes != opens and (closes > opens) != (kpi in LOW_IS_BAD):
                    side = "at or above" if kpi in LOW_IS_BAD else "at or below"
                    raise ValueError(f"alerts.{kpi}: {severity}_closes must be {side} {severity}")
            if alert.warning is None or alert.critical is None or alert.warning == alert.critical:
                continue
            if (alert.critical < alert.warning) != (kpi in LOW_IS_BAD):
                side = "at or below" if kpi in LOW_IS_BAD else "at or above"
                raise ValueError(f"alerts.{kpi}: critical must be {side} warning")
        return self

    @property
    def has_alerts(self) -> bool:
        """Whether anything is judged."""
        return bool(self.alerts or self.compound_alerts)

    @property
    def target_ms(self) -> int:
        """The target in whole milliseconds, as rows hold durations."""
        return round(self.target_seconds * 1000)

    @property
    def short_abandon_ms(self) -> int:
        """The short-abandon limit in whole milliseconds."""
        return round(self.short_abandon_seconds * 1000)

    @property
    def business_minutes(self) -> list[int]:
        """The hours as minutes of the week, from Monday 00:00 on: from, to, from, to, ascending."""
        return [
            get_args(Weekday).index(day) * MINUTES_A_DAY + minute
            for day in sorted(self.business_hours, key=get_args(Weekday).index)
            for hours in self.business_hours[day]
            for minute in opening_minutes(hours)
        ]

    @property
    def within_ms(self) -> tuple[int, ...]:
        """Every wait up to which panes count, in whole milliseconds, ascending, each once."""
        extra = (round(seconds * 1000) for seconds in self.thresholds_seconds)
        return tuple(sorted({self.target_ms, self.short_abandon_ms, *extra}))
