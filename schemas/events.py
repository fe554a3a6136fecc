"""The canonical event: a CloudEvents envelope and one data model for each type.

This is the only definition. `schemas.decode` builds its fast decoder from it, `schemas.jsonschema`
the published JSON Schema. Pure; imports pydantic alone.

Durations are seconds. Times are aware; they are stored in UTC.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

MAX_EVENT_BYTES: Final = 1 << 20
MAX_IDENTIFIERS: Final = 20
EARLIEST_YEAR: Final = 1990
LATEST_YEAR: Final = 2100

NO_CONTROL: Final = r"^[^\x00-\x1f\x7f]*$"
RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)


def _read_time(value: object) -> object:
    """An RFC 3339 text as a datetime, rounded to microseconds; anything else as it came.

    pydantic alone would also read Unix seconds in a string, times without seconds, and would cut
    nanoseconds off; what a time may look like is decided here, in one place.

    Raises:
        ValueError: the text is not RFC 3339 with seconds and an offset, or no such instant exists.
    """
    if not isinstance(value, str):
        return value
    parts = RFC3339.fullmatch(value)
    if parts is None:
        raise ValueError(
            "a time must be RFC 3339 with seconds and an offset, such as 2026-01-31T09:30:00Z"
        )
    moment, fraction, offset = parts.groups(default="")
    digits = fraction.ljust(7, "0")
    try:
        whole = datetime.fromisoformat(f"{moment.upper()}.{digits[:6]}{offset.upper()}")
        return whole + timedelta(microseconds=digits[6] >= "5")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"there is no such time ({error})") from error


Time = Annotated[AwareDatetime, BeforeValidator(_read_time)]
"""An instant: RFC 3339, any offset."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_CONTROL)]
"""An identity: of an event, a source, an interaction, an agent, a queue."""
Label = Annotated[str, StringConstraints(max_length=128, pattern=NO_CONTROL)]
"""A short name that people chose; may be empty."""
Text = Annotated[str, StringConstraints(max_length=4096, pattern=NO_CONTROL)]
Seconds = Annotated[float, Field(ge=0, le=315_360_000, allow_inf_nan=False)]
"""A duration in seconds, at most ten years."""
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Number = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]

Channel = Literal["call", "chat", "email", "social"]
Direction = Literal["inbound", "outbound"]
Party = Literal["customer", "agent", "system"]
IdentifierKind = Literal["phone", "email", "handle", "customer_number", "device", "other"]
ExitReason = Literal[
    "answered",
    "abandoned",
    "timed_out",
    "overflowed",
    "key_pressed",
    "transferred",
    "callback_accepted",
    "emptied",
]
TransferKind = Literal["blind", "consult", "recall"]
AgentState = Literal["offline", "available", "on_contact", "wrapup", "paused"]
Author = Literal["customer", "agent", "bot"]
TicketStatus = Literal["new", "open", "pending", "solved", "closed"]


class Data(BaseModel):
    """Base of what an event says. Unknown fields are allowed, and kept out of state."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class Identifier(Data):
    """One way to recognise a customer. `network` names the platform of a handle."""

    kind: IdentifierKind
    value: Annotated[str, StringConstraints(min_length=1, max_length=320, pattern=NO_CONTROL)]
    network: Label = ""


class Customer(Data):
    """Who an interaction is with, as far as its source knows."""

    identifiers: Annotated[tuple[Identifier, ...], Field(max_length=MAX_IDENTIFIERS)] = ()
    name: Label = ""


class InteractionStarted(Data):
    """A contact began. `linked_to` names the interaction it continues (a callback, say)."""

    direction: Direction = "inbound"
    purpose: Label = ""
    customer: Customer = Customer()
    language: Label = ""
    site: Label = ""
    linked_to: Label = ""
    agent: Label = ""


class InteractionEnded(Data):
    """A contact is over. `talk_seconds` where the source measured it."""

    by: Party
    disposition: Label = ""
    resolved: bool | None = None
    topic: Label = ""
    queue: Label = ""
    agent: Label = ""
    talk_seconds: Seconds | None = None


class CallBlocked(Data):
    """An attempt to call found no free line, so that no contact came of it.

    The subject is the attempt's own id. `trunk` names the group of lines.
    """

    direction: Direction = "inbound"
    site: Label = ""
    trunk: Label = ""
    reason: Label = ""


class IvrEntered(Data):
    """The customer entered a voice menu."""

    menu: Label = ""


class IvrExited(Data):
    """The customer left a voice menu."""

    outcome: Literal["contained", "agent_requested", "hung_up"]
    goal: bool | None = None
    path: Label = ""
    menu: Label = ""


class QueueEntered(Data):
    """The contact started to wait in a queue."""

    queue: Id
    priority: Count = 0
    skills: Annotated[tuple[Label, ...], Field(max_length=20)] = ()
    language: Label = ""
    position: Count | None = None
    customer: Customer = Customer()


class QueueExited(Data):
    """The contact stopped waiting. `wait_seconds` is the source's own measurement."""

    queue: Id
    reason: ExitReason
    wait_seconds: Seconds | None = None
    position: Count | None = None
    key: Label = ""


class AgentOffered(Data):
    """The contact was offered to an agent (their phone rings)."""

    agent: Id
    queue: Label = ""


class AgentMissed(Data):
    """An offered agent did not take it. A missed ring is not a lost contact."""

    agent: Id
    queue: Label = ""
    ring_seconds: Seconds | None = None


class AgentConnected(Data):
    """Agent and customer are connected: the contact is answered."""

    agent: Id
    queue: Label = ""
    wait_seconds: Seconds | None = None
    ring_seconds: Seconds | None = None


