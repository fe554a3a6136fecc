"""The views that people and dashboards read, on both engines."""

from datetime import UTC, datetime
from typing import Any

from schemas.queues import QueueSettings
from schemas.rows import (
    CustomerInteractionRow,
    EventRow,
    InteractionRow,
    KpiPaneRow,
)
from schemas.sections import ProcessingSettings
from schemas.settings import Settings
from sinks.kpis.query import kpi_table
from sinks.kpis.views import views
from sinks.migrate import migrate
from sinks.store import Store
from tests.support.kpi_rows import Visit, interaction_row, pane_rows
from tests.support.rows import row

NOON = 1_700_049_600_000  # 2023-11-15 12:00 UTC
MINUTE = 60_000
PLAIN = {
    "watermark", "queue_visits", "kpi_panes_current", "timeline", "queues_now", "breaches",
    "breach_contacts",
}  # fmt: skip
"""Views without parameters."""
TIME = {
    "from_at": "2023-11-15 12:00:00.000",
    "to_at": "2023-11-15 13:00:00.000",
    "tenant": "",
}


def watermark(store: Store) -> dict[str, Any]:
    (found,) = store.query("SELECT * FROM watermark")
    return found


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def test_every_view_answers_on_both_engines_and_again_after_a_second_migration(
    store: Store,
) -> None:
    for _ in range(2):
        migrate(store, views=views())
    visits = [Visit(NOON, "answered", 4_000, 9_000), Visit(NOON, "abandoned", 3_000)]
    store.insert(
        InteractionRow, [interaction_row("t", f"i-{n}", [v]) for n, v in enumerate(visits)]
    )
    store.insert(KpiPaneRow, pane_rows("t", visits, (20_000, 5_000)))
    for asked in ({}, {"target": 20.0}, {"short": 5.0, "interval": "1d"}):
        (result,) = kpi_table(store, "t", **asked)
        assert result.values["service_level_ratio.offered"] == 0.5
        assert result.target_seconds == 20
    for name, _ in views():
        if name in PLAIN:
            store.query(f"SELECT * FROM {name}")


def test_settings_give_the_thresholds_of_queues_that_have_none(store: Store) -> None:
    migrate(store, views=views(Settings(queues={"default": QueueSettings(target_seconds=3)})))
    visits = [Visit(NOON, "answered", 4_000), Visit(NOON, "answered", 3_000)]
    store.insert(KpiPaneRow, pane_rows("t", visits, (3_000, 5_000)))
    (result,) = kpi_table(store, "t")
    assert (result.target_seconds, result.values["answered_in_target"]) == (3, 1)


def test_the_slowest_active_partition_holds_the_watermark(
    kpi_store: Store, watermarks: Any
) -> None:
    watermarks(
        ("events.call", 0, NOON + 9_000, NOON),
        ("events.call", 1, NOON + 5_000, NOON - 60_000),
        ("events.chat", 0, NOON, NOON - 60_001),
        ("events.agent", 0, NOON - 90_000, NOON),
    )
    found = watermark(kpi_store)
    assert found["watermark_at"] == at(NOON + 4_000)  # a second of lateness
    assert found["latest_event_at"] == at(NOON + 9_000)
    assert (found["active_partitions"], found["partitions"]) == (2, 3)


def test_an_earlier_log_of_a_topic_does_not_hold_the_watermark(
    kpi_store: Store, watermarks: Any
) -> None:
    watermarks(("events.call", 0, NOON - 90_000, NOON), epoch=1)
    watermarks(("events.call", 1, NOON, NOON), epoch=2)
    assert watermark(kpi_store)["watermark_at"] == at(NOON - 1_000)


def test_no_watermark_finishes_nothing(kpi_store: Store, watermarks: Any) -> None:
    assert watermark(kpi_store)["watermark_at"] == at(0)


def test_idle_time_is_a_setting() -> None:
    settings = Settings(processing=ProcessingSettings(idle_partition_seconds=2.5))
    assert "toIntervalMillisecond(2500)" in dict(views(settings))["watermark"]


