"""The truth: what happened in the simulated centre, as the model itself decided it. Pure.

The model works on these very objects: a visit waits as long as its `outcome` is empty, a leg lasts
as long as it has no `ended_at`. Nothing here is read from events. Instants are milliseconds since
the simulation began, durations milliseconds; `to_document` gives them as people write them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from schemas.events import AgentState, Author, Channel, Direction, ExitReason, Party, TicketStatus

RingOutcome = Literal["answered", "missed", "cancelled"]
MenuOutcome = Literal["contained", "agent_requested", "hung_up"]


@dataclass(slots=True, eq=False)
class Person:
    """A customer, whom only the simulation knows to be one.

    `identifiers` are (kind, value, network), the ones shown most often first; `shared` is one that
    is somebody else's as well, if any.
    """

    number: int
    language: str
    identifiers: list[tuple[str, str, str]]
    name: str = ""
    shared: tuple[str, str, str] | None = None
    churned_at: int | None = None
    returned_at: int | None = None


@dataclass(slots=True, eq=False)
class Bond:
    """Two identifiers were said to be one customer's, until it was undone (by mistake, then)."""

    a: tuple[str, str, str]
    b: tuple[str, str, str]
    at: int
    undone_at: int | None = None


@dataclass(slots=True, eq=False)
class Leg:
    """One agent with the customer; `queue` is empty where it came from no queue.

    `talk_ms` is time with the customer, holds left out; `hold_ms` that of ended holds.
    """

    agent: str
    queue: str
    connected_at: int
    ring_ms: int | None = None
    talk_ms: int = 0
    hold_ms: int = 0
    holds: int = 0
    ended_at: int | None = None
    wrapup_ms: int | None = None
    wrapped_up_at: int | None = None
    transfer: str = ""
    mos: float | None = None
    r_factor: float | None = None
    codec: str = ""

    @property
    def concluded_at(self) -> int | None:
        """When the agent was done with it, wrap-up included as far as it is over."""
        return self.ended_at if self.wrapped_up_at is None else self.wrapped_up_at


@dataclass(slots=True, eq=False)
class Visit:
    """One stay in a queue; `outcome` is empty while the customer waits."""

    queue: str
    entered_at: int
    priority: int = 0
    position: int = 1
    outcome: ExitReason | Literal[""] = ""
    wait_ms: int | None = None
    missed_rings: int = 0
    leg: Leg | None = None

    @property
    def concluded_at(self) -> int | None:
        """When all was over here; None while anything is going on."""
        if self.leg is not None:
            return self.leg.concluded_at
        return None if self.wait_ms is None else self.entered_at + self.wait_ms


@dataclass(slots=True, eq=False)
class Ring:
    """An agent's phone rang."""

    agent: str
    at: int
    ring_ms: int
    outcome: RingOutcome


@dataclass(slots=True, eq=False)
class Menu:
    """A stay in the voice menu; `outcome` is empty while it lasts."""

    menu: str
    entered_at: int
    outcome: MenuOutcome | Literal[""] = ""
    goal: bool = False
    menu_ms: int | None = None


@dataclass(slots=True, eq=False)
class Written:
    """One message of a thread."""

    author: Author
    at: int
    agent: str = ""
    public: bool = True
    automatic: bool = False


@dataclass(slots=True, eq=False)
class Rating:
    """An answered survey."""

    kind: Literal["csat", "nps", "ces"]
    at: int
    score: int
    scale_max: int


