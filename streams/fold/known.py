"""What is known about one interaction; `streams.fold.interaction` makes it of facts. Pure."""

from typing import Final

from mypy_extensions import mypyc_attr

from streams.fold.conversation import Conversation
from streams.fold.facts import Fact
from streams.fold.legs import Leg

_BEFORE_ALL: Final = Fact(-(1 << 62), 0, 0, 0, "", "", 0, None)


@mypyc_attr(acyclic=True)
class Interaction:
    """What is known about one interaction. Instants and durations in milliseconds.

    `visits` are the stays with queues in the order of their beginnings, `legs` the conversations,
    of visits and direct ones, in the order of theirs.
    """

    __slots__ = (
        "agents",
        "conversation",
        "customer_name",
        "disagreements",
        "disposition",
        "ended_at",
        "ended_by",
        "has_beginning",
        "identifiers",
        "language",
        "last_fact",
        "last_fact_but_one",
        "legs",
        "linked_to",
        "misses",
        "outbound_attempts",
        "purpose",
        "resolved",
        "site",
        "started_at",
        "status",
        "told_direction",
        "told_status",
        "topic",
        "transfers",
        "visits",
    )

    def __init__(self, started_at: int) -> None:
        self.started_at = started_at
        self.last_fact = self.last_fact_but_one = _BEFORE_ALL
        self.told_direction = self.purpose = self.language = self.site = self.linked_to = ""
        self.customer_name = ""
        self.identifiers: dict[str, None] = {}
        self.ended_at: int | None = None
        self.ended_by = self.disposition = self.topic = ""
        self.resolved: bool | None = None
        self.status = self.told_status = "open"
        self.has_beginning = False
        self.visits: list[Leg] = []
        self.legs: list[Leg] = []
        self.agents: dict[str, None] = {}
        self.transfers: list[str] = []
        self.misses: list[tuple[int, str]] = []
        self.outbound_attempts: list[tuple[int, str]] = []
        self.conversation: Conversation | None = None
        """None as long as there is no message and no ticket."""
        self.disagreements = 0

    @property
    def direction(self) -> str:
        """What the first beginning says; inbound where none does."""
        return self.told_direction or "inbound"

    @property
    def last_event_at(self) -> int:
        """The time of the latest fact."""
        return self.last_fact.at
