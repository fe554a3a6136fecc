"""A fold of one source partition under short rules, and the few events that most tests tell it."""

from typing import Any

from schemas.rows import Row
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from tests.support.fold import Happening, happening, records_of

RULES = FoldRules(
    lateness_ms=60_000,
    horizons_ms={"call": 120_000, "chat": 120_000},
    forget_open_ms=900_000,
)
MINUTE = 60


def call_fold(topic: str = "events.call") -> PartitionFold:
    return PartitionFold(topic, 3, "log", 2, RULES)


def apply(fold: PartitionFold, *happenings: Happening) -> None:
    fold.apply(records_of(happenings, fold.next_offset))


def drained(fold: PartitionFold, table: type[Row]) -> list[dict[str, Any]]:
    rows = fold.drain().rows.get(table, [])
    return [dict(zip(table.columns(), row, strict=True)) for row in rows]


def started(at: float, subject: str = "c-1", **data: Any) -> Happening:
    return happening(at, "interaction.started", subject, **data)


def entered(at: float, subject: str = "c-1", **data: Any) -> Happening:
    return happening(at, "queue.entered", subject, queue="IT", **data)


def ended(at: float, subject: str = "c-1", **data: Any) -> Happening:
    return happening(at, "interaction.ended", subject, by="customer", **data)


def state(at: float, value: str, agent: str = "ada", **data: Any) -> Happening:
    return happening(at, "agent.state_changed", agent, state=value, **data)
