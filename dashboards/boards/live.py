"""The board of live queues: who waits now, who is there, and what is about to go wrong. Pure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import intervals, variables
from dashboards.boards.board import board, to
from dashboards.boards.panels import (
    COUNT,
    RATIO,
    SECONDS,
    TIME,
    Panel,
    lines,
    listing,
    numbers,
)
from dashboards.boards.queries import METRICS, QUEUES, STORE, TENANT, metric, rows

NAME: Final = "live"
_OF: Final = 'tenant="$tenant", queue=~"$queue"'
_BREACH: Final = (
    "opened_at", "queue", "kpi", "severity", "window", "worst_value", "threshold", "value",
    "closed_at", "closed_because", "contacts", "breach_id", "around_from", "around_to",
)  # fmt: skip
_HIDDEN: Final = ("breach_id", "around_from", "around_to")


def live() -> Dashboard:
    """The board."""
    return board(
        NAME,
        "Live queues",
        "What is happening in queues now, from the same metrics as the alerts. Where nothing is"
        " known of a queue it is missing here: see Pipeline health. Without Grafana: `/wallboard`"
        " of a worker.",
        [
            variables.metrics(),
            variables.store(),
            variables.live_tenant(),
            variables.live_queue(),
            variables.window(),
        ],
        [
            ("Now", _now()),
            ("The last hours", [_waiting(), _longest(), _agents(), _estimated()]),
            ("In the chosen window", [_service_level(), _abandonment(), _speed(), _quantiles()]),
            ("Forecast", [_probability(), _needed(), _score()]),
            ("Breaches", [_breaches()]),
        ],
        since="now-3h",
        refresh="5s",
    )


def _by_queue(name: str, more: str = "", how: str = "max") -> str:
    return f"{how} by (queue) (switchboard_{name}{{{_OF}{more}}})"


def _now() -> list[Panel]:
    oldest = _by_queue("queue_oldest_enqueued_timestamp_seconds", how="min")
    available = ', state="available"'
    window = ', window="$window"'
    shown = [
        ("Waiting", "Contacts in the queue now.", COUNT, _by_queue("queue_waiting")),
        (
            "Longest wait",
            "How long the one who waits longest has waited; not shown where nobody waits.",
            SECONDS,
            f"time() - {oldest}",
        ),
        (
            "Agents available",
            "Ready for the next contact. An agent on two queues counts in both.",
            COUNT,
            _by_queue("queue_agents", available),
        ),
        (
            "Service level",
            "Of contacts offered in the chosen window, by each queue's own preset.",
            RATIO,
            _by_queue("queue_service_level_ratio", window),
        ),
    ]
    return [
        numbers(title, what, unit, METRICS, metric(expression, "{{queue}}"), height=6)
        for title, what, unit, expression in shown
    ]


def _waiting() -> Panel:
    return _trend("Waiting by queue", "Contacts in the queue.", COUNT, "queue_waiting")


def _longest() -> Panel:
    expression = f"time() - {_by_queue('queue_oldest_enqueued_timestamp_seconds', how='min')}"
    return lines(
        "Longest wait by queue",
        "How long the contact that waited longest had waited then; a gap: nobody waited.",
        SECONDS,
        METRICS,
        [metric(expression, "{{queue}}")],
    )


def _agents() -> Panel:
    return lines(
        "Agents by state",
        "Of the chosen queues: available, on a contact, in wrap-up, paused, offline. An agent on"
        " two queues counts in both.",
        COUNT,
        METRICS,
        [
            metric(
                f"sum by (state) (max by (queue, state) (switchboard_queue_agents{{{_OF}}}))",
                "{{state}}",
            )
        ],
        stacked=True,
    )


def _estimated() -> Panel:
    return _trend(
        "Estimated wait",
        "How long a contact that enters now is expected to wait, from measured handle times and the"
        " agents at work; missing without agents or data.",
        SECONDS,
        "queue_estimated_wait_seconds",
    )


def _trend(title: str, what: str, unit: str, name: str, more: str = "") -> Panel:
    return lines(title, what, unit, METRICS, [metric(_by_queue(name, more), "{{queue}}")])


def _service_level() -> Panel:
    target = _by_queue("queue_threshold", ', kpi="service_level_target"')
    return lines(
        "Service level by queue",
        "Of contacts offered in the chosen window, by each queue's own preset, beside its target.",
        RATIO,
        METRICS,
        [
            metric(_by_queue("queue_service_level_ratio", ', window="$window"'), "{{queue}}"),
            metric(target, "target of {{queue}}").ref_id("B"),
        ],
    )


def _abandonment() -> Panel:
    return _trend(
        "Abandonment by queue",
        "Share of those offered in the chosen window that hung up while they waited.",
        RATIO,
        "queue_abandonment_ratio",
        ', window="$window"',
    )


def _speed() -> Panel:
    return _trend(
        "Speed of answer by queue",
        "Mean wait of those offered in the chosen window and answered.",
        SECONDS,
        "queue_average_speed_of_answer_seconds",
        ', window="$window"',
    )


def _quantiles() -> Panel:
    expression = (
        f'max by (queue, quantile) (switchboard_queue_wait_seconds{{{_OF}, window="$window"}})'
    )
    return lines(
        "Waits by quantile",
        "Of those offered in the chosen window: half, nine tenths and nineteen twentieths waited at"
        " most so long.",
        SECONDS,
        METRICS,
        [metric(expression, "{{queue}} {{quantile}}")],
    )


def _probability() -> Panel:
    expression = f"max by (queue, horizon) (switchboard_queue_forecast_breach_probability{{{_OF}}})"
    return lines(
        "Probability of missing the target",
        "That the service level of contacts offered until then is below the target, from arrivals,"
        " handle times and patience as measured.",
        RATIO,
        METRICS,
        [metric(expression, "{{queue}} in {{horizon}}")],
        span=8,
    )


def _needed() -> Panel:
    at_work = (
        "sum by (queue) (max by (queue, state) (switchboard_queue_agents"
        f'{{{_OF}, state=~"available|on_contact|wrapup"}}))'
    )
    return lines(
        "Agents needed, and at work",
        "How many keep the target over the next half hour, beside those that are available, on a"
        " contact or in wrap-up.",
        COUNT,
        METRICS,
        [
            metric(_by_queue("queue_forecast_agents_needed"), "{{queue}} needs"),
            metric(at_work, "{{queue}} has").ref_id("B"),
        ],
        span=8,
    )


def _score() -> Panel:
    expression = f"max by (queue, horizon) (switchboard_queue_forecast_brier_score{{{_OF}}})"
    return lines(
        "How good forecasts were",
        "Brier score of the last day's forecasts: 0 is perfect, 0.25 knows nothing.",
        COUNT,
        METRICS,
        [metric(expression, "{{queue}} in {{horizon}}")],
        span=8,
    )


def _breaches() -> Panel:
    sql = (
        f"SELECT {', '.join(_BREACH)}\nFROM breaches\n"
        f"WHERE $__timeFilter(opened_at) AND {TENANT} AND {QUEUES}\n"
        "ORDER BY opened_at DESC\nLIMIT 200"
    )
    field = "${__data.fields.%s}"
    contacts = to(
        intervals.NAME,
        "The contacts behind it",
        f"var-tenant=${{tenant}}&var-queue={field % 'queue'}&var-breach={field % 'breach_id'}"
        f"&from={field % 'around_from'}&to={field % 'around_to'}",
    )
    return listing(
        "Breaches opened",
        "As the stream itself judged them, from opened to closed. Open a row's contacts to see who"
        " waited.",
        STORE,
        rows(sql),
        {"opened_at": TIME, "closed_at": TIME},
        height=10,
        links={"contacts": contacts, "opened_at": contacts},
        hidden=_HIDDEN,
    )
