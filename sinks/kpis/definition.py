"""What a KPI is, and the few shapes that nearly all formulas have. Pure.

An expression is ClickHouse SQL over the count columns of its grain: see `counts.py` for queues,
`customers.py` and `agents.py` for the others. The same text is evaluated over panes and over
interactions.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Unit = Literal["contacts", "customers", "rings", "rings per contact", "ratio", "seconds"]


class Grain(Enum):
    """What a KPI is computed over, and so which view shows it."""

    QUEUE = "kpi_interval"
    CALLERS = "callers"
    FIRST_CONTACT = "fcr"
    AGENT = "agent_interval"


@dataclass(frozen=True, slots=True)
class Kpi:
    """One KPI.

    `id` is its public name: JSON key, with the unit in it where there is one; a dot nests, as in
    `service_level_ratio.offered`. `expression` yields NULL where there is nothing to divide by.
    `events` are the event types without which it cannot be known. `pitfalls` says what the number
    is mistaken for, and which variants exist. `source` says whose definition it is.
    """

    id: str
    unit: Unit
    expression: str
    title: str
    explanation: str
    events: tuple[str, ...]
    pitfalls: str
    source: str
    grain: Grain = Grain.QUEUE

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
