"""The verdict: what ClickHouse holds against what the oracle says it must. Reads the store only.

`lost` and `repeated` count records (invariant I1), `wrong` rows (I2) and versions that no replay of
the log could have given (I4).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from schemas.fact_rows import AgentStateRow, EventFactRow
from schemas.identity_rows import IdentityEdgeRow, IdentityLinkRow, IdentityMapRow
from schemas.rows import (
    LAST_OFFSET,
    VERSION_OFFSET_BITS,
    AgentPaneRow,
    ConversationPaneRow,
    CustomerInteractionRow,
    EventRow,
    InteractionRow,
    KpiPaneRow,
    LateEventRow,
    Row,
    WatermarkRow,
)
from sinks.refused import REASON as REFUSED
from sinks.store import Store
from streams.fold.rules import FoldRules
from streams.identity.guards import STRONG_KINDS, Limits
from tests.faults.generate import REFUSED_PREFIX
from tests.faults.publish import Partition, Published
from tests.oracle.batch import Tables, tables_of
from tests.oracle.identity import partition
from tests.support.fold import oracle_rules

SHOWN: Final = 5
"""Differences of each kind that are told in words."""
(STRONG,) = STRONG_KINDS
PARTIAL: Final = ("log", "source_partition", "generation", "version")
_LATEST: Final = (
    *(EventRow, InteractionRow, KpiPaneRow, AgentPaneRow, ConversationPaneRow, LateEventRow),
    IdentityLinkRow,
    WatermarkRow,
)
"""Tables whose rows name the log, the partition and the version under which they were written."""
_WITHOUT_LOG: Final = (
    *(CustomerInteractionRow, EventFactRow, AgentStateRow, IdentityMapRow, IdentityEdgeRow),
)
_OF_THE_LOG: Final = ("log", "version", "produced_at")
"""Columns that differ where the same records lie in another log."""


class _Read(NamedTuple):
    """A record as the oracle takes it."""

    offset: int
    timestamp: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class Verdict:
    """How far the tables are from the truth; all zero when they are not."""

    lost: int = 0
    repeated: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is amiss."""
        return not (self.lost or self.repeated or self.wrong)

    def add(self, kind: str, what: Iterable[str]) -> None:
        """Count each of `what` under `lost`, `repeated` or `wrong`."""
        told = list(what)
        setattr(self, kind, getattr(self, kind) + len(told))
        self.examples += [f"{kind}: {line}" for line in told[:SHOWN]]


def expected_tables(published: Published, rules: FoldRules) -> Tables:
    """What must be stored of these records."""
    logs: defaultdict[Partition, list[_Read]] = defaultdict(list)
    for place, record in published.records:
        read = _Read(place.offset, record.timestamp_ms, record.value)
        logs[place.topic, place.partition].append(read)
    return tables_of(logs, oracle_rules(rules))


def refusing_some(tables: Tables, published: Published) -> Tables:
    """The same where ClickHouse refuses the event rows of some subjects (and nothing else of them):
    each of their records is then a dead letter.
    """
    letters = dict(tables.dead_letters)
    for place, record in published.records:
        if record.subject.startswith(REFUSED_PREFIX):
            letters[place] = REFUSED
    events = {k: v for k, v in tables.events.items() if not k[1].startswith(REFUSED_PREFIX)}
    return replace(tables, events=events, dead_letters=letters)


def verdict_on(store: Store, expected: Tables, ends: Mapping[Partition, int]) -> Verdict:
    """Compare everything that is stored with the oracle's tables, row by row."""
    verdict = Verdict()
    _judge_records(store, expected, verdict)
    for table, found in (
        ("interactions", _interactions(store)),
        ("customer_interactions", _customers(store)),
        ("kpi_panes", _summed(store, KpiPaneRow)),
        ("agent_panes", _summed(store, AgentPaneRow)),
        ("event_facts", _as_told(store, EventFactRow)),
        ("agent_states", _as_told(store, AgentStateRow)),
        ("conversation_panes", _summed(store, ConversationPaneRow)),
    ):
        verdict.add("wrong", _different(table, found, getattr(expected, table)))
    _judge_identity(store, expected, verdict)
    verdict.add("wrong", impossible_versions(store, ends))
    return verdict


