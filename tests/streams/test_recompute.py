"""Recomputing changes nothing where nothing changed, and shows just what a setting changes."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.rows import LateEventRow
from schemas.settings import Settings, load_settings
from simulator.presets import small
from simulator.run import Run
from sinks.kpis.query import kpi_table
from sinks.store import EMBEDDED, Store, open_store
from streams.fold.partition import PartitionFold
from streams.parts import migrate_all
from streams.recompute import Change, compared, recompute
from streams.rules import rules_of
from tests.support.clickhouse import embedded_path, unused_database
from tests.support.fold import LATER_MS, Record
from tests.support.rows import store_rows

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(None, {})


@pytest.fixture(scope="module")
def store(settings: Settings) -> Iterator[Store]:
    """A simulated day, folded and stored; a second partition has what others had, too."""
    logs: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
    for sent in Run(small(seed=3)).deliveries():
        log = logs[sent.topic, len(sent.subject) % 2]
        log.append(Record(len(log), LATER_MS, sent.subject.encode(), sent.value))
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrate_all(store, settings)
        for (topic, partition), records in logs.items():
            fold = PartitionFold(topic, partition, f"log of {topic}", 1, rules_of(settings))
            fold.apply(records)
            rows = fold.drain().rows
            assert LateEventRow not in rows
            store_rows(store, rows)
        yield store


@pytest.fixture
def beside() -> Iterator[Store]:
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        yield store


def test_under_the_same_settings_nothing_changes(
    store: Store, beside: Store, settings: Settings
) -> None:
    done = recompute(
        store, beside, settings, rules_of(settings), NOON - timedelta(hours=2), NOON, "1h"
    )
    assert done.changes == []
    assert done.same > 500
    (events,) = store.query("SELECT count() AS n FROM events FINAL")
    assert 0 < done.events <= events["n"]


def test_another_target_changes_what_is_counted_by_it_and_nothing_else(
    store: Store, beside: Store, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[queues.default]\ntarget_seconds = 47\n")
    asked = load_settings(other, {})
    day = (NOON - timedelta(hours=12), NOON + timedelta(hours=12))
    done = recompute(store, beside, asked, rules_of(asked), *day)
    by_kpi = {change.kpi.partition(".")[0] for change in done.changes}
    assert "service_level_ratio" in by_kpi
    assert by_kpi <= {"service_level_ratio", "answered_in_target", "abandoned_in_target"}
    exact = {
        result.dimensions["queue"]: result.values
        for result in kpi_table(store, "default", from_=day[0], to=day[1], target=47)
    }
    for change in done.changes:
        assert exact[change.dimensions["queue"]][change.kpi] == pytest.approx(change.after)
    (before,) = kpi_table(store, "default", split=())
    assert before.target_seconds == 20  # the store is as it was


def test_what_only_one_side_has_is_a_change(store: Store) -> None:
    results = kpi_table(store, "default", split=("channel",))
    changes, same = compared(results[:1], [])
    assert same < len(changes) + same == len(results[0].values)
    assert (
        Change("offered", {"channel": "call"}, None, results[0].values["offered"], None) in changes
    )
