"""What a simulated contact centre is like. Pure data; durations in seconds, shares from 0 to 1.

Everything has a default that is plausible, none is measured. `simulator.presets` has whole centres.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, model_validator

from schemas.events import Channel
from schemas.queues import Section

Share = Annotated[float, Field(ge=0, le=1)]
Duration = Annotated[float, Field(gt=0, le=2_592_000)]

Source = Literal["pbx", "chat", "mail", "social", "desk", "crm"]
"""The centre's systems that tell events: the exchange, …, agents' desks, customers' data."""

OFFICE_HOURS: Final = (
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    4,
    18,
    45,
    60,
    52,
    34,
    38,
    50,
    44,
    30,
    16,
    6,
    2,
    1,
    0,
    0,
    0,
)
"""Contacts by hour of the day, relative to each other: two peaks and a lunch between them."""


class QueueModel(Section):
    """One queue, and the contacts that come for it."""

    name: str
    channel: Channel = "call"
    skill: str = ""
    """What an agent must know to be given its contacts."""
    purpose: str = "service"
    contacts_a_day: float = Field(default=200, ge=0)
    """Expected contacts of a day that come of themselves; repeats and campaigns come on top."""
    load_by_hour: tuple[float, ...] = Field(default=OFFICE_HOURS, min_length=24, max_length=24)
    priority: int = Field(default=0, ge=0)
    talk_seconds: Duration = 280
    """Mean of what agents and customers have to say (or an agent has to write)."""
    wrapup_seconds: Duration = 35
    patience_seconds: Duration = 160
    """Mean of how long customers wait at most."""
    timeout_seconds: Duration = 600
    """The queue lets go who has waited so long."""
    overflow_to: str = ""
    """The queue that takes over, if any."""
    overflow_after_seconds: Duration = 120
    callback_after_seconds: Duration | None = None
    """When the queue offers to call back, if it does."""
    outbound_a_day: float = Field(default=0, ge=0)
    """Calls that its agents make of themselves."""


class PeopleModel(Section):
    """Agents and customers."""

    agents: int = Field(default=12, ge=1, le=20_000)
    digital_share: Share = 0.35
    """Agents who write (chat, e-mail, social); the others speak. Where there is nothing to write,
    all speak."""
    sites: dict[str, float] = Field(
        default_factory=lambda: {"north": 0.5, "south": 0.3, "hub": 0.2}
    )
    remote_share: Share = 0.3
    languages: dict[str, float] = Field(default_factory=lambda: {"en": 0.7, "de": 0.2, "fr": 0.1})
    second_language_share: Share = 0.5
    second_skill_share: Share = 0.6
    chat_slots: int = Field(default=3, ge=1, le=20)
    shift_seconds: Duration = 8.5 * 3600
    shift_starts: tuple[float, ...] = (7, 8, 8.5, 9, 10, 11)
    """Hours of the day."""
    lateness_seconds: Duration = 180
    """Mean; a third of all come early instead."""
    unplanned_pauses: float = Field(default=1.5, ge=0)
    """Expected number a shift."""
    customers: int = Field(default=2_000, ge=1, le=3_000_000)
    anonymous_share: Share = 0.04
    """Contacts of which nothing is known of the customer (a hidden number, say)."""
    several_identifiers_share: Share = 0.4
    """Customers with more than one phone number or handle."""
    household_share: Share = 0.15
    """Customers who share a telephone with somebody else, and call from it at times."""


class CallModel(Section):
    """What happens to calls."""

    lines: int | None = Field(default=None, ge=1)
    """Calls that there can be at once, in and out; None where there is always one more."""
    redial_share: Share = 0.6
    """Of customers whom no line was free for, those who try once more."""
    menu_share: Share = 0.8
    menu_seconds: Duration = 25
    contained_share: Share = 0.18
    """Of those in the menu; `goal_share` of them reach what they wanted."""
    goal_share: Share = 0.75
    menu_hangup_share: Share = 0.06
    short_abandon_share: Share = 0.02
    """Who hangs up within seconds of entering the queue."""
    miss_share: Share = 0.06
    """Rings that an agent misses."""
    ring_seconds: Duration = 4
    ring_timeout_seconds: Duration = 15
    hold_share: Share = 0.2
    hold_seconds: Duration = 40
    key_share: Share = 0.01
    """Who leaves the queue by pressing a key."""
    moved_share: Share = 0.01
    """Who is moved to another queue while waiting."""
    blind_share: Share = 0.05
    consult_share: Share = 0.04
    to_queue_share: Share = 0.5
    """Of blind transfers, to a queue; the others go to a colleague."""
    recall_share: Share = 0.25
    """Of transfers to a colleague, those that nobody takes and that come back."""
    bridging_share: Share = 0.5
    """Of calls that a colleague takes over, those where the switch needs a moment to bring them
    together; of the others all is told in one instant."""
    callback_accepted_share: Share = 0.35
    callback_reached_share: Share = 0.7
    recording_share: Share = 0.5
    payment_share: Share = 0.1
    """Of recorded calls, those in which the recording is paused for a payment."""
    quality_share: Share = 0.6
    outbound_reached_share: Share = 0.55