def verdict_on_results(store: Store, expected: Tables, ends: Mapping[Partition, int]) -> Verdict:
    """Compare what follows from the records, where the same story was told by another log.

    `ends` are those of the present logs.
    """
    verdict = Verdict()
    found = _interactions(store)
    verdict.add("lost", (f"interaction {k[1]}" for k in expected.interactions.keys() - found))
    verdict.add("wrong", _different("interactions", found, expected.interactions))
    for table, panes in (
        ("kpi_panes", _summed(store, KpiPaneRow)),
        ("agent_panes", _summed(store, AgentPaneRow)),
        ("conversation_panes", _summed(store, ConversationPaneRow)),
    ):
        verdict.add("wrong", _different(table, panes, getattr(expected, table)))
    _judge_identity(store, expected, verdict)
    verdict.add("wrong", impossible_versions(store, ends))
    return verdict


def _judge_records(store: Store, expected: Tables, verdict: Verdict) -> None:
    rows = store.query(
        "SELECT tenant, subject, toUnixTimestamp64Milli(occurred_at) AS at, source, event_id,"
        " topic, log, source_partition, source_offset FROM events FINAL"
    )
    found = {
        (r["tenant"], r["subject"], r["at"], r["source"], r["event_id"]): _place(r) for r in rows
    }
    identities = Counter((r["source"], r["event_id"]) for r in rows)
    places = Counter((r["log"], *_place(r)) for r in rows)
    verdict.add("lost", (f"event {k}" for k in expected.events.keys() - found.keys()))
    verdict.add("repeated", (f"event {k} {n} times" for k, n in identities.items() if n > 1))
    verdict.add("repeated", (f"record {k} {n} times" for k, n in places.items() if n > 1))
    verdict.add("wrong", (f"event {k} stored" for k in found.keys() - expected.events.keys()))
    verdict.add(
        "wrong",
        (
            f"event {key} of {found[key]}, not of {place}"
            for key, place in expected.events.items()
            if found.get(key, place) != place
        ),
    )
    rows = store.query(
        "SELECT topic, log, source_partition, source_offset, reason FROM dead_letters FINAL"
    )
    letters = {_place(r): r["reason"] for r in rows}
    verdict.add("lost", (f"dead letter {k}" for k in expected.dead_letters.keys() - letters.keys()))
    verdict.add("wrong", _different("dead_letters", letters, expected.dead_letters, known=True))
    places = Counter((r["log"], *_place(r)) for r in rows)
    verdict.add("repeated", (f"dead letter {k} {n} times" for k, n in places.items() if n > 1))
    rows = store.query(
        "SELECT topic, source_partition, source_offset, applied FROM late_events FINAL"
    )
    late = {_place(r): bool(r["applied"]) for r in rows}
    verdict.add("wrong", _different("late_events", late, expected.late_events))


def _judge_identity(store: Store, expected: Tables, verdict: Verdict) -> None:
    """Links, and who is one customer with whom (I3), by an offline union-find."""
    rows = store.query(
        f"SELECT {', '.join(IdentityLinkRow.KEY)}, toUnixTimestamp64Milli(happened_at) AS at"
        " FROM identity_links FINAL"
    )
    links = {tuple(r[name] for name in IdentityLinkRow.KEY): r["at"] for r in rows}
    verdict.add("wrong", _different("identity_links", links, expected.evidence.links))
    customers: dict[tuple[str, str], str] = {}
    edges: dict[tuple[str, str, str], str] = {}
    limits = Limits()
    for tenant, said in expected.evidence.said.items():
        of_key, of_pair = partition(
            said,
            expected.evidence.kinds,
            most=limits.identifiers,
            most_of_kind=limits.of_kind,
            strong=STRONG,
        )
        customers |= {(tenant, key): c for key, c in of_key.items() if key != c}
        edges |= {(tenant, *pair): state for pair, state in of_pair.items()}
    rows = store.query("SELECT tenant, customer_key, customer_id FROM identity_map FINAL")
    found = {(r["tenant"], r["customer_key"]): r["customer_id"] for r in rows}
    verdict.add("wrong", _different("identity_map", found, customers))
    rows = store.query("SELECT tenant, customer_key, other_key, state FROM identity_edges FINAL")
    states = {
        (r["tenant"], *sorted((r["customer_key"], r["other_key"])), end): r["state"]
        for r in rows
        for end in (r["customer_key"] < r["other_key"],)
    }
    both = {(*pair, end): state for pair, state in edges.items() for end in (True, False)}
    verdict.add("wrong", _different("identity_edges", states, both))


