"""The verdict is clean on right tables, and says what is wrong with every wrong one."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from schemas.rows import EventRow, Row, TopicLogRow
from schemas.topics import IDENTITY_LINKS
from sinks.store import EMBEDDED, Store, open_store
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.identity.beginning import LinksBeginning
from streams.identity.erased import Erased
from streams.identity.guards import Limits
from streams.parts import migrate_all
from tests.faults.compare import (
    Verdict,
    digest,
    expected_tables,
    refusing_some,
    verdict_on,
    verdict_on_results,
    versions,
)
from tests.faults.generate import LATENESS_MS, LIVE, REFUSED_PREFIX, make_log
from tests.faults.publish import Partition, Place, Published
from tests.integration.conftest import Run
from tests.support.clickhouse import embedded_path, unused_database
from tests.support.fold import Record
from tests.support.rows import store_rows

EVENTS = 800
PARTITIONS = 2
RULES = FoldRules(lateness_ms=LATENESS_MS)


@dataclass
class Stored:
    """A log and a store that holds exactly what must be stored of it."""

    store: Store
    published: Published

    def verdict(self) -> Verdict:
        expected = expected_tables(self.published, RULES)
        return verdict_on(self.store, expected, self.published.ends)


def published_of(seed: int) -> Published:
    """A log as if it had been published."""
    published = Published()
    for record in make_log(seed, EVENTS, LIVE, PARTITIONS).records:
        at = (record.topic, record.partition)
        offset = published.ends.get(at, 0)
        published.records.append((Place(*at, offset), record))
        published.ends[at] = offset + 1
    return published


def fill(store: Store, published: Published) -> None:
    """Fold the log at once, and store all rows."""
    logs: defaultdict[Partition, list[Record]] = defaultdict(list)
    for place, record in published.records:
        read = Record(place.offset, record.timestamp_ms, record.key, record.value)
        logs[place.topic, place.partition].append(read)
    for (topic, partition), records in logs.items():
        fold = PartitionFold(topic, partition, f"log of {topic}", 1, RULES)
        fold.apply(records)
        store_rows(store, fold.drain().rows)
    fill_identity(store)
    topics = sorted({topic for topic, _ in logs} | {IDENTITY_LINKS})
    store.insert(TopicLogRow, [(topic, f"log of {topic}", 1) for topic in topics])


def fill_identity(store: Store) -> None:
    """Resolve the links that are stored."""
    log = f"log of {IDENTITY_LINKS}"
    beginning = LinksBeginning(store, Limits(), Erased())
    resolver = beginning.first(0, 1, log, 1)
    while messages := resolver.take_messages():
        resolver.hear(messages)
    store_rows(store, resolver.drain().rows)


@pytest.fixture
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """Right tables."""
    directory = tmp_path_factory.mktemp("compare")
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrate_all(store, Run("127.0.0.1:1", directory).settings(PARTITIONS))
        published = published_of(seed=7)
        fill(store, published)
        yield Stored(store, published)
        store.command(f"DROP DATABASE {store.database} SYNC", use_database=False)


def copy(store: Store, table: type[Row], where: str, **changed: str) -> None:
    """Insert rows again, with some columns changed."""
    columns = ", ".join(changed.get(name, name) for name in table.columns())
    store.command(f"INSERT INTO {table.TABLE} SELECT {columns} FROM {table.TABLE} FINAL {where}")


def test_right_tables_are_right(stored: Stored) -> None:
    verdict = stored.verdict()
    assert verdict.examples == []
    assert verdict.clean


WRONGS: dict[str, tuple[Callable[[Store], object], str]] = {
    "an event is missing": (
        lambda s: s.command("DELETE FROM events WHERE event_id = 'e-300'"),
        "lost",
    ),
    "a dead letter is missing": (
        lambda s: s.command("DELETE FROM dead_letters WHERE reason = 'unknown_type'"),
        "lost",
    ),
    "an event is stored twice": (
        lambda s: copy(s, EventRow, "WHERE event_id = 'e-300'", subject="'another'"),
        "repeated",
    ),
    "a dead letter is stored twice": (
        lambda s: s.command(
            "INSERT INTO dead_letters SELECT * REPLACE ('other' AS key) FROM dead_letters FINAL"
            " LIMIT 1"
        ),
        "repeated",
    ),
    "a count is wrong": (
        lambda s: s.command(
            "INSERT INTO kpi_panes SELECT * REPLACE (offered + 1 AS offered, version + 1 AS"
            " version) FROM kpi_panes FINAL WHERE offered > 0 LIMIT 1"
        ),
        "wrong",
    ),
    "a pane is counted under two logs": (
        lambda s: s.command(
            "INSERT INTO kpi_panes SELECT * REPLACE (generation + 1 AS generation) FROM kpi_panes"
            " FINAL WHERE offered > 0 LIMIT 1"
        ),
        "wrong",
    ),
    "an agent's minute is missing": (
        lambda s: s.command(
            "DELETE FROM agent_panes WHERE answered > 0 AND agent = 'agent-0' AND pane_at IN"
            " (SELECT max(pane_at) FROM agent_panes WHERE answered > 0 AND agent = 'agent-0')"
        ),
        "wrong",
    ),
    "an interaction's duration is a millisecond off": (
        lambda s: s.command(
            "INSERT INTO interactions SELECT * REPLACE (talk_ms + 1 AS talk_ms) FROM interactions"
            " FINAL WHERE talk_ms > 0 LIMIT 1"
        ),
        "wrong",
    ),
    "a link is missing": (
        lambda s: s.command(
            "DELETE FROM identity_links WHERE evidence = (SELECT min(evidence) FROM identity_links)"
        ),
        "wrong",
    ),
    "two customers are one": (
        lambda s: s.command(
            "INSERT INTO identity_map SELECT * REPLACE ('somebody' AS customer_id,"
            " version + 1 AS version, 0 AS is_deleted) FROM identity_map LIMIT 1"
        ),
        "wrong",
    ),
    "an edge that was applied is quarantined": (
        lambda s: s.command(
            "INSERT INTO identity_edges SELECT * REPLACE ('quarantined' AS state,"
            " version + 1 AS version) FROM (SELECT * FROM identity_edges FINAL"
            " WHERE state = 'applied' LIMIT 1)"
        ),
        "wrong",
    ),
    "a version is a wall clock": (
        lambda s: s.command(
            "INSERT INTO interactions SELECT * REPLACE (toUInt64(1773000000000000000) AS version)"
            " FROM interactions FINAL LIMIT 1"
        ),
        "wrong",
    ),
    "a version lies beyond the log": (
        lambda s: s.command(
            "INSERT INTO watermarks SELECT * REPLACE (version + 100000 AS version)"
            " FROM watermarks FINAL LIMIT 1"
        ),
        "wrong",
    ),
}


@pytest.mark.parametrize("name", WRONGS)
def test_whatever_is_wrong_is_seen(stored: Stored, name: str) -> None:
    before = digest(stored.store)
    harm, kind = WRONGS[name]
    harm(stored.store)
    verdict = stored.verdict()
    assert getattr(verdict, kind) > 0, verdict.examples
    assert not verdict.clean
    if "version" not in name:  # two runs of one log may end under other versions
        assert digest(stored.store) != before


def test_results_of_the_same_story_are_the_same_whatever_log_told_it(stored: Stored) -> None:
    expected = expected_tables(stored.published, RULES)
    ends = stored.published.ends
    assert verdict_on_results(stored.store, expected, ends).clean
    stored.store.command("DELETE FROM interactions WHERE channel = 'chat'")
    assert verdict_on_results(stored.store, expected, ends).lost > 0


def test_refused_events_must_be_dead_letters(stored: Stored) -> None:
    expected = refusing_some(expected_tables(stored.published, RULES), stored.published)
    refused = [r for _, r in stored.published.records if r.subject.startswith(REFUSED_PREFIX)]
    verdict = verdict_on(stored.store, expected, stored.published.ends)
    assert verdict.lost == len(refused) > 0


def test_versions_are_those_of_the_rows(stored: Stored) -> None:
    assert versions(stored.store, sample=1)
    assert len(versions(stored.store, sample=1)) > len(versions(stored.store, sample=4)) > 0
