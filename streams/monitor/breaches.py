"""Breaches of thresholds, from opened to closed. Pure.

A breach opens once a value has stood at a threshold for the alert's duration, worsens once it has
stood at `critical` for as long, and is closed where the value passes the closing value of the
lowest threshold. It is judged at ticks, by values of that very instant; what was not current is not
judged, and changes nothing but that a duration begins anew.

The id of a breach follows from what it is and when it opened. Ticks lie in the log, so reading it
again finds the same breaches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import xxhash

from schemas.queues import (
    LOW_IS_BAD,
    WINDOWED,
    AlertThresholds,
    CompoundAlert,
    QueueSettings,
    Severity,
    conditions_of,
)
from streams.monitor.live import Live

NO_DATA_MS: Final = 300_000
"""After so long without a value, or enough traffic for one, a breach is closed."""
OF_WAITING: Final = frozenset({"waiting", "longest_wait_now_seconds"})
_LEVELS: Final[tuple[Severity, ...]] = ("warning", "critical")

Change = Literal["opened", "worsened", "closed"]


@dataclass(slots=True)
class Breach:
    """A breach, as it is now. Instants in milliseconds."""

    breach_id: str
    kpi: str
    window: str
    severity: Severity
    opened_at: int
    value: float
    worst_value: float
    threshold: float
    interactions: tuple[str, ...]
    worsened_at: int | None = None
    closed_at: int | None = None
    closed_because: str = ""

    def row(self, tenant: str, queue: str, version: int) -> tuple[Any, ...]:
        """The row of `QueueBreachRow`."""
        return (
            *(tenant, queue, self.opened_at, self.breach_id, self.kpi, self.severity, self.window),
            *(self.worsened_at, self.closed_at, self.closed_because, self.value, self.worst_value),
            *(self.threshold, list(self.interactions), version),
        )


@dataclass(slots=True)
class Watch:
    """What is remembered of one alert of a queue between ticks.

    `since` is, by severity, the instant from which on the value has stood at its threshold;
    `unknown_since` that from which on there was none; `over_since` that from which on a compound
    condition does not hold.
    """

    since: dict[str, int]
    breach: Breach | None = None
    unknown_since: int | None = None
    over_since: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to remember."""
        return not self.since and self.breach is None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a value stands to an alert.

    `reached` are the severities whose threshold it is at, each with the threshold; `closes` is the
    value at which a breach closes, where the value is past it.
    """

    value: float
    reached: dict[Severity, float]
    closes: float | None


def judge(watches: dict[str, Watch], live: Live, *, judging: bool) -> list[tuple[Change, Breach]]:
    """Bring the watches of a queue (by alert) to the instant of `live`; what changed.

    `judging` is False where values are not current: then nothing opens or closes.
    """
    changes: list[tuple[Change, Breach]] = []
    settings = live.settings
    names = [*settings.alerts, *settings.compound_alerts]
    for name in [*names, *(watches.keys() - set(names))]:
        watch = watches.setdefault(name, Watch({}))
        if not judging:
            watch.since.clear()
            watch.unknown_since = watch.over_since = None
        elif name not in names:
            _close(changes, watch, live, "not_configured")
        elif not live.in_business_hours:
            watch.since.clear()
            _close(changes, watch, live, "closed_hours")
        else:
            _judge_one(changes, watch, name, settings, live)
        if watch.is_idle:
            del watches[name]
    return changes


def _judge_one(
    changes: list[tuple[Change, Breach]],
    watch: Watch,
    name: str,
    settings: QueueSettings,
    live: Live,
) -> None:
    alert: AlertThresholds | CompoundAlert | None = settings.compound_alerts.get(name)
    if isinstance(alert, CompoundAlert):
        verdict = _of_compound(alert, live, watch)
    else:
        alert = next(a for kpi, a in settings.alerts.items() if kpi == name)
        verdict = _of_thresholds(name, alert, live)
    if verdict is None:
        watch.since.clear()
        watch.unknown_since = live.at if watch.unknown_since is None else watch.unknown_since
        if live.at - watch.unknown_since >= NO_DATA_MS:
            _close(changes, watch, live, "no_data")
        return
    watch.unknown_since = None
    for severity in _LEVELS:
        if severity in verdict.reached:
            watch.since.setdefault(severity, live.at)
        else:
            watch.since.pop(severity, None)
    duration = round(alert.for_seconds * 1000)
    due = [s for s in _LEVELS if s in watch.since and live.at - watch.since[s] >= duration]
    breach = watch.breach
    if breach is not None:
        breach.worst_value = _worse(name, breach.worst_value, verdict.value)
    if due and breach is None:
        worst = due[-1]
        breach = watch.breach = Breach(
            breach_id=_id(live, name, worst),
            kpi=name,
            window=_window(name, alert),
            severity=worst,
            opened_at=live.at,
            value=verdict.value,
            worst_value=verdict.value,
            threshold=verdict.reached[worst],
            interactions=_caused_by(name, alert, live),
        )
        changes.append(("opened", breach))
    elif due and breach is not None and (due[-1], breach.severity) == ("critical", "warning"):
        breach.severity = "critical"
        breach.worsened_at = live.at
        breach.value = verdict.value
        breach.threshold = verdict.reached["critical"]
        breach.interactions = _caused_by(name, alert, live)
        changes.append(("worsened", breach))
    elif breach is not None and verdict.closes is not None:
        breach.value, breach.threshold = verdict.value, verdict.closes
        _close(changes, watch, live, "recovered")


def _close(changes: list[tuple[Change, Breach]], watch: Watch, live: Live, because: str) -> None:
    breach = watch.breach
    watch.since.clear()
    if breach is not None:
        breach.closed_at = live.at
        breach.closed_because = because
        watch.breach = None
        changes.append(("closed", breach))


def _of_thresholds(kpi: str, alert: AlertThresholds, live: Live) -> Verdict | None:
    value = live.judged(kpi, alert)
    if value is None:
        return None
    low = kpi in LOW_IS_BAD
    reached: dict[Severity, float] = {}
    closing: float | None = None
    over = False
    for severity in reversed(_LEVELS):
        opens, closes = alert.opens_at(severity), alert.closes_at(severity)
        if opens is None or closes is None:
            continue
        if value <= opens if low else value >= opens:
            reached[severity] = opens
        # What closes the lowest that is set closes all.
        closing, over = closes, _is_over(value, opens, closes, low)
    return Verdict(value, reached, closing if over else None)


def _is_over(value: float, opens: float, closes: float, low: bool) -> bool:
    if closes == opens:
        return value > opens if low else value < opens
    return value >= closes if low else value <= closes


def _of_compound(alert: CompoundAlert, live: Live, watch: Watch) -> Verdict | None:
    conditions = conditions_of(alert.when)
    values = [live.judged(c.kpi, alert) for c in conditions]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    if all(c.holds(value) for c, value in zip(conditions, known, strict=True)):
        watch.over_since = None
        return Verdict(known[0], {alert.severity: conditions[0].value}, None)
    watch.over_since = live.at if watch.over_since is None else watch.over_since
    over = live.at - watch.over_since >= alert.closes_after_seconds * 1000
    return Verdict(known[0], {}, conditions[0].value if over else None)


def _window(name: str, alert: AlertThresholds | CompoundAlert) -> str:
    if isinstance(alert, CompoundAlert):
        return alert.window if any(c.kpi in WINDOWED for c in conditions_of(alert.when)) else ""
    return alert.window if name in WINDOWED else ""


def _caused_by(name: str, alert: AlertThresholds | CompoundAlert, live: Live) -> tuple[str, ...]:
    kpi = conditions_of(alert.when)[0].kpi if isinstance(alert, CompoundAlert) else name
    return live.caused_by(kpi, alert.window)


def _worse(kpi: str, one: float, other: float) -> float:
    return min(one, other) if kpi in LOW_IS_BAD else max(one, other)


def _id(live: Live, kpi: str, severity: str) -> str:
    parts: Sequence[str] = (live.tenant, live.queue, kpi, severity, str(live.at))
    return xxhash.xxh3_128_hexdigest("\x00".join(parts))
