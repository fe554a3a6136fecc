"""What a KPI is, and the few shapes that nearly all formulas have. Pure.

An expression is ClickHouse SQL over the counts of what the KPI is counted over: of queues those of
`counts.py`, of agents and customers those that their definitions name, of a `Family` those that its
KPIs define themselves (`Tally`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, NamedTuple

Unit = Literal[
    "chats",
    "contacts",
    "customers",
    "legs",
    "messages",
    "points",
    "ratings",
    "ratio",
    "replies",
    "rings",
    "rings per contact",
    "contacts per hour",
    "seconds",
    "uses",
]

PANE_DIMENSIONS: Final = ("queue", "channel", "direction")
"""By what KPIs of queues can be split where they are read from panes."""
DIMENSIONS: Final = (
    *PANE_DIMENSIONS,
    "purpose",
    "language",
    "skill",
    "site",
    "agent",
    "topic",
    "menu",
    "surface",
    "campaign",
    "medium",
    "codec",
    "hour",
)
"""All by which anything can be split, beside tenant and time; `hour` is the hour of the day."""
CONTACT_DIMENSIONS: Final = (
    *PANE_DIMENSIONS,
    "purpose",
    "language",
    "site",
    "agent",
    "topic",
    "hour",
)
"""By what whatever belongs to a contact can be split."""
VISIT_DIMENSIONS: Final = (*CONTACT_DIMENSIONS, "skill")
_OF_STATES: Final = tuple(name for name in VISIT_DIMENSIONS if name != "hour")


class Grain(Enum):
    """What a KPI is computed over, and so which view shows it."""

    QUEUE = "kpi_interval"
    CALLERS = "callers"
    FIRST_CONTACT = "fcr"
    AGENT = "agent_interval"
    CONVERSATION = "conversation_interval"
    SOLUTION = "solutions"
    BACKLOG = "backlog"
    CHAT_TIME = "chat_time"

    @property
    def dimensions(self) -> tuple[str, ...]:
        """By what it can be split."""
        match self:
            case Grain.AGENT:
                return ("agent",)
            case Grain.CALLERS | Grain.FIRST_CONTACT:
                return CONTACT_DIMENSIONS
            case Grain.BACKLOG:
                return _OF_STATES
            case _:
                return VISIT_DIMENSIONS


@dataclass(frozen=True, slots=True)
class Family:
    """Rows that KPIs are counted over: one a survey, a menu, a message of a campaign, …

    `rows` is a SELECT that gives `tenant`, `at` (the instant at which the row counts), a column for
    each of `dimensions` but `hour`, and what its KPIs count; `interaction_id` where it has a
    contact. The view is called `kpi_` and the name.
    """

    name: str
    dimensions: tuple[str, ...]
    rows: str

    @property
    def view(self) -> str:
        """The name of its view."""
        return f"kpi_{self.name}"


class Tally(NamedTuple):
    """What one row adds to a count: SQL over the row, and how rows add up."""

    of_row: str
    total: Literal["sum", "min", "max", "any", "groupArray"] = "sum"


class Section(NamedTuple):
    """A heading under which KPIs are shown, and its place among them."""

    place: int
    title: str


OTHERS: Final = Section(99, "Others")


@dataclass(frozen=True, slots=True)
class Kpi:
    """One KPI.

    `id` is its public name: JSON key, with the unit in it where there is one; a dot nests, as in
    `service_level_ratio.offered`. `expression` yields NULL where there is nothing to divide by.
    `events` are the event types without which it cannot be known: none where no type tells it.
    `pitfalls` says what the number is mistaken for, and which variants exist. `source` says whose
    definition it is. `counts` are those of its family's rows that it needs, by the names that the
    expression uses.
    """

    id: str
    unit: Unit
    expression: str
    title: str
    explanation: str
    events: tuple[str, ...]
    pitfalls: str
    source: str
    grain: Grain | Family = Grain.QUEUE
    counts: Mapping[str, Tally] = field(default_factory=dict)

    @property
    def column(self) -> str:
        """The KPI's column in views: its id with dots as underscores."""
        return self.id.replace(".", "_")


def ratio(part: str, whole: str) -> str:
    """`part / whole` of two count expressions, between 0 and 1; NULL where `whole` is 0."""
    return f"({part}) / nullIf({whole}, 0)"


def mean_seconds(sum_ms: str, count: str) -> str:
    """The mean in seconds of durations summed in milliseconds; NULL where there were none."""
    return f"({sum_ms}) / nullIf({count}, 0) / 1000"


def tallies(**of_row: str) -> dict[str, Tally]:
    """Counts that are sums, by their names."""
    return {name: Tally(sql) for name, sql in of_row.items()}