@dataclass(slots=True, eq=False)
class Contact:
    """One interaction. `customer` is the person's number, also where nothing tells who it was.

    `identifiers` are what the sources were told; `cause` names a campaign or the interaction that
    made the customer come back.
    """

    interaction: str
    channel: Channel
    direction: Direction
    customer: int
    started_at: int
    language: str
    site: str = ""
    purpose: str = ""
    topic: str = ""
    agent: str = ""
    linked_to: str = ""
    cause: str = ""
    identifiers: list[tuple[str, str, str]] = field(default_factory=list)
    menu: Menu | None = None
    visits: list[Visit] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    rings: list[Ring] = field(default_factory=list)
    messages: list[Written] = field(default_factory=list)
    ticket: list[tuple[int, TicketStatus]] = field(default_factory=list)
    callback: list[tuple[int, str, str]] = field(default_factory=list)
    """When which step was taken, and for which queue."""
    ratings: list[Rating] = field(default_factory=list)
    first_response_ms: int | None = None
    asked_for_rating: list[str] = field(default_factory=list)
    ended_at: int | None = None
    ended_by: Party | Literal[""] = ""
    disposition: str = ""
    resolved: bool | None = None

    def reopen(self) -> None:
        """It goes on; what its end said is void."""
        self.ended_at = None
        self.ended_by = self.disposition = ""
        self.resolved = None

    @property
    def answered(self) -> bool:
        """Whether any person ever took it."""
        return bool(self.legs)


@dataclass(slots=True, eq=False)
class Staff:
    """An agent's day. `states` are the moments of change: (at, state, slots used); whoever is at
    work is so for all their `queues`.
    """

    agent: str
    site: str
    remote: bool
    languages: tuple[str, ...]
    skills: tuple[str, ...]
    slots_max: int
    queues: tuple[str, ...] = ()
    schedule: list[tuple[int, int, str]] = field(default_factory=list)
    states: list[tuple[int, AgentState, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Blocked:
    """An attempt to call that found no free line."""

    at: int
    direction: Direction
    site: str


@dataclass(slots=True, eq=False)
class SelfService:
    """A customer helped themselves, or tried to; `shown` is the identifier that was told."""

    customer: int
    at: int
    surface: str
    outcome: Literal["solved", "escalated", "left"]
    article: str = ""
    shown: tuple[str, str, str] = ("", "", "")


@dataclass(slots=True, eq=False)
class Mailing:
    """A campaign's message to one customer, with what became of it; `shown` as in self-service."""

    campaign: str
    medium: Literal["email", "sms"]
    customer: int
    sent_at: int
    delivered_at: int | None = None
    failed_at: int | None = None
    opened_at: int | None = None
    clicked_at: int | None = None
    shown: tuple[str, str, str] = ("", "", "")


@dataclass(slots=True)
class Truth:
    """All of it, in the order in which it began."""

    started_at: datetime
    people: dict[int, Person] = field(default_factory=dict)
    staff: list[Staff] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    bonds: list[Bond] = field(default_factory=list)
    selfservice: list[SelfService] = field(default_factory=list)
    mailings: list[Mailing] = field(default_factory=list)

    def documents(self) -> Iterator[dict[str, Any]]:
        """One a record, ready for JSON; `is` says of which kind."""
        for group in (
            self.people.values(),
            self.staff,
            self.contacts,
            self.blocked,
            self.bonds,
            self.selfservice,
            self.mailings,
        ):
            for record in group:
                kind = type(record).__name__.lower()
                yield {"is": kind, **to_document(record, self.started_at)}


def to_document(record: Any, started_at: datetime) -> dict[str, Any]:
    """A record with times in UTC and durations in seconds: `wait_ms` becomes `wait_seconds`."""
    document: dict[str, Any] = {}
    for part in fields(record):
        name, value = part.name, getattr(record, part.name)
        if name.endswith("_ms"):
            name = name.removesuffix("_ms") + "_seconds"
            value = None if value is None else value / 1000
        elif (name == "at" or name.endswith("_at")) and value is not None:
            value = _instant(started_at, value)
        elif name in _TIMED:
            value = [_timed(item, started_at, _TIMED[name]) for item in value]
        elif is_dataclass(value):
            value = to_document(value, started_at)
        elif isinstance(value, list) and value and is_dataclass(value[0]):
            value = [to_document(item, started_at) for item in value]
        document[name] = value
    return document


_TIMED = {"states": 1, "schedule": 2, "ticket": 1, "callback": 1}
"""Lists of tuples, with how many instants each begins."""


def _timed(item: tuple[Any, ...], started_at: datetime, instants: int) -> list[Any]:
    return [_instant(started_at, at) for at in item[:instants]] + list(item[instants:])


def _instant(started_at: datetime, at: int) -> str:
    moment = started_at + timedelta(milliseconds=at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
