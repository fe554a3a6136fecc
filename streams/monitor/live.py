"""What a queue's state says at one instant: live values, windows, and KPIs of alerts. Pure."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from schemas.live import AGENT_STATES, HORIZONS, MOST_CAUSES, QUANTILES, WINDOWS
from schemas.queues import WINDOWED, AlertThresholds, CompoundAlert, QueueSettings, conditions_of
from streams.monitor.queue import OUTCOMES, Queue
from streams.monitor.rules import MonitorRules, ServiceLevel, is_open
from streams.monitor.vectors import ENDED, HANDLE, ratio
from streams.monitor.windows import WindowValues

AT_WORK: Final = ("available", "on_contact", "wrapup")
HANDLE_WINDOW: Final = "1h"
"""The window whose handle times the expected wait is made of."""


class Live(NamedTuple):
    """A queue at `at` (milliseconds). Fields as in `schemas.live.QueueLiveRow`.

    `causes` names who missed, by the KPI of a rolling window that an alert judges, and the window.
    """

    tenant: str
    queue: str
    at: int
    current: bool
    waiting: int
    longest_waiting: tuple[str, ...]
    oldest_enqueued_at: int | None
    active: int
    presumed_lost: int
    agents: Mapping[str, int] | None
    windows: Mapping[str, WindowValues]
    estimated_wait_ms: int | None
    totals: Mapping[str, int]
    settings: QueueSettings
    in_business_hours: bool
    forecast: Mapping[str, float | None]
    agents_needed: int | None
    brier: Mapping[str, float]
    causes: Mapping[tuple[str, str], tuple[str, ...]]

    def kpi(self, kpi: str, window: str) -> float | None:
        """The value that an alert on `kpi` judges; None where it is not known."""
        of_window = self.windows[window]
        match kpi:
            case "waiting":
                return float(self.waiting)
            case "longest_wait_now_seconds":
                oldest = self.oldest_enqueued_at
                return 0.0 if oldest is None else max(0, self.at - oldest) / 1000
            case "average_speed_of_answer_seconds":
                wait_ms = of_window.speed_of_answer_ms
                return None if wait_ms is None else wait_ms / 1000
            case "abandonment_ratio":
                return of_window.abandonment
            case "service_level_ratio":
                return of_window.service_level
            case "agents_available":
                return None if self.agents is None else float(self.agents.get("available", 0))
            case "forecast_breach_probability":
                known = [p for p in self.forecast.values() if p is not None]
                return max(known, default=None)
            case _:
                raise ValueError(f"no KPI is called {kpi!r}")

    def judged(self, kpi: str, alert: AlertThresholds | CompoundAlert) -> float | None:
        """The value of a KPI that an alert judges, in its window; None with too little traffic."""
        if kpi in WINDOWED and self.windows[alert.window].offered < alert.minimum_contacts:
            return None
        return self.kpi(kpi, alert.window)

    def caused_by(self, kpi: str, window: str) -> tuple[str, ...]:
        """The interactions that an alert on a KPI names: who missed, else who waits longest."""
        return (self.causes.get((kpi, window)) or self.longest_waiting)[:MOST_CAUSES]

    def row(self, version: int) -> tuple[Any, ...]:
        """The row of `QueueLiveRow`."""
        windows = [self.windows[name] for name in WINDOWS]
        agents: tuple[int | None, ...] = (None,) * len(AGENT_STATES)
        if self.agents is not None:
            agents = tuple(self.agents.get(state, 0) for state in AGENT_STATES)
        return (
            *(self.tenant, self.queue, self.at, int(self.current), self.waiting),
            *(self.oldest_enqueued_at, self.active, self.presumed_lost, *agents),
            *(self.settings.target_ms, self.settings.target_ratio),
            self.settings.service_level_preset,
            list(WINDOWS),
            [w.offered for w in windows],
            [w.answered for w in windows],
            [w.abandoned for w in windows],
            [w.flowed_out for w in windows],
            [w.answered_in_target for w in windows],
            [w.service_level for w in windows],
            [w.abandonment for w in windows],
            [w.speed_of_answer_ms for w in windows],
            *([w.waits_ms[at] for w in windows] for at in range(len(QUANTILES))),
            self.estimated_wait_ms,
            *(self.forecast.get(name) for name in HORIZONS),
            self.agents_needed,
            version,
        )


def live(
    queue: Queue,
    rules: MonitorRules,
    *,
    current: bool,
    forecast: Mapping[str, float | None] | None = None,
    agents_needed: int | None = None,
    brier: Mapping[str, float] | None = None,
) -> Live:
    """What is known of a queue at its present instant."""
    settings = rules.queue(queue.name[1])
    standing = queue.standing()
    waiting = standing.waiting
    agents = queue.agents_by_state()
    service_level = rules.service_level(queue.name[1])
    past = bisect_left(waiting, (queue.now - settings.target_ms,))
    past_target = [entered // 1000 for entered, _ in waiting[:past]]
    windows = {
        window.name: window.values(service_level, past - bisect_left(past_target, window.begin))
        for window in queue.windows
    }
    return Live(
        tenant=queue.name[0],
        queue=queue.name[1],
        at=queue.now,
        current=current,
        waiting=len(waiting),
        longest_waiting=tuple(contact for _, contact in waiting[:20]),
        oldest_enqueued_at=waiting[0][0] if waiting else None,
        active=standing.serving,
        presumed_lost=standing.lost,
        agents=agents,
        windows=windows,
        estimated_wait_ms=_estimated_wait_ms(queue, len(waiting), agents),
        totals=dict(zip(OUTCOMES, queue.shown, strict=True)),
        settings=settings,
        in_business_hours=is_open(queue.now, settings),
        forecast=forecast or {},
        agents_needed=agents_needed,
        brier=brier or {},
        causes=_causes(queue, settings, service_level, waiting),
    )


def _causes(
    queue: Queue, settings: QueueSettings, rule: ServiceLevel, waiting: list[tuple[int, str]]
) -> dict[tuple[str, str], tuple[str, ...]]:
    if not settings.has_alerts:
        return {}
    begins = {window.name: window.begin * 1000 for window in queue.windows}
    judged = {(kpi, alert.window) for kpi, alert in settings.alerts.items()}
    for alert in settings.compound_alerts.values():
        judged |= {(c.kpi, alert.window) for c in conditions_of(alert.when)}
    target_ms = settings.target_ms
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for kpi, window in judged:
        begin = begins[window]
        match kpi:
            case "service_level_ratio":
                # Who waits past the target has missed it, whatever follows.
                late = tuple(
                    contact
                    for entered_at, contact in waiting
                    if entered_at >= begin and queue.now - entered_at > target_ms
                )
                short_ms = settings.short_abandon_ms
                left = queue.causes.of_service_level(begin, rule, target_ms, short_ms)
                found[kpi, window] = tuple(dict.fromkeys((*late, *left)))
            case "abandonment_ratio":
                found[kpi, window] = queue.causes.of_abandonment(begin)
            case "average_speed_of_answer_seconds":
                found[kpi, window] = queue.causes.of_answer(begin)
    return found


def _estimated_wait_ms(queue: Queue, waiting: int, agents: Mapping[str, int] | None) -> int | None:
    """How long a contact that enters now waits: those before it and itself, by the rate at which
    the agents at work become free. None without agents at work, or without a measured handle time.
    """
    at_work = sum((agents or {}).get(state, 0) for state in AT_WORK)
    if agents is None or not at_work:
        return None
    free = agents.get("available", 0) - waiting
    if free > 0:
        return 0
    sums = next(window.sums for window in queue.windows if window.name == HANDLE_WINDOW)
    handle_ms = ratio(sums[HANDLE], sums[ENDED])
    return None if handle_ms is None else round((1 - free) * handle_ms / at_work)
