"""Figures of a time, computed anew from stored events beside those that are there.

Replays what is in `events` through the fold, under the settings and definitions of this program,
into a database of its own; then asks both databases the same questions. Nothing that a worker has
written is touched. Blocks, and touches the two stores it is given.

Whole contacts are replayed: all that have an event in the time, or within `MARGIN` of it, because
repeats and returns look that far. All events count, those that came too late to count, too: what
they change is among the changes.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.fact_rows import AgentStateRow, EventFactRow
from schemas.identity_rows import IdentityMapRow
from schemas.rows import (
    AgentPaneRow,
    ConversationPaneRow,
    CustomerInteractionRow,
    InteractionRow,
    KpiPaneRow,
    Row,
    WatermarkRow,
)
from schemas.settings import Settings
from schemas.topics import CHANNEL_OF, EVENTS_AGENT, SOURCE_TOPICS
from sinks.kpis.catalogue import FAMILIES, KPIS
from sinks.kpis.query import KpiResult, Value, agent_table, kpi_table
from sinks.kpis.views import views
from sinks.migrate import migrate
from sinks.store import Store
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.parts import queue_setting_rows

MARGIN: Final = timedelta(days=1)
LONGEST_STATE: Final = timedelta(days=7)
"""How far back the state lies that an agent is in at the beginning."""
EVENTS_AT_ONCE: Final = 100_000
"""About how many events are in memory; contacts are taken in so many parts."""
LOG: Final = "recomputed"
_NEVER_LATE_MS: Final = 1 << 50
_SAME: Final = 1e-12
_COPIED: Final[tuple[type[Row], ...]] = (IdentityMapRow, WatermarkRow)
"""Who is whom, and how far the log has come: as they are."""
_REPLAYED: Final[tuple[type[Row], ...]] = (
    EventFactRow,
    AgentStateRow,
    InteractionRow,
    CustomerInteractionRow,
    KpiPaneRow,
    AgentPaneRow,
    ConversationPaneRow,
)
"""What figures are made of."""


class Change(NamedTuple):
    """One figure that is another now; None where there was, or is, none."""

    kpi: str
    dimensions: dict[str, str]
    interval_start: datetime | None
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Recomputation:
    """What was replayed, what came of it, and how many figures are as they were."""

    events: int
    changes: list[Change] = field(default_factory=list)
    same: int = 0


class _Stored(NamedTuple):
    """A stored event as a record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


def recompute(
    store: Store,
    beside: Store,
    settings: Settings,
    rules: FoldRules,
    from_: datetime,
    to: datetime,
    interval: str = "all",
    split: Sequence[str] = ("queue",),
) -> Recomputation:
    """Compute the figures of [from_, to) anew in `beside`, and compare.

    `beside` is a database of the same server, or the same embedded engine; whatever was in it is
    dropped, and what came of it stays there. Raises `KpiQueryError`, `StoreError`, and what
    `sinks.migrate.migrate` does.
    """
    before = _figures(store, settings, from_, to, interval, split)
    beside.command(f"DROP DATABASE IF EXISTS `{beside.database}` SYNC", use_database=False)
    migrate(beside, queue_settings=queue_setting_rows(settings), views=views(settings))
    for row_type in _COPIED:
        columns = ", ".join(row_type.columns())
        beside.command(
            f"INSERT INTO {row_type.TABLE} ({columns})"  # noqa: S608 -- constants
            f" SELECT {columns} FROM `{store.database}`.{row_type.TABLE} FINAL"
        )
    replayed = sum(
        _replayed(store, beside, topic, settings.tenant, rules, from_, to)
        for topic in SOURCE_TOPICS
    )
    after = _figures(beside, settings, from_, to, interval, split)
    changes, same = compared(before, after)
    return Recomputation(replayed, changes, same)