def _place(row: Mapping[str, Any]) -> tuple[str, int, int]:
    return row["topic"], row["source_partition"], row["source_offset"]


def _different(
    table: str, found: Mapping[Any, Any], expected: Mapping[Any, Any], *, known: bool = False
) -> list[str]:
    """A line for every key whose rows differ; with `known`, rows that are missing are left out."""
    keys = found.keys() if known else found.keys() | expected.keys()
    lines = []
    for key in keys:
        ours, theirs = found.get(key), expected.get(key)
        if ours == theirs:
            continue
        if isinstance(ours, dict) and isinstance(theirs, dict):
            names = sorted(ours.keys() | theirs.keys(), key=repr)
            told = {n: (ours.get(n), theirs.get(n)) for n in names if ours.get(n) != theirs.get(n)}
            lines.append(f"{table} {key}: (found, expected) {told}")
        else:
            lines.append(f"{table} {key}: found {ours}, expected {theirs}")
    return lines


def _as_told(store: Store, table: type[Row]) -> dict[Any, Any]:
    """Rows that are one event's each, by their keys."""
    selected = ", ".join(
        f"{_as_number(name, kind)} AS {name}_"
        for name, kind in zip(table.columns(), table.types(), strict=True)
        if name != "version"
    )
    found = {}
    for row in store.query(f"SELECT {selected} FROM {table.TABLE} FINAL"):
        plain = {name.removesuffix("_"): value for name, value in row.items()}
        found[tuple(plain.pop(name) for name in table.KEY)] = plain
    return found


def _interactions(store: Store) -> dict[Any, Any]:
    left_out = ("log", "version")
    selected = ", ".join(
        f"{_as_number(name, kind)} AS {name}_"
        for name, kind in zip(InteractionRow.columns(), InteractionRow.types(), strict=True)
        if name not in left_out
    )
    found = {}
    for row in store.query(f"SELECT {selected} FROM interactions FINAL"):
        plain = {name.removesuffix("_"): value for name, value in row.items()}
        for name, value in plain.items():
            if isinstance(value, tuple):
                plain[name] = list(value)
        key = (plain.pop("tenant"), plain.pop("interaction_id"))
        found[key] = plain
    return found


def _as_number(name: str, kind: str) -> str:
    """A column as SQL that gives instants in milliseconds."""
    if "DateTime64" not in kind:
        return name
    if kind.startswith("Array"):
        return f"arrayMap(at -> toUnixTimestamp64Milli(at), {name})"
    return f"toUnixTimestamp64Milli({name})"


def _customers(store: Store) -> dict[Any, Any]:
    names = ", ".join(CustomerInteractionRow.KEY)
    rows = store.query(
        f"SELECT {names}, toUnixTimestamp64Milli(started_at) AS at, channel"
        " FROM customer_interactions FINAL"
    )
    return {
        (r["tenant"], r["customer_key"], r["interaction_id"]): (r["at"], r["channel"]) for r in rows
    }


