"""The board of intervals and trends: what happened in queues, when. Pure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import variables
from dashboards.boards.board import board, to
from dashboards.boards.panels import (
    COUNT,
    RATIO,
    SECONDS,
    TIME,
    Panel,
    explained,
    kpi_lines,
    lines,
    listing,
    units_of,
)
from dashboards.boards.queries import CHANNELS, QUEUES, STORE, TENANT, rolling, rows, trend, whole
from dashboards.boards.variables import OWN_PRESET

NAME: Final = "intervals"
CHOSEN_PRESET: Final = (
    f"if(${{preset:sqlstring}} = '{OWN_PRESET}', is_queue_preset, preset = ${{preset:sqlstring}})"
)
_SUMMARY: Final = (
    "offered", "answered", "abandoned", "open", "ended", "abandonment_ratio",
    "average_speed_of_answer_seconds", "wait_p50_seconds", "wait_p90_seconds",
    "average_handle_seconds", "transfer_ratio",
)  # fmt: skip
_EXITS: Final = (
    "timed_out", "overflowed", "key_pressed", "callback_accepted", "emptied",
    "transferred_waiting", "presumed_lost", "lost_ratio", "answered_in_target",
    "abandoned_in_target", "abandoned_short", "abandonment_net_of_short_ratio",
    "average_time_to_abandon_seconds", "longest_wait_seconds",
)  # fmt: skip
_TRANSFERS: Final = (
    "transferred", "transferred_blind", "transferred_consult", "transferred_recall",
    "transfer_blind_ratio", "transfer_consult_ratio", "transfer_recall_ratio",
)  # fmt: skip
_EFFORT: Final = (
    "average_hold_per_held_seconds", "average_wrapup_per_wrapped_up_seconds",
    "average_ring_seconds", "missed_rings", "missed_rings_per_offered",
)  # fmt: skip
_WAITS: Final = ("wait_p50_seconds", "wait_p90_seconds", "wait_p95_seconds")
_HANDLING: Final = ("average_talk_seconds", "average_hold_seconds", "average_wrapup_seconds")
_ESTIMATES: Final = (
    "estimated_wait_seconds", "estimated_wait_scored", "estimated_wait_error_seconds",
    "estimated_wait_bias_seconds", "estimated_wait_within_30_seconds_ratio",
)  # fmt: skip
_TRUNKS: Final = ("calls_attempted", "calls_blocked", "blocked_ratio")
_VISIT: Final = (
    "entered_at", "queue", "channel", "direction", "outcome", "wait_seconds", "agent",
    "talk_seconds", "hold_seconds", "wrapup_seconds", "transfer", "interaction_id",
)  # fmt: skip


def intervals() -> Dashboard:
    """The board."""
    return board(
        NAME,
        "Intervals and trends",
        "Queues over time, from the same panes and formulas as `switchboard kpis`.",
        [
            variables.store(),
            variables.tenant(),
            variables.queue(),
            variables.channel(),
            variables.interval(),
            variables.preset(),
            variables.cohort(),
            variables.timezone(),
            variables.breach(),
        ],
        [
            ("In the time shown", [_queues(), _exits(), _levels(), _blocked()]),
            ("Volumes", [_volumes(), _by_queue("offered"), _by_queue("abandonment_ratio")]),
            (
                "Service",
                [_service_level(), _rolling_service_level(), *_speed(), _estimates()],
            ),
            ("Handling", [_handling(), _by_queue("average_handle_seconds"), *_details()]),
            ("Contacts", [_contacts()]),
        ],
        since="now-7d",
        refresh="5m",
    )


def _queues() -> Panel:
    here = "var-tenant=${tenant}&var-queue=${__data.fields.queue}&from=${__from}&to=${__to}"
    return listing(
        "Queues",
        "Each queue and channel over the whole of the time shown. Open a queue to see it alone.",
        STORE,
        whole("kpi_interval", _SUMMARY, split="queue,channel"),
        units_of(_SUMMARY),
        links={"queue": to(NAME, "This queue alone", here)},
    )


def _exits() -> Panel:
    return listing(
        "How contacts left the queue without an answer",
        f"Each queue over the whole of the time shown. {explained('lost_ratio')}",
        STORE,
        whole("kpi_interval", _EXITS),
        units_of(_EXITS),
    )


def _levels() -> Panel:
    return listing(
        "Service level by every preset",
        "The same contacts by each vendor's rule: up to ten points apart, so a service level says"
        " nothing without its preset.",
        STORE,
        whole(
            "service_level",
            ["preset", "service_level_ratio", "target_seconds", "is_queue_preset"],
            where=["service_level_ratio IS NOT NULL"],
        ),
        {"service_level_ratio": RATIO, "target_seconds": SECONDS},
    )


def _blocked() -> Panel:
    return listing(
        "Attempts to call that found no line",
        f"All lines over the whole of the time shown. {explained('blocked_ratio')}",
        STORE,
        whole("kpi_trunks", _TRUNKS, split=""),
        units_of(_TRUNKS),
    )


def _volumes() -> Panel:
    return lines(
        "Offered, answered, abandoned",
        "Contacts of the chosen queues, by interval.",
        COUNT,
        STORE,
        [trend("kpi_interval", ["offered", "answered", "abandoned"])],
        span=24,
    )


def _by_queue(kpi_id: str) -> Panel:
    return kpi_lines(kpi_id, STORE, trend("kpi_interval", [kpi_id]))


def _service_level() -> Panel:
    return lines(
        "Service level",
        "The share of contacts answered within each queue's target, by the chosen preset.",
        RATIO,
        STORE,
        [trend("service_level", ["service_level_ratio"], where=[CHOSEN_PRESET])],
    )


def _rolling_service_level() -> Panel:
    return lines(
        "Service level of the last half hour",
        "Trailing windows: what the level was at each moment, by the preset `offered`.",
        RATIO,
        STORE,
        [rolling(["service_level_ratio_offered"])],
    )


def _speed() -> list[Panel]:
    return [
        _by_queue("average_speed_of_answer_seconds"),
        lines(
            "Waits of answered contacts",
            "Half, nine tenths, nineteen twentieths of those answered waited at most so long.\n\n"
            + explained("wait_p90_seconds"),
            SECONDS,
            STORE,
            [trend("kpi_interval", _WAITS)],
        ),
    ]


def _estimates() -> Panel:
    return listing(
        "Estimated waits, and the waits that followed",
        f"Each queue over the whole of the time shown. {explained('estimated_wait_error_seconds')}",
        STORE,
        whole("kpi_estimates", _ESTIMATES),
        units_of(_ESTIMATES),
    )


def _handling() -> Panel:
    return lines(
        "Talk, hold, wrap-up",
        "Means a contact; together they are the handle time.",
        SECONDS,
        STORE,
        [trend("kpi_interval", _HANDLING)],
    )


def _details() -> list[Panel]:
    shown = (
        ("Transfers", "transferred", _TRANSFERS),
        ("Holds, wrap-up and rings of those that had one", "missed_rings", _EFFORT),
    )
    return [
        listing(
            title,
            f"Each queue over the whole of the time shown. {explained(kpi_id)}",
            STORE,
            whole("kpi_interval", columns),
            units_of(columns),
            span=12,
        )
        for title, kpi_id, columns in shown
    ]


def _contacts() -> Panel:
    breach = "${breach:sqlstring}"
    sql = (
        f"SELECT {', '.join(_VISIT)}\nFROM queue_visits\n"
        f"WHERE $__timeFilter(entered_at) AND {TENANT} AND {QUEUES} AND {CHANNELS}\n"
        f"AND ({breach} = '' OR interaction_id IN\n"
        f"  (SELECT interaction_id FROM breach_contacts WHERE {TENANT} AND breach_id = {breach}))\n"
        "ORDER BY entered_at DESC\nLIMIT 500"
    )
    seconds = {column: SECONDS for column in _VISIT if column.endswith("_seconds")}
    return listing(
        "Contacts",
        "Visits to the chosen queues, the newest 500; with a breach given, those that caused it.",
        STORE,
        rows(sql),
        {"entered_at": TIME, **seconds},
        height=12,
    )