def compared(before: Sequence[KpiResult], after: Sequence[KpiResult]) -> tuple[list[Change], int]:
    """The figures that differ, and how many do not."""
    old, new = _by_place(before), _by_place(after)
    order = {kpi_id: place for place, kpi_id in enumerate(KPIS)}
    changes, same = [], 0
    for place in dict.fromkeys([*old, *new]):
        was, now = old.get(place), new.get(place)
        shown = now or was
        if shown is None:
            continue
        values = [{} if result is None else result.values for result in (was, now)]
        for kpi_id in sorted({*values[0], *values[1]}, key=lambda i: order.get(i, len(order))):
            left, right = values[0].get(kpi_id), values[1].get(kpi_id)
            if _equal(left, right):
                same += 1
            else:
                at = shown.interval_start
                changes.append(Change(kpi_id, shown.dimensions, at, left, right))
    return changes, same


def _by_place(results: Sequence[KpiResult]) -> dict[tuple[Any, ...], KpiResult]:
    return {(*r.dimensions.items(), r.interval_start): r for r in results}


def _equal(left: Value, right: Value) -> bool:
    if left is None or right is None:
        return left is right
    return math.isclose(left, right, rel_tol=_SAME, abs_tol=_SAME)


def _figures(
    store: Store,
    settings: Settings,
    from_: datetime,
    to: datetime,
    interval: str,
    split: Sequence[str],
) -> list[KpiResult]:
    """All figures that the store's views give: an earlier program's may lack some."""
    there = {
        row["name"]
        for row in store.query("SELECT name FROM system.tables WHERE database = currentDatabase()")
    }
    results = kpi_table(
        store,
        settings.tenant,
        from_=from_,
        to=to,
        interval=interval,
        timezone_of=lambda name: settings.queue(name).timezone,
        split=split,
        families=[family for family in FAMILIES if family.view in there],
    )
    zone = settings.queue("").timezone
    return results + agent_table(store, settings.tenant, None, from_, to, interval, zone)


def _replayed(
    store: Store,
    beside: Store,
    topic: str,
    tenant: str,
    rules: FoldRules,
    from_: datetime,
    to: datetime,
) -> int:
    """Fold the events of one topic into `beside`; how many there were."""
    asked: dict[str, Any] = {
        "topic": topic,
        "tenant": tenant,
        "begin": _literal(from_ - (LONGEST_STATE if topic == EVENTS_AGENT else MARGIN)),
        "end": _literal(to + MARGIN),
    }
    (counted,) = store.query(
        f"SELECT count() AS n FROM events FINAL WHERE {_which(topic)}",  # noqa: S608 -- constants
        asked,
    )
    parts = max(1, math.ceil(counted["n"] / EVENTS_AT_ONCE))
    patient = replace(rules, lateness_ms=_NEVER_LATE_MS)
    for part in range(parts):
        # In the order of their times; that of their offsets decides nothing.
        rows = store.query(
            "SELECT toUnixTimestamp64Milli(produced_at) AS at, subject, payload"  # noqa: S608
            f" FROM events FINAL WHERE {_which(topic)}"
            " AND cityHash64(subject) % {parts:UInt32} = {part:UInt32}"
            " ORDER BY occurred_at, source_offset",
            {**asked, "parts": parts, "part": part},
            bytes_columns=("subject", "payload"),
        )
        fold = PartitionFold(topic, part, LOG, 1, patient)
        fold.apply(list(_records(rows)))
        for row_type, told in fold.drain().rows.items():
            if row_type in _REPLAYED:
                beside.insert(row_type, told)
    return int(counted["n"])


def _which(topic: str) -> str:
    """The condition on events: those of the time, and all of contacts that have one in it."""
    here = "tenant = {tenant:String} AND topic = {topic:String}"
    instant = "DateTime64(3, 'UTC')"
    within = f"occurred_at >= {{begin:{instant}}} AND occurred_at < {{end:{instant}}}"
    if topic not in CHANNEL_OF:
        return f"{here} AND {within}"
    within_it = f"SELECT subject FROM events WHERE {here} AND {within}"  # noqa: S608 -- constants
    return f"{here} AND subject IN ({within_it})"


def _records(rows: Sequence[Mapping[str, Any]]) -> Iterator[_Stored]:
    for offset, row in enumerate(rows):
        yield _Stored(offset, row["at"], row["subject"], row["payload"])


def _literal(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
