"""The board of agents: what they handled, and how their time went. Pure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import variables
from dashboards.boards.board import board
from dashboards.boards.panels import SECONDS, Panel, explained, kpi_lines, lines, listing, units_of
from dashboards.boards.queries import STORE, trend, whole
from sinks.kpis.catalogue import KPIS

NAME: Final = "agents"
_SUMMARY: Final = (
    "agent_answered", "agent_missed", "agent_answer_ratio", "agent_handled", "agent_transferred",
    "agent_average_talk_seconds", "agent_average_handle_seconds", "agent_occupancy_ratio",
    "agent_utilisation_ratio", "agent_contacts_per_staffed_hour", "agent_outbound_attempted",
    "agent_outbound_connected",
)  # fmt: skip
_STATES: Final = (
    "agent_available_seconds", "agent_on_contact_seconds", "agent_wrapup_seconds",
    "agent_paused_seconds",
)  # fmt: skip
_TRENDS: Final = (
    "agent_occupancy_ratio", "agent_utilisation_ratio", "agent_average_handle_seconds",
    "agent_answer_ratio", "agent_contacts_per_staffed_hour",
)  # fmt: skip
_SCHEDULED: Final = ("scheduled_seconds", "adhered_seconds", "adherence_ratio")


def agents() -> Dashboard:
    """The board."""
    return board(
        NAME,
        "Agents",
        "What agents handled and how their time went. Made for planning a team's day; a figure of"
        " one person says little without the contacts behind it.",
        [
            variables.store(),
            variables.tenant(),
            variables.agent(),
            variables.interval(),
            variables.timezone(),
        ],
        [
            ("In the time shown", [_summary(), _time_of_each(), _schedules(), _slots()]),
            ("By interval", [*(_trend(column) for column in _TRENDS), *_plan_trends()]),
        ],
    )


def _summary() -> Panel:
    return listing(
        "Agents",
        "Each agent over the whole of the time shown.",
        STORE,
        whole("agent_interval", _SUMMARY, split="agent"),
        units_of(_SUMMARY),
    )


def _time_of_each() -> Panel:
    return lines(
        "Time in each state",
        "Available, on contacts, in wrap-up and paused, by interval and agent.",
        SECONDS,
        STORE,
        [trend("agent_interval", _STATES, split="agent")],
        span=24,
        stacked=True,
    )


def _schedules() -> Panel:
    return listing(
        "Adherence to schedules",
        explained("adherence_ratio"),
        STORE,
        whole("kpi_schedules", _SCHEDULED, split="agent"),
        units_of(_SCHEDULED),
        span=12,
    )


def _slots() -> Panel:
    asked = ("slot_occupancy_ratio",)
    return listing(
        "Use of slots",
        explained("slot_occupancy_ratio"),
        STORE,
        whole("kpi_slots", asked, split="agent"),
        units_of(asked),
        span=12,
    )


def _plan_trends() -> list[Panel]:
    asked = {"adherence_ratio": "kpi_schedules", "slot_occupancy_ratio": "kpi_slots"}
    return [kpi_lines(k, STORE, trend(view, [k], split="agent")) for k, view in asked.items()]


def _trend(column: str) -> Panel:
    (kpi_id,) = (kpi.id for kpi in KPIS.values() if kpi.column == column)
    return kpi_lines(kpi_id, STORE, trend("agent_interval", [column], split="agent"))
