"""What an agent's time went into. Pure.

Count columns are those of `agent_panes` (`schemas.rows.AgentPaneRow`), added up.
"""

from typing import Final

from sinks.kpis.definition import Grain, Kpi, Section, Unit, mean_seconds, ratio

_STATE: Final = ("agent.state_changed",)
_CONTACT: Final = ("agent.connected", "interaction.ended")
_BUSY: Final = "state_on_contact_ms + state_wrapup_ms"
_LOGGED_IN: Final = f"{_BUSY} + state_available_ms + state_paused_ms"


def _agent(
    name: str,
    unit: Unit,
    expression: str,
    title: str,
    explanation: str,
    pitfalls: str,
    events: tuple[str, ...] = _CONTACT,
) -> Kpi:
    return Kpi(
        id=f"agent_{name}",
        unit=unit,
        expression=expression,
        title=title,
        explanation=explanation,
        events=events,
        pitfalls=pitfalls,
        source="common to all vendors",
        grain=Grain.AGENT,
    )


_COUNTS: Final = (
    ("answered", "Answered", "Inbound contacts connected to the agent.", _CONTACT),
    ("missed", "Missed", "Times the agent's phone rang in vain.", ("agent.missed",)),
    ("handled", "Handled", "Contacts that the agent concluded, in and out.", _CONTACT),
    ("transferred", "Transferred", "Contacts that the agent passed on.", ("transfer.completed",)),
    (
        "outbound_attempted",
        "Outbound, attempted",
        "Contacts that the agent began.",
        ("interaction.started",),
    ),
    ("outbound_connected", "Outbound, connected", "Outbound contacts that were taken.", _CONTACT),
)

SECTION: Final = Section(90, "Agents")

KPIS: Final[tuple[Kpi, ...]] = (
    *(
        _agent(
            name,
            "rings" if name == "missed" else "contacts",
            name,
            title,
            explanation,
            "Counted in the five minutes in which it happened; a conversation may span several.",
            events,
        )
        for name, title, explanation, events in _COUNTS
    ),
    *(
        _agent(
            f"{state}_seconds",
            "seconds",
            f"state_{state}_ms / 1000",
            title,
            explanation,
            "Known as far as the watermark of the agent's source; a state that lasts still grows.",
            _STATE,
        )
        for state, title, explanation in (
            ("available", "Available", "Time ready for a contact."),
            ("on_contact", "On contact", "Time with at least one contact."),
            ("wrapup", "In wrap-up", "Time in after-contact work."),
            ("paused", "Paused", "Time logged in, but paused."),
        )
    ),
    _agent(
        "average_talk_seconds",
        "seconds",
        mean_seconds("talk_ms", "handled"),
        "Average talk time",
        "Talk of handled contacts, divided by their number.",
        "Inbound and outbound together.",
    ),
    _agent(
        "average_handle_seconds",
        "seconds",
        mean_seconds("talk_ms + hold_ms + wrapup_ms", "handled"),
        "Average handle time",
        "(talk + hold + wrap-up) / handled contacts.",
        "Inbound and outbound together.",
    ),
    _agent(
        "answer_ratio",
        "ratio",
        ratio("answered", "answered + missed"),
        "Answer rate",
        "Contacts answered, divided by those that rang at the agent.",
        "A ring ended because another agent was faster may be reported as missed.",
        ("agent.connected", "agent.missed"),
    ),
    _agent(
        "occupancy_ratio",
        "ratio",
        f"if({_BUSY} = 0 AND talk_ms > 0, NULL, {ratio(_BUSY, f'{_BUSY} + state_available_ms')})",
        "Occupancy",
        "Time on contacts, wrap-up included, divided by that time and the time available.",
        "Wall clock, not per slot: two chats at once occupy no more than one. NULL where agents "
        "talked and their source never says that they are on a contact (Asterisk's queue_log).",
        _STATE,
    ),
    _agent(
        "utilisation_ratio",
        "ratio",
        ratio("talk_ms + hold_ms + wrapup_ms", _LOGGED_IN),
        "Utilisation",
        "Handle time, divided by the time logged in.",
        "Above 1 where an agent has several contacts at once.",
        (*_STATE, *_CONTACT),
    ),
    _agent(
        "contacts_per_staffed_hour",
        "contacts per hour",
        f"handled * 3600000 / nullIf({_LOGGED_IN}, 0)",
        "Contacts per hour",
        "Contacts that the agent concluded, divided by the hours logged in.",
        "Hours logged in, pauses included, not hours paid. Kinds of contacts differ in length: "
        "compare agents of the same queues.",
        (*_STATE, *_CONTACT),
    ),
)
