"""For tests of the fold: records, and a store that keeps what ReplacingMergeTree would keep."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from schemas.cloudevents import encode
from schemas.decode import Rejected, decode
from schemas.events import EVENT_DATA
from schemas.fact_rows import AgentStateRow, EventFactRow
from schemas.rows import (
    AgentPaneRow,
    ConversationPaneRow,
    CustomerInteractionRow,
    DeadLetterRow,
    EventRow,
    InteractionRow,
    KpiPaneRow,
    LateEventRow,
    Row,
)
from streams.fold.facts import Fact, fact_of, key_of
from streams.fold.interaction import interaction_of
from streams.fold.known import Interaction
from streams.fold.output import Rows
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from tests.oracle.batch import OracleRules, Tables

MONDAY_MS = 1_767_600_000_000
"""2026-01-05, 08:00 UTC."""
LATER_MS = 1_900_000_000_000
"""The broker's time: 2030, so that no event is ahead of it."""

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Record:
    """A record as it lies in a topic."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True)
class Happening:
    """An event before it is published; `at` in milliseconds since `MONDAY_MS`."""

    at: int
    type: str
    subject: str
    data: Mapping[str, Any]
    source: str = "pbx"
    id: str = ""
    tenant: str = "default"
    topic: str = "events.call"

    def value(self) -> bytes:
        model = EVENT_DATA[self.type]
        return encode(
            self.type,
            id=self.id or f"{self.type}@{self.at}/{self.subject}/{sorted(self.data.items())}"[:128],
            source=self.source,
            time=datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=MONDAY_MS + self.at),
            subject=self.subject,
            tenant=self.tenant,
            data=model.model_validate_json(_json(self.data)),
        )


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(dict(data))


def happening(
    at_seconds: float, event_type: str, subject: str = "c-1", /, **data: Any
) -> Happening:
    """An event `at_seconds` after `MONDAY_MS`; `source`, `id`, `tenant`, and `on` for the topic."""
    envelope: dict[str, Any] = {n: data.pop(n) for n in ("source", "id", "tenant") if n in data}
    if "on" in data:
        envelope["topic"] = data.pop("on")
    return Happening(round(at_seconds * 1000), event_type, subject, data, **envelope)


def records_of(happenings: Iterable[Happening], first_offset: int = 0) -> list[Record]:
    """The records of one source partition, in the order given; the broker's time is much later."""
    offsets = count(first_offset)
    return [Record(next(offsets), LATER_MS, h.subject.encode(), h.value()) for h in happenings]


Log = dict[tuple[str, int], list[Record]]


def log_of(happenings: Iterable[Happening], partitions: int = 1) -> Log:
    """The records of all source partitions: by topic and by the subject's hash."""
    split: defaultdict[tuple[str, int], list[Happening]] = defaultdict(list)
    for h in happenings:
        # Any stable hash does; that of strings is not, between runs.
        split[h.topic, sum(h.subject.encode()) % partitions].append(h)
    return {place: records_of(of_place) for place, of_place in split.items()}


