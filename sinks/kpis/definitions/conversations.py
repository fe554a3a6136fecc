"""Chat, e-mail and social messages, and tickets: answers, solutions, what is still to do. Pure.

Count columns of the grains: those of `conversation_panes` added up (view `conversation_interval`);
`mature`, `mature_undone`, `firsts`, `lasts` and their `*_business_ms` (view `solutions`);
`backlog`, `backlog_*`, `awaiting_reply`, `longest_awaiting_reply_ms` (view `backlog`); `chat_ms`,
`chat_wall_clock_ms` (view `chat_time`).
"""

from typing import Final

from schemas.sketch import RELATIVE_ACCURACY
from sinks.kpis.definition import Grain, Kpi, Section, mean_seconds, ratio
from sinks.kpis.definitions.waiting import quantile_seconds

_MESSAGES: Final = ("message.received", "message.sent")
_SOLVED: Final = ("ticket.status_changed", "interaction.ended")

_HOUR: Final = 3_600
_DAY: Final = 86_400
BACKLOG_AGES: Final[tuple[tuple[str, str, int, int | None], ...]] = (
    ("under_1_hour", "under an hour", 0, _HOUR),
    ("1_to_8_hours", "1 to 8 hours", _HOUR, 8 * _HOUR),
    ("8_to_24_hours", "8 to 24 hours", 8 * _HOUR, _DAY),
    ("1_to_3_days", "1 to 3 days", _DAY, 3 * _DAY),
    ("3_to_7_days", "3 to 7 days", 3 * _DAY, 7 * _DAY),
    ("over_7_days", "7 days and more", 7 * _DAY, None),
)
"""Id, title and bounds in seconds, half-open, of the age buckets; the last has no end."""


def _durations(
    name: str, plural: str, title: str, explanation: str, pitfalls: str, events: tuple[str, ...]
) -> tuple[Kpi, ...]:
    """Mean, median and 90 % of something that `conversation_panes` measures."""
    mean = Kpi(
        id=f"average_{name}_seconds",
        unit="seconds",
        expression=mean_seconds(f"{name}_ms", plural),
        title=f"Average {title}",
        explanation=explanation,
        events=events,
        pitfalls=pitfalls,
        source="Zendesk, Intercom, Freshdesk",
        grain=Grain.CONVERSATION,
    )
    quantiles = (
        Kpi(
            id=f"{name}_p{percent}_seconds",
            unit="seconds",
            expression=quantile_seconds(f"{name}_bins", percent / 100),
            title=f"{title.capitalize()}, {percent} % took at most",
            explanation=f"{percent} % were not longer. {explanation}",
            events=events,
            pitfalls=f"Within {RELATIVE_ACCURACY:.0%} of the exact value. {pitfalls}",
            source="DDSketch (Masson, Rim, Lee, VLDB 2019)",
            grain=Grain.CONVERSATION,
        )
        for percent in (50, 90)
    )
    return (mean, *quantiles)


def _backlog(kpi_id: str, title: str, explanation: str) -> Kpi:
    return Kpi(
        id=kpi_id,
        unit="contacts",
        expression=kpi_id,
        title=title,
        explanation=explanation,
        events=(*_MESSAGES, *_SOLVED),
        pitfalls="A state, not a flow: it is that of the end of the time asked for, or of each "
        "interval (of the latest event, if that is earlier), so intervals do not add up. Contacts "
        "whose source never says that they ended stay in it.",
        source="Zendesk, Freshdesk (backlog)",
        grain=Grain.BACKLOG,
    )


SECTION: Final = Section(45, "Messages and tickets")