def test_a_rolling_window_counts_what_entered_in_it(kpi_store: Store, load: Any) -> None:
    tenant = load([Visit(NOON), Visit(NOON + MINUTE), Visit(NOON + 2 * MINUTE)])
    rows = kpi_store.query(
        "SELECT interval_start, interval_end, offered FROM kpi_rolling("
        " from_at = {from_at:DateTime64(3, 'UTC')}, to_at = {to_at:DateTime64(3, 'UTC')},"
        " window_seconds = 120, step_seconds = 60, cohort = 'offered', split = 'queue')"
        " WHERE tenant = {tenant:String} ORDER BY interval_end",
        {**TIME, "tenant": tenant},
    )
    assert [(r["interval_end"], r["offered"]) for r in rows] == [
        (at(NOON + MINUTE), 1),
        (at(NOON + 2 * MINUTE), 2),
        (at(NOON + 3 * MINUTE), 2),
        (at(NOON + 4 * MINUTE), 1),
    ]
    for r in rows:
        assert (r["interval_end"] - r["interval_start"]).total_seconds() == 120


def test_service_levels_come_one_a_row_with_the_queues_own_marked(
    kpi_store: Store, load: Any
) -> None:
    tenant = load([Visit(NOON, "answered", 0), Visit(NOON, "timed_out", 0)])
    rows = kpi_store.query(
        "SELECT preset, service_level_ratio, is_queue_preset FROM service_level("
        " from_at = {from_at:DateTime64(3, 'UTC')}, to_at = {to_at:DateTime64(3, 'UTC')},"
        " interval_seconds = 0, timezone = 'UTC', cohort = 'offered', split = 'queue')"
        " WHERE tenant = {tenant:String}",
        {**TIME, "tenant": tenant},
    )
    found = {r["preset"]: r["service_level_ratio"] for r in rows}
    assert len(found) == 11
    assert (found["offered"], found["answered_abandoned"]) == (0.5, 1)
    assert [r["preset"] for r in rows if r["is_queue_preset"]] == ["offered"]


def test_queue_visits_are_rows_in_seconds(kpi_store: Store) -> None:
    two = [Visit(NOON, "overflowed", 1_500), Visit(NOON + MINUTE, queue="Sales")]
    kpi_store.insert(InteractionRow, [interaction_row("visits", "i", two, customer="c")])
    moved = interaction_row("visits", "i", two[:1], customer="c", version=2)
    rows = "SELECT visit, queue, wait_seconds, entered_at FROM queue_visits WHERE tenant = 'visits'"
    first, second = kpi_store.query(f"{rows} ORDER BY visit")
    assert first == {"visit": 1, "queue": "IT", "wait_seconds": 1.5, "entered_at": at(NOON)}
    assert (second["queue"], second["wait_seconds"]) == ("Sales", None)
    kpi_store.insert(InteractionRow, [moved])
    assert len(kpi_store.query(rows)) == 1


def test_a_timeline_is_everything_of_one_customer(kpi_store: Store) -> None:
    def event(subject: str, event_id: str, version: int) -> tuple[Any, ...]:
        return row(EventRow, tenant="tl", subject=subject, event_id=event_id, version=version)

    def way(customer: str, interaction: str, deleted: int) -> tuple[Any, ...]:
        return row(
            CustomerInteractionRow,
            tenant="tl",
            customer_key=customer,
            interaction_id=interaction,
            version=deleted + 1,
            is_deleted=deleted,
        )

    events = [event("one", "a", 1), event("one", "a", 2), event("two", "b", 1)]
    kpi_store.insert(EventRow, [*events, event("other's", "c", 1), event("was theirs", "d", 1)])
    ways = [way("ada", name, 0) for name in ("one", "two", "was theirs")]
    kpi_store.insert(CustomerInteractionRow, [*ways, way("bob", "other's", 0)])
    kpi_store.insert(CustomerInteractionRow, [way("ada", "was theirs", 1)])
    rows = kpi_store.query(
        "SELECT interaction_id, event_id FROM timeline WHERE tenant = 'tl'"
        " AND customer_key = 'ada' ORDER BY event_id"
    )
    assert [(r["interaction_id"], r["event_id"]) for r in rows] == [("one", "a"), ("two", "b")]
