"""The values that Prometheus is given of a queue. Pure.

Names and labels are those of `sinks.queue_metrics.QUEUE_METRICS`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from schemas.live import AGENT_STATES, HORIZONS, QUANTILES
from schemas.queues import SEVERITIES, WINDOWED
from streams.monitor.breaches import Watch
from streams.monitor.live import Live

Values = Iterator[tuple[str, tuple[str, ...], float | None]]
CURRENT: Final[tuple[str, tuple[str, ...]]] = ("queue_current", ())
TARGET: Final = ("service_level_target", "target")


def values_of(live: Live, watches: Mapping[str, Watch]) -> dict[tuple[str, tuple[str, ...]], float]:
    """By metric and its labels beside tenant and queue. What is not known is left out."""
    found = (*_now(live), *_windows(live), *_forecast(live), *_alerts(live, watches))
    return {(name, labels): value for name, labels, value in found if value is not None}


def _now(live: Live) -> Values:
    if live.queue:
        yield *CURRENT, live.current
        yield "queue_waiting", (), live.waiting
        oldest = live.oldest_enqueued_at
        seconds = None if oldest is None else oldest / 1000
        yield "queue_oldest_enqueued_timestamp_seconds", (), seconds
        yield "queue_active", (), live.active
        yield "queue_presumed_lost", (), live.presumed_lost
        yield "queue_open", (), live.in_business_hours
        wait_ms = live.estimated_wait_ms
        yield "queue_estimated_wait_seconds", (), None if wait_ms is None else wait_ms / 1000
    if live.agents is not None:
        for state in AGENT_STATES:
            yield "queue_agents", (state,), live.agents.get(state, 0)


def _windows(live: Live) -> Values:
    if not live.queue:
        return
    preset = live.settings.service_level_preset
    for name, window in live.windows.items():
        yield "queue_offered", (name,), window.offered
        yield "queue_service_level_ratio", (name, preset), window.service_level
        yield "queue_abandonment_ratio", (name,), window.abandonment
        speed = window.speed_of_answer_ms
        yield "queue_average_speed_of_answer_seconds", (name,), _seconds(speed)
        for quantile, wait_ms in zip(QUANTILES, window.waits_ms, strict=True):
            yield "queue_wait_seconds", (str(quantile), name), _seconds(wait_ms)
    for outcome, total in live.totals.items():
        yield "queue_contacts_total", (outcome,), total


def _forecast(live: Live) -> Values:
    for horizon in HORIZONS:
        yield "queue_forecast_breach_probability", (horizon,), live.forecast.get(horizon)
        yield "queue_forecast_brier_score", (horizon,), live.brier.get(horizon)
    yield "queue_forecast_agents_needed", (), live.agents_needed


def _alerts(live: Live, watches: Mapping[str, Watch]) -> Values:
    if not live.queue:
        return
    yield "queue_threshold", TARGET, live.settings.target_ratio
    for kpi, alert in live.settings.alerts.items():
        if kpi in WINDOWED:
            yield "queue_judged_value", (kpi,), live.judged(kpi, alert)
        for severity in SEVERITIES:
            yield "queue_threshold", (kpi, severity), alert.opens_at(severity)
            yield "queue_closing_threshold", (kpi, severity), alert.closes_at(severity)
    for name, watch in watches.items():
        if watch.breach is not None:
            yield "queue_breaches_open", (name, watch.breach.severity), 1


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