KPIS: Final[tuple[Kpi, ...]] = (
    Kpi(
        id="first_responses",
        unit="contacts",
        expression="first_responses",
        title="First responses",
        explanation="Contacts to which a person replied publicly for the first time.",
        events=_MESSAGES,
        pitfalls="Bots and automatic replies never count. Counted when the reply came.",
        source="Zendesk, Intercom",
        grain=Grain.CONVERSATION,
    ),
    *_durations(
        "first_response",
        "first_responses",
        "first response time",
        "From the contact's beginning to the first public reply of a person; where agents write "
        "first (outbound), from the customer's first message.",
        "Contacts without an answer yet are not in it: see the backlog. Bots and automatic replies "
        "never count.",
        _MESSAGES,
    ),
    Kpi(
        id="replies",
        unit="replies",
        expression="replies",
        title="Replies",
        explanation="Public replies of agents to customers who waited for one.",
        events=_MESSAGES,
        pitfalls="Several messages in a row are one reply. Counted when the first of them came.",
        source="Intercom (replies to close a conversation have many)",
        grain=Grain.CONVERSATION,
    ),
    *_durations(
        "reply",
        "replies",
        "reply time",
        "From the customer's first message that waits to the agent's public reply.",
        "Automatic mail neither asks nor answers. A contact that ends, or a ticket that is solved, "
        "without a reply has no reply time.",
        _MESSAGES,
    ),
    Kpi(
        id="contacts_solved",
        unit="contacts",
        expression="first_resolutions",
        title="Contacts solved",
        explanation="Contacts with messages or a ticket that were solved for the first time: the "
        "ticket was solved or closed, or the contact ended resolved.",
        events=_SOLVED,
        pitfalls="Whether customers think so too, a survey says.",
        source="Zendesk (solved tickets)",
        grain=Grain.CONVERSATION,
    ),
    *_durations(
        "first_resolution",
        "first_resolutions",
        "time to first resolution",
        "From the contact's beginning to when it was first solved, by the calendar.",
        "Counted when it was solved. What was reopened later is in it nevertheless.",
        _SOLVED,
    ),
    *_durations(
        "full_resolution",
        "full_resolutions",
        "time to full resolution",
        "From the contact's beginning to when it was last solved, by the calendar.",
        "Moves when a contact is solved anew: past intervals change.",
        _SOLVED,
    ),
    *(
        Kpi(
            id=f"average_{which}_resolution_business_seconds",
            unit="seconds",
            expression=mean_seconds(f"{when}_business_ms", f"{when}s"),
            title=f"Average time to {which} resolution, business hours",
            explanation=f"From the contact's beginning to when it was {when} solved, counted in "
            "the business hours of its queue only; by the calendar where the queue has none.",
            events=_SOLVED,
            pitfalls="By the hours that are configured now, also of times past. Hours are read in "
            "the timezone asked in: the queue's where figures are split by queue.",
            source="Zendesk, Freshdesk (business hours)",
            grain=Grain.SOLUTION,
        )
        for which, when in (("first", "first"), ("full", "last"))
    ),
    Kpi(
        id="contacts_reopened",
        unit="contacts",
        expression="mature_undone",
        title="Contacts reopened",
        explanation="Solutions that were undone within the window (24 h unless asked otherwise), "
        "of those whose window has passed.",
        events=_SOLVED,
        pitfalls="One contact may be reopened twice. Counted when it had been solved.",
        source="Zendesk (reopens)",
        grain=Grain.SOLUTION,
    ),
    Kpi(
        id="reopen_ratio",
        unit="ratio",
        expression=ratio("mature_undone", "mature"),
        title="Reopen rate",
        explanation="Solutions undone within the window / solutions whose window has passed.",
        events=_SOLVED,
        pitfalls="A customer who opens a new contact instead reopens nothing: see repeats.",
        source="Zendesk, Freshdesk",
        grain=Grain.SOLUTION,
    ),
    _backlog(
        "backlog",
        "Backlog",
        "Contacts with messages or a ticket that had begun and were neither solved nor ended.",
    ),
    *(
        _backlog(f"backlog_{name}", f"Backlog, {title}", f"Of the backlog, those of {title}.")
        for name, title, _, _ in BACKLOG_AGES
    ),
    Kpi(
        id="awaiting_reply",
        unit="contacts",
        expression="awaiting_reply",
        title="Awaiting reply",
        explanation="Open contacts whose customer wrote last and waits for a person.",
        events=_MESSAGES,
        pitfalls="As it is now, whichever time is asked for.",
        source="Intercom, Front (waiting since)",
        grain=Grain.BACKLOG,
    ),
    Kpi(
        id="longest_awaiting_reply_seconds",
        unit="seconds",
        expression="longest_awaiting_reply_ms / 1000",
        title="Longest awaiting reply",
        explanation="How long the customer has waited who waits longest for a reply.",
        events=_MESSAGES,
        pitfalls="As it is now, measured to the latest event seen, not to the wall clock.",
        source="Intercom, Front (waiting since)",
        grain=Grain.BACKLOG,
    ),
    Kpi(
        id="chat_concurrency",
        unit="chats",
        expression=ratio("chat_ms", "chat_wall_clock_ms"),
        title="Chat concurrency",
        explanation="Time of agents in chats, each counted for itself, divided by the time in "
        "which they had at least one.",
        events=("agent.connected", "interaction.ended"),
        pitfalls="From the answer to the end, wrap-up not included; chats that still go on are not "
        "in it. By queue it knows only the chats of that queue: ask for the total.",
        source="Amazon Connect, Genesys",
        grain=Grain.CHAT_TIME,
    ),
)
