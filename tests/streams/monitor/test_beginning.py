"""How a fold of `kpi.panes` begins from what is stored, in a real ClickHouse."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.partitioner.default import murmur2

from schemas.live import QueueBreachRow, QueueLiveRow
from schemas.queues import AlertThresholds, QueueSettings
from schemas.rows import KpiPaneRow, TopicLogRow
from schemas.topics import EVENTS_CALL, KPI_PANES
from sinks.store import EMBEDDED, Store, open_store
from streams.fold.live import queue_key
from streams.monitor.beginning import MonitorBeginning
from streams.monitor.fold import MonitorFold
from streams.monitor.messages import Tick, rendered
from streams.monitor.queue import KEPT_SECONDS
from streams.monitor.rules import MonitorRules
from tests.support.clickhouse import embedded_path, migrated, unused_database
from tests.support.fold import Record
from tests.support.monitor import notices_of
from tests.support.rows import row

NOW_MS = time.time_ns() // 1_000_000
"""Which panes are of the last day is judged by the engine's clock."""
PANE_AT = NOW_MS // 1000 // 10 * 10 - 60
RULES = MonitorRules(queue=lambda _: QueueSettings(alerts={"waiting": AlertThresholds(warning=2)}))


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrated(store)
        store.insert(TopicLogRow, [row(TopicLogRow, topic=EVENTS_CALL, log="calls", epoch=1)])
        yield store
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)


def put_pane(store: Store, queue: str, **changed: Any) -> None:
    stored = {"cohort": "offered", "pane_at": PANE_AT, "log": "calls", "version": 7} | changed
    store.insert(KpiPaneRow, [row(KpiPaneRow, queue=queue, direction="inbound", **stored)])


def put_breach(store: Store, queue: str, **changed: Any) -> None:
    told = {"opened_at": NOW_MS - 90_000, "kpi": "waiting", "severity": "warning", "value": 3.0}
    told |= {"worst_value": 4.0, "threshold": 2.0, "interactions": ["c-1", "c-2"], "version": 9}
    store.insert(QueueBreachRow, [row(QueueBreachRow, queue=queue, **told | changed)])


def first(store: Store, partition: int = 0, partitions: int = 1) -> MonitorFold:
    return MonitorBeginning(store, RULES).first(partition, partitions, "monitor", 2)


def tick(fold: MonitorFold, at: int, *partitions: int) -> None:
    value = rendered(Tick(at, {EVENTS_CALL: partitions}))
    fold.apply([Record(fold.next_offset, at, b"", value)])


def totals(fold: MonitorFold) -> dict[str, int]:
    return {seen.queue: seen.windows["5m"].offered for seen, _ in fold.lives()}


def test_windows_go_on_with_the_panes_of_the_last_day(store: Store) -> None:
    counted = {"offered": 3, "answered": 2, "wait_answered_ms": 9_000}
    within = {"answered_within": {20_000: 1}, "wait_bins": {3: 2}}
    put_pane(store, "help", **counted, **within)
    put_pane(store, "help", source_partition=1, offered=4)
    put_pane(store, "help", offered=9, generation=1, pane_at=PANE_AT - 7_200)
    put_pane(store, "help", offered=100, pane_at=PANE_AT - KEPT_SECONDS)
    put_pane(store, "help", offered=100, cohort="ended")
    fold = first(store)
    tick(fold, NOW_MS, 0, 1)
    ((seen, watches),) = fold.lives()
    window = seen.windows["5m"]
    assert (window.offered, window.answered, window.answered_in_target) == (7, 2, 1)
    assert window.speed_of_answer_ms == 4_500
    assert seen.windows["1h"].offered == 7
    assert seen.totals["offered"] == 16
    assert seen.waiting == 0
    assert seen.current  # its sources are known by topic, from the log that the panes name
    assert not watches


def test_only_the_newest_row_of_a_pane_counts(store: Store) -> None:
    put_pane(store, "help", offered=3, version=7)
    put_pane(store, "help", offered=5, version=8)
    fold = first(store)
    tick(fold, NOW_MS, 0)
    assert totals(fold) == {"help": 5}


def test_an_open_breach_is_closed_under_its_id_once_it_is_over(store: Store) -> None:
    put_pane(store, "help", offered=3)
    put_breach(store, "help", breach_id="open")
    put_breach(store, "help", breach_id="over", opened_at=NOW_MS - 95_000)
    put_breach(store, "help", breach_id="over", opened_at=NOW_MS - 95_000, closed_at=1, version=10)
    fold = first(store)
    tick(fold, NOW_MS, 0)
    drained = fold.drain().rows
    (closed,) = drained[QueueBreachRow]
    found = dict(zip(QueueBreachRow.columns(), closed, strict=True))
    assert (found["breach_id"], found["opened_at"]) == ("open", NOW_MS - 90_000)
    assert (found["closed_at"], found["closed_because"]) == (NOW_MS, "recovered")
    assert found["version"] > 9
    assert [(n.change, n.breach_id) for n in notices_of(drained)] == [("closed", "open")]
    assert found["interactions"] == ["c-1", "c-2"]


def test_a_breach_of_a_queue_without_panes_is_kept_until_its_sources_speak(store: Store) -> None:
    put_breach(store, "quiet", breach_id="open")
    fold = first(store)
    tick(fold, NOW_MS)
    assert QueueBreachRow not in fold.drain().rows
    again = MonitorFold(
        *(KPI_PANES, 0, "monitor", 2, RULES), (fold.snapshot(), MonitorFold.state_version)
    )
    ((seen, watches),) = again.lives()
    assert (seen.queue, seen.current) == ("quiet", False)
    assert [watch.breach and watch.breach.breach_id for watch in watches.values()] == ["open"]


def test_no_row_speaks_of_an_instant_that_nobody_told(store: Store) -> None:
    put_pane(store, "help", offered=3)
    fold = first(store)
    assert QueueLiveRow not in fold.drain().rows
    tick(fold, NOW_MS, 0)
    (live,) = fold.drain().rows[QueueLiveRow]
    assert dict(zip(QueueLiveRow.columns(), live, strict=True))["at"] == NOW_MS


def test_each_queue_begins_where_its_records_come(store: Store) -> None:
    queues = [f"queue {n}" for n in range(12)]
    for queue in queues:
        put_pane(store, queue, offered=1)
        put_breach(store, queue, breach_id=queue)
    for partition in range(3):
        here = {q for q in queues if (murmur2(queue_key(("t", q))) & 0x7FFFFFFF) % 3 == partition}
        fold = first(store, partition, 3)
        tick(fold, NOW_MS)
        assert here
        assert {s.queue for s, watches in fold.lives() if watches["waiting"].breach} == here
        assert set(fold.queues) == {("t", queue) for queue in here}
