"""What is answered about a customer: who they are, and their contacts, newest first.

The contract of `switchboard timeline --format json` and of the HTTP API, whose OpenAPI is made from
these models. Times are aware, in UTC; durations are seconds; `null` stands for what is not known.
Pure; imports pydantic alone.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]
Seconds = Annotated[float, Field(ge=0)]


class Shape(BaseModel):
    """Base of all of these. The text below a field is its description in OpenAPI."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Visit(Shape):
    """One stay with a queue, and the conversation that came of it."""

    queue: str
    entered_at: Instant
    outcome: str
    """`answered`, `abandoned`, another reason of leaving, or `open` while it waits."""
    agent: str
    wait_seconds: Seconds | None
    ring_seconds: Seconds | None
    talk_seconds: Seconds | None
    hold_seconds: Seconds
    wrapup_seconds: Seconds | None
    missed_rings: int
    transfer: str
    """How the conversation was passed on: `blind`, `consult`, `recall`; empty if it was not."""


class Transfer(Shape):
    """One link of the chain by which a contact was passed on."""

    at: Instant
    kind: str
    from_agent: str
    target: str
    completed: bool
    """Whether it arrived: one that was begun and not completed left the contact where it was."""


class Hold(Shape):
    """The customer was put on hold."""

    started_at: Instant
    agent: str
    seconds: Seconds | None
    """`null` while it lasts, or if its end was never told."""


class CallbackStep(Shape):
    """A step of a callback: `requested`, `attempted`, `connected` or `failed`."""

    at: Instant
    step: str
    queue: str
    agent: str
    reason: str


class Menu(Shape):
    """A visit to a voice menu."""

    entered_at: Instant
    menu: str
    outcome: str
    """`contained`, `agent_requested`, `hung_up`; empty while in it."""
    path: str


class Message(Shape):
    """A message, in the order of its thread: an answer comes after what it answers."""

    at: Instant
    id: str
    author: str
    agent: str
    text: str
    public: bool
    automatic: bool
    in_reply_to: str
    depth: int
    """How deep in its thread: 0 begins one, 1 answers it."""


class Rating(Shape):
    """A customer's answer to a survey."""

    submitted_at: Instant
    kind: str
    score: float
    scale_max: float
    comment: str
    interaction_id: str


class Recording(Shape):
    """Where a recording is found."""

    reference: str
    started_at: Instant
    stopped_at: Instant | None


class TicketStatus(Shape):
    """A ticket's new status."""

    at: Instant
    status: str
    agent: str


class Contact(Shape):
    """One contact on one channel, with everything that happened to it."""

    interaction_id: str
    channel: str
    direction: str
    status: str
    """`open`, `ended`, or `transferred`."""
    started_at: Instant
    last_event_at: Instant
    ended_at: Instant | None
    ended_by: str
    outcome: str
    """Of its queues: `answered` if an agent took it, else how it left the last one; empty where it
    met no queue and no agent."""
    purpose: str
    language: str
    site: str
    topic: str
    disposition: str
    resolved: bool | None
    continues: str
    """The contact that it goes on from: that of the call back, say."""
    customer_name: str
    identifiers: list[str]
    agents: list[str]
    wait_seconds: Seconds
    talk_seconds: Seconds
    hold_seconds: Seconds
    wrapup_seconds: Seconds
    first_response_seconds: float | None
    """From its beginning to the first public reply of a person."""
    replies: int
    """Public replies of agents to a customer who waited for one."""
    reply_seconds: Seconds
    """How long the customer waited for all of them together."""
    waiting_since: Instant | None = None
    """The customer's first message that nobody has answered; `null` where no answer is due."""
    ticket_status: str
    """`new`, `open`, `pending`, `solved` or `closed`; empty where it has no ticket."""
    ticket_status_at: Instant | None = None
    solved_at: list[Instant]
    """Each time that it was solved."""
    reopened_at: list[Instant]
    """When each of these was undone: as many, or one less where it is solved."""
    missed_rings: int
    visits: list[Visit]
    transfers: list[Transfer]
    holds: list[Hold]
    menus: list[Menu]
    callbacks: list[CallbackStep]
    messages: list[Message]
    tickets: list[TicketStatus]
    ratings: list[Rating]
    recordings: list[Recording]
    has_events: bool
    """Whether its events are still stored. Without them the lists beside `visits` are empty."""


class TimelinePage(Shape):
    """Contacts of one customer, newest first."""

    customer_id: str
    contacts: list[Contact]
    next_cursor: str | None
    """Asks for the next page; `null` on the last one."""


class ChannelUse(Shape):
    """How a customer uses a channel."""

    channel: str
    contacts: int
    first_contact_at: Instant
    last_contact_at: Instant


class OpenContact(Shape):
    """A contact that has not ended."""

    interaction_id: str
    channel: str
    started_at: Instant
    queue: str
    """The one it is in, or was answered from; empty where it met none."""
    agent: str
    topic: str
    waiting_since: Instant | None
    """The customer's first message that nobody has answered; `null` where no answer is due."""
    ticket_status: str


class Summary(Shape):
    """A customer at a glance. Contacts of both directions count."""

    first_seen_at: Instant | None
    last_contact_at: Instant | None
    contacts: int
    contacts_7_days: int
    contacts_30_days: int
    channels: list[ChannelUse]
    """The last used first."""
    open: list[OpenContact]
    """Of the latest contacts that are looked at (20), those that have not ended."""
    ratings: list[Rating]
    """The last of each kind (CSAT, NPS, CES) among the same."""


class Customer(Shape):
    """Who somebody is, as far as is known."""

    customer_id: str
    name: str
    identifiers: list[str]
    """Every one by which they are known, as `kind:value`; handles as `handle:network:value`."""
    summary: Summary