class AgentLeg(Data):
    """Something that happens while an agent has the contact."""

    agent: Label = ""
    queue: Label = ""


class WrapupEnded(AgentLeg):
    """After-contact work is done. `wrapup_seconds` where the source measured it."""

    wrapup_seconds: Seconds | None = None


class HoldEnded(AgentLeg):
    """The customer is off hold. `hold_seconds` where the source measured it."""

    hold_seconds: Seconds | None = None


class TransferStarted(AgentLeg):
    """An agent began to pass the contact on."""

    kind: TransferKind
    target: Label = ""


class TransferCompleted(AgentLeg):
    """The agent's part is over and the contact is with the target."""

    kind: TransferKind
    target: Label = ""
    talk_seconds: Seconds | None = None


class Callback(Data):
    """A step of a callback."""

    queue: Label = ""
    agent: Label = ""
    reason: Label = ""


class Message(Data):
    """A message on a thread. `automatic` marks auto-replies, which never count as responses."""

    author: Author
    agent: Label = ""
    public: bool = True
    automatic: bool = False
    in_reply_to: Label = ""
    text: Text = ""


class TicketStatusChanged(Data):
    """A ticket moved to another status."""

    status: TicketStatus
    agent: Label = ""


class Recording(Data):
    """A step of a recording; `reference` is where it can be found."""

    reference: Annotated[str, StringConstraints(max_length=1024, pattern=NO_CONTROL)] = ""


class QualityMeasured(Data):
    """Voice quality of one leg. Stored as measured: MOS and R factor are never recomputed."""

    leg: Label = ""
    mos: Number | None = None
    r_factor: Number | None = None
    codec: Label = ""
    jitter_seconds: Seconds | None = None
    loss_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None


class SurveySubmitted(Data):
    """A customer's rating of an interaction."""

    kind: Literal["csat", "nps", "ces"]
    score: Number
    scale_max: Number
    interaction: Label = ""
    comment: Text = ""


class AgentStateChanged(Data):
    """An agent is in a new state. `queue` narrows a pause or a membership to one queue."""

    state: AgentState
    reason: Label = ""
    queue: Label = ""
    skills: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    slots_used: Count | None = None
    slots_max: Count | None = None
    site: Label = ""
    remote: bool | None = None


class AgentScheduled(Data):
    """What an agent is planned to do. The interval is half-open: [from, to)."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, populate_by_name=True)

    from_: Annotated[Time, Field(alias="from")]
    to: Time
    activity: Label


class SelfserviceUsed(Data):
    """A customer helped themselves, or tried to."""

    surface: Literal["knowledge_base", "faq", "bot", "portal", "video", "forum", "feedback"]
    outcome: Literal["solved", "escalated", "left"]
    article: Label = ""


class CampaignMessage(Data):
    """A step of a campaign's message to one customer."""

    medium: Literal["email", "sms"]
    campaign: Id


class CustomerIdentified(Data):
    """These identifiers belong to one customer."""

    identifiers: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=MAX_IDENTIFIERS)]


class CustomerLinked(Data):
    """Two identifiers were found to be, or no longer to be, the same customer."""

    a: Identifier
    b: Identifier
    rule: Label = ""


class CustomerLifecycle(Data):
    """A customer left or came back."""

    reason: Label = ""


EVENT_DATA: Final[dict[str, type[Data]]] = {
    "interaction.started": InteractionStarted,
    "interaction.ended": InteractionEnded,
    "call.blocked": CallBlocked,
    "ivr.entered": IvrEntered,
    "ivr.exited": IvrExited,
    "queue.entered": QueueEntered,
    "queue.exited": QueueExited,
    "agent.offered": AgentOffered,
    "agent.missed": AgentMissed,
    "agent.connected": AgentConnected,
    "hold.started": AgentLeg,
    "hold.ended": HoldEnded,
    "wrapup.started": AgentLeg,
    "wrapup.ended": WrapupEnded,
    "transfer.started": TransferStarted,
    "transfer.completed": TransferCompleted,
    "callback.offered": Callback,
    "callback.requested": Callback,
    "callback.attempted": Callback,
    "callback.connected": Callback,
    "callback.failed": Callback,
    "message.received": Message,
    "message.sent": Message,
    "ticket.status_changed": TicketStatusChanged,
    "recording.started": Recording,
    "recording.paused": Recording,
    "recording.resumed": Recording,
    "recording.stopped": Recording,
    "quality.measured": QualityMeasured,
    "survey.submitted": SurveySubmitted,
    "agent.state_changed": AgentStateChanged,
    "agent.scheduled": AgentScheduled,
    "selfservice.used": SelfserviceUsed,
    "campaign.message_sent": CampaignMessage,
    "campaign.delivered": CampaignMessage,
    "campaign.opened": CampaignMessage,
    "campaign.clicked": CampaignMessage,
    "campaign.failed": CampaignMessage,
    "customer.identified": CustomerIdentified,
    "customer.linked": CustomerLinked,
    "customer.unlinked": CustomerLinked,
    "customer.churned": CustomerLifecycle,
    "customer.returned": CustomerLifecycle,
}
"""Every event type with the model of its `data`."""


class CloudEvent(BaseModel):
    """The envelope, common to all types (CloudEvents 1.0). `(source, id)` identifies an event.

    `data` is validated by `EVENT_DATA[type]`; `schemas.decode` joins the two.
    """

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: Id
    source: Id
    type: Id
    time: Time
    subject: Id
    tenant: Id = "default"
    datacontenttype: Label = ""
    dataschema: Annotated[str, StringConstraints(max_length=1024, pattern=NO_CONTROL)] = ""
    traceparent: Label = ""
    data: Any = None