class WrittenModel(Section):
    """What happens to chats, e-mails and social messages."""

    bot_share: Share = 0.4
    """Chats that a bot takes first."""
    bot_solved_share: Share = 0.3
    chat_turns: float = Field(default=4, ge=1)
    """Mean number of questions in a chat."""
    auto_reply_share: Share = 0.8
    """E-mails that get an automatic receipt."""
    out_of_office_share: Share = 0.03
    """Replies that meet a customer's automatic reply."""
    follow_up_share: Share = 0.25
    """Threads in which the customer writes again."""
    follow_up_seconds: Duration = 3600
    note_share: Share = 0.2
    """Replies before which an agent writes an internal note."""
    mention_share: Share = 0.3
    """Social messages that nobody has to answer."""


class AfterModel(Section):
    """What contacts lead to, and what leads to contacts."""

    resolved_share: Share = 0.78
    return_share: Share = 0.5
    """Of unresolved contacts, those whose customer comes back."""
    return_seconds: Duration = 5400
    channel_change_share: Share = 0.3
    reopen_share: Share = 0.08
    """Of solved tickets."""
    survey_share: dict[str, Share] = Field(
        default_factory=lambda: {"csat": 0.12, "nps": 0.06, "ces": 0.05}
    )
    """Of answered contacts, by kind; who was asked and did not answer leaves no trace."""
    selfservice_before_share: Share = 0.15
    selfservice_after_share: Share = 0.05
    selfservice_a_day: float = Field(default=100, ge=0)
    """Visits to self-service that come of themselves."""
    deflected_share: Share = 0.6
    """Of visits to self-service, those that solve it."""
    churn_share: Share = 0.01
    """Of customers with an unresolved contact."""


class CampaignModel(Section):
    """One campaign: a message to many customers."""

    name: str
    medium: Annotated[str, Field(pattern="^(email|sms)$")] = "email"
    at_hour: float = Field(default=10, ge=0, lt=24)
    messages: int = Field(default=500, ge=0)
    messages_a_second: float = Field(default=5, gt=0)
    delivered_share: Share = 0.96
    opened_share: Share = 0.3
    clicked_share: Share = 0.2
    """Of the opened ones."""
    contact_share: Share = 0.05
    """Of the opened ones: those that cause a contact."""


class FaultModel(Section):
    """What goes wrong between the centre and the broker. Nothing, unless asked for."""

    shuffled_share: Share = 0
    shuffled_seconds: Duration = 30
    """How far a shuffled event is thrown back at most."""
    repeated_share: Share = 0
    late_share: Share = 0
    late_seconds: Duration = 1800
    malformed_share: Share = 0
    """Garbage, sent in addition."""
    skewed_sources: tuple[Source, ...] = ()
    """Sources whose clock is wrong."""
    skew_seconds: float = Field(default=1, ge=-3600, le=3600)


class Simulation(Section):
    """A whole run: the same settings give the same events, byte for byte."""

    seed: int = 1
    start_at: AwareDatetime = datetime(2026, 3, 2, tzinfo=UTC)
    """The midnight (of its own offset) at which the first day begins."""
    days: int = Field(default=1, ge=1, le=366)
    overtime_seconds: float = Field(default=4 * 3600, ge=0)
    """How long contacts of the last day may still take. What is not over then stays open."""
    queues: tuple[QueueModel, ...] = Field(min_length=1)
    people: PeopleModel = PeopleModel()
    calls: CallModel = CallModel()
    written: WrittenModel = WrittenModel()
    after: AfterModel = AfterModel()
    campaigns: tuple[CampaignModel, ...] = ()
    faults: FaultModel = FaultModel()
    states_durations: bool = False
    """Whether sources state waits, talk, holds and wrap-up as they measured them, too."""

    @model_validator(mode="after")
    def _queues_are_known(self) -> "Simulation":
        names = [queue.name for queue in self.queues]
        if len(set(names)) < len(names):
            raise ValueError("two queues have the same name")
        for queue in self.queues:
            if queue.overflow_to and queue.overflow_to not in names:
                raise ValueError(
                    f"{queue.name} overflows to {queue.overflow_to}, which is no queue"
                )
        return self
