"""Agents and their plans, and how many contacts they can take at once. Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Unit, ratio, tallies
from sinks.kpis.families import SCHEDULES, SLOTS

SECTION: Final = Section(92, "Agents")

_WHOLE: Final = (
    "Of states of the agent as a whole: those that are told queue by queue (Asterisk) say nothing "
    "here. "
)


def _planned(name: str, unit: Unit, expression: str, title: str, explanation: str) -> Kpi:
    return Kpi(
        id=name,
        unit=unit,
        expression=expression,
        title=title,
        explanation=explanation,
        events=("agent.scheduled", "agent.state_changed"),
        pitfalls=_WHOLE + "What is scheduled counts as a whole in the interval in which it begins, "
        "what lies ahead as not kept. Schedules change: ask again.",
        source="common to all vendors",
        grain=SCHEDULES,
        counts=tallies(planned_ms="scheduled_ms", as_planned_ms="kept_ms"),
    )


KPIS: Final = (
    _planned("scheduled_seconds", "seconds", "planned_ms / 1000", "Scheduled",
             "Time for which agents were scheduled."),
    _planned("adhered_seconds", "seconds", "as_planned_ms / 1000", "Adhered",
             "Scheduled time in which agents did what they were scheduled for: at work where that "
             "is `work`, paused for everything else."),
    _planned("adherence_ratio", "ratio", ratio("as_planned_ms", "planned_ms"), "Adherence",
             "Time in the scheduled activity, of all scheduled time."),
    Kpi(
        id="slot_occupancy_ratio",
        unit="ratio",
        expression=ratio("in_use_ms", "there_ms"),
        title="Occupancy, by slots",
        explanation="Slots in use, of those there were while agents were available, on contacts or "
        "in wrap-up, weighted by time.",
        events=("agent.state_changed",),
        pitfalls=_WHOLE + "An agent whose slots nobody tells has one. The union of contacts is "
        "`agent_occupancy_ratio`.",
        source="Genesys, Amazon Connect (agents with several chats)",
        grain=SLOTS,
        counts=tallies(in_use_ms="slots_in_use_ms", there_ms="slots_there_ms"),
    ),
)  # fmt: skip