def _summed(store: Store, table: type[Row]) -> dict[Any, Any]:
    """Panes added up over their partials, without zeroes; map columns by (column, item)."""
    keys = [name for name in table.KEY if name not in PARTIAL]
    columns = dict(zip(table.columns(), table.types(), strict=True))
    counted = [name for name in columns if name not in (*keys, *PARTIAL)]
    sums = [
        f"sum{'Map' if columns[name].startswith('Map') else ''}({name}) AS {name}_"
        for name in counted
    ]
    shown = [f"toUnixTimestamp({k}) AS {k}_" if k == "pane_at" else f"{k} AS {k}_" for k in keys]
    grouped = ", ".join(keys)
    found = {}
    for row in store.query(
        f"SELECT {', '.join(shown + sums)} FROM {table.TABLE} FINAL GROUP BY {grouped}"
    ):
        pane: dict[Any, int] = {}
        for name in counted:
            value = row[f"{name}_"]
            if isinstance(value, dict):
                pane |= {(name, item): n for item, n in value.items() if n}
            elif value:
                pane[name] = value
        if pane:
            found[tuple(row[f"{k}_"] for k in keys)] = pane
    return found


def impossible_versions(store: Store, ends: Mapping[Partition, int]) -> list[str]:
    """Rows under a version that is not made of the epoch and an offset of their own log (I4).

    A version from a clock, of another log, or beyond the log's end, would outlive the truth.
    """
    logs = store.query("SELECT topic, log, max(epoch) AS epoch FROM topic_logs GROUP BY topic, log")
    epochs = {row["log"]: (row["topic"], row["epoch"]) for row in logs}
    lines = []
    for table in _LATEST:
        rows = store.query(
            "SELECT log, source_partition, min(version) AS lowest, max(version) AS highest"
            f" FROM {table.TABLE} FINAL GROUP BY log, source_partition"
        )
        for row in rows:
            topic, epoch = epochs[row["log"]]
            # Of a log that was made anew it is not known where the old one ended.
            newest = epoch == max(e for t, e in epochs.values() if t == topic)
            end = ends.get((topic, row["source_partition"]), 0) if newest else 1 << 43
            base = epoch << VERSION_OFFSET_BITS
            lowest, highest = row["lowest"] - base, row["highest"] - base
            if table is EventRow:  # of one event told twice the first telling stays
                lowest, highest = LAST_OFFSET + 1 - highest, LAST_OFFSET + 1 - lowest
            if not 0 < lowest <= highest <= end:
                where = f"{table.TABLE} of {topic}[{row['source_partition']}]"
                lines.append(f"{where}: versions {row['lowest']} to {row['highest']}, end {end}")
    return lines


def digest(store: Store) -> str:
    """One text for the content of all tables: equal contents, equal digests.

    Left out is what differs from log to log of the same records (versions, the log's identity, the
    broker's time), but not how many logs there are.
    """
    logs = store.query(
        "SELECT topic, uniqExact(log) AS n FROM topic_logs GROUP BY topic ORDER BY 1"
    )
    parts = [f"{row['topic']}:{row['n']}" for row in logs]
    for table in (*_LATEST[:-1], *_WITHOUT_LOG):
        columns = ", ".join(name for name in table.columns() if name not in _OF_THE_LOG)
        row = store.query(
            f"SELECT count() AS n, sum(cityHash64(toString(tuple({columns})))) AS hash"
            f" FROM {table.TABLE} FINAL"
        )[0]
        parts.append(f"{table.TABLE}:{row['n']}:{row['hash']}")
    row = store.query(
        "SELECT count() AS n, sum(cityHash64(topic, source_partition, source_offset, reason,"
        " key, value)) AS hash FROM dead_letters FINAL"
    )[0]
    return " ".join([*parts, f"dead_letters:{row['n']}:{row['hash']}"])


def versions(store: Store, sample: int) -> dict[tuple[str, int], int]:
    """The versions of one in `sample` rows that change, by table and hash of the key.

    Watched over time it must never go back.
    """
    found: dict[tuple[str, int], int] = {}
    for table in (InteractionRow, KpiPaneRow, AgentPaneRow, ConversationPaneRow, IdentityEdgeRow):
        key = f"cityHash64({', '.join(table.KEY)})"
        rows = store.query(
            f"SELECT {key} AS id, version FROM {table.TABLE} FINAL WHERE id % {sample} = 0"
        )
        found |= {(table.TABLE, row["id"]): row["version"] for row in rows}
    return found