class UpsertStore:
    """Tables of rows by key: of each key the row of the greatest version.

    Two rows of one key and version that differ are an error: then the order in which they come to
    lie in parts decides which of them is read.
    """

    def __init__(self) -> None:
        self.tables: defaultdict[type[Row], dict[Key, dict[str, Any]]] = defaultdict(dict)
        self._seen: dict[tuple[type[Row], Key, int], dict[str, Any]] = {}

    def write(self, rows: Rows) -> None:
        for table, of_table in rows.items():
            if not table.TABLE:
                continue  # published, and stored nowhere
            columns = table.columns()
            for values in of_table:
                row = dict(zip(columns, values, strict=True))
                key = tuple(row[name] for name in table.KEY)
                same = self._seen.setdefault((table, key, row["version"]), row)
                assert same == row, f"{table.TABLE} {key}: one version, two rows"
                held = self.tables[table].get(key)
                if held is None or row["version"] >= held["version"]:
                    self.tables[table][key] = row

    def content(self) -> dict[str, dict[Key, dict[str, Any]]]:
        """All that can be read under FINAL: deleted rows are gone. Versions are left out, because
        they say when a row was written, not what is so."""
        return {
            table.TABLE: {
                key: {name: value for name, value in row.items() if name != "version"}
                for key, row in rows.items()
                if not row.get("is_deleted")
            }
            for table, rows in self.tables.items()
        }

    def summed(self, table: type[Row]) -> dict[Key, Counter[Any]]:
        """Panes added up over their partials, without zeroes; map columns by (column, item)."""
        columns = table.columns()
        partial = ("log", "source_partition", "generation")
        names = [name for name in table.KEY if name not in partial]
        counted = columns[columns.index("version") + 1 :]
        total: defaultdict[Key, Counter[Any]] = defaultdict(Counter)
        for row in self.tables[table].values():
            pane = total[tuple(row[name] for name in names)]
            for name in counted:
                if isinstance(row[name], dict):
                    pane.update({(name, item): n for item, n in row[name].items()})
                else:
                    pane[name] += row[name]
        without = {key: Counter({c: n for c, n in p.items() if n}) for key, p in total.items()}
        return {key: pane for key, pane in without.items() if pane}

    def what_happened(self) -> dict[str, Any]:
        """What can be read of contacts and KPIs, whatever the order and place of their records."""
        content = self.content()
        of_delivery = {"opened_at", "log", "source_partition"}
        return {
            "interactions": {
                key: {name: value for name, value in row.items() if name not in of_delivery}
                for key, row in content.get(InteractionRow.TABLE, {}).items()
            },
            "customer_interactions": content.get(CustomerInteractionRow.TABLE, {}),
            "kpi_panes": self.summed(KpiPaneRow),
            "agent_panes": self.summed(AgentPaneRow),
            "event_facts": content.get(EventFactRow.TABLE, {}),
            "agent_states": content.get(AgentStateRow.TABLE, {}),
            "conversation_panes": self.summed(ConversationPaneRow),
        }

    def as_tables(self) -> Tables:
        """The same tables as the oracle gives."""
        tables = Tables()
        for row in self.tables[InteractionRow].values():
            key = (row["tenant"], row["interaction_id"])
            left_out = {"tenant", "interaction_id", "log", "version"}
            tables.interactions[key] = {n: v for n, v in row.items() if n not in left_out}
        for key, row in self.tables[CustomerInteractionRow].items():
            if not row["is_deleted"]:
                tables.customer_interactions[key] = (row["started_at"], row["channel"])
        tables.kpi_panes.update(self.summed(KpiPaneRow))
        tables.agent_panes.update(self.summed(AgentPaneRow))
        tables.conversation_panes.update(self.summed(ConversationPaneRow))
        for key, row in self.tables[EventRow].items():
            tables.events[key] = (row["topic"], row["source_partition"], row["source_offset"])
        for table, known in (
            (EventFactRow, tables.event_facts),
            (AgentStateRow, tables.agent_states),
        ):
            for key, row in self.tables[table].items():
                known[key] = {n: v for n, v in row.items() if n not in (*table.KEY, "version")}
        for row in self.tables[DeadLetterRow].values():
            place = (row["topic"], row["source_partition"], row["source_offset"])
            tables.dead_letters[place] = row["reason"]
        for row in self.tables[LateEventRow].values():
            place = (row["topic"], row["source_partition"], row["source_offset"])
            tables.late_events[place] = bool(row["applied"])
        return tables


def folded(log: Log, rules: FoldRules) -> UpsertStore:
    """What is stored after every source partition was folded at once."""
    store = UpsertStore()
    for (topic, partition), records in log.items():
        fold = PartitionFold(topic, partition, f"log of {topic}", 1, rules)
        fold.apply(records)
        store.write(fold.drain().rows)
    return store


def oracle_rules(rules: FoldRules) -> OracleRules:
    """The same rules, told to the oracle."""
    return OracleRules(
        lateness_ms=rules.lateness_ms,
        horizons_ms=rules.horizons_ms,
        forget_open_ms=rules.forget_open_ms,
        max_skew_ms=rules.max_skew_ms,
        thresholds_ms=rules.thresholds_ms,
    )


def differences(found: Tables, expected: Tables) -> list[str]:
    """Every difference between two sets of tables, a line each."""
    lines: list[str] = []
    for table in (f.name for f in fields(expected) if f.compare):
        ours: dict[Any, Any] = getattr(found, table)
        theirs: dict[Any, Any] = getattr(expected, table)
        for key in sorted(ours.keys() | theirs.keys(), key=repr):
            left, right = ours.get(key), theirs.get(key)
            if left == right:
                continue
            if isinstance(left, dict) and isinstance(right, dict):
                columns = sorted(left.keys() | right.keys(), key=repr)
                lines += [
                    f"{table} {key}.{name}: {left.get(name)!r}, expected {right.get(name)!r}"
                    for name in columns
                    if left.get(name) != right.get(name)
                ]
            else:
                lines.append(f"{table} {key}: {left!r}, expected {right!r}")
    return lines


def told(*happenings: Happening) -> Interaction:
    """What these say of one interaction."""
    return interaction_of(map(fact_told, happenings))


def fact_told(happening: Happening) -> Fact:
    """The fact that an event is kept as; its time since `MONDAY_MS`."""
    event = decode(happening.value())
    assert not isinstance(event, Rejected), event
    at = round(event.time.timestamp() * 1000) - MONDAY_MS
    return fact_of(event.type, event.data, at, key_of(event.source, event.id))
