"""The real queue_log's golden values, by panes and by interactions, through a reader of its own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.rows import InteractionRow, KpiPaneRow, QueueSettingRow
from sinks.kpis.query import KpiResult, kpi_table
from sinks.store import Store
from tests.support.kpi_rows import interaction_row, pane_rows
from tests.support.queue_log_reference import Call, calls_of
from tests.support.rows import row

QUEUE_LOG = Path(__file__).parents[4] / "shared" / "data" / "asterisk_queue_log.txt"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not QUEUE_LOG.exists(), reason=f"{QUEUE_LOG.name} is not beside the project"
    ),
]

COUNTS = {
    "offered": 108,
    "answered": 93,
    "abandoned": 12,
    "timed_out": 1,
    "open": 2,
    "presumed_lost": 0,
    "ended": 91,
    "missed_rings": 360,
    "longest_wait_seconds": 300,
    "callers": 63,
    "repeat_callers": 24,
    "first_contact_eligible": 93,
    "first_contact_mature": 36,
    "first_contact_without_repeat": 23,
    "first_contact_not_mature": 57,
}
PERCENT = {
    "service_level_ratio.offered": 68.87,
    "service_level_ratio.answered_abandoned": 69.52,
    "service_level_ratio.short_abandons_removed": 70.87,
    "service_level_ratio.abandons_in_target_removed": 73.00,
    "service_level_ratio.answered_only": 78.49,
    "service_level_ratio.all_exits": 73.58,
    "service_level_ratio.asterisk_perf": 78.02,
    "service_level_ratio.asterisk_perf2": 73.79,
    "service_level_ratio.cisco_ignored": 72.28,
    "service_level_ratio.cisco_negative": 68.87,
    "service_level_ratio.cisco_positive": 73.58,
    "abandonment_ratio": 11.32,
}
TWO_DECIMALS = {
    "average_speed_of_answer_seconds": 38.70,
    "average_talk_seconds": 262.78,
    "missed_rings_per_offered": 3.33,
}


@pytest.fixture(scope="module")
def calls() -> tuple[list[Call], int]:
    return calls_of(QUEUE_LOG, "IT")


@pytest.fixture
def tenant(kpi_store: Store, watermarks: Any, calls: tuple[list[Call], int]) -> str:
    found, last = calls
    tenant = "golden"
    kpi_store.insert(
        InteractionRow,
        [
            interaction_row(
                tenant, c.id, [c.visit], customer=c.caller, last_event_at=c.last_event_at
            )
            for c in found
        ],
    )
    visits = [c.visit for c in found]
    kpi_store.insert(KpiPaneRow, pane_rows(tenant, visits, (30_000, 60_000), partitions=4))
    settings = row(
        QueueSettingRow, tenant=tenant, queue="IT", target_ms=60_000, short_abandon_ms=30_000
    )
    kpi_store.insert(QueueSettingRow, [settings])
    watermarks(("events.call", 0, last, last), ("events.call", 1, last - 7_200_000, last))
    return tenant


def assert_golden(result: KpiResult) -> None:
    values = result.values
    assert {name: values[name] for name in COUNTS} == COUNTS
    assert {name: round(100 * (values[name] or 0), 2) for name in PERCENT} == PERCENT
    assert {name: round(values[name] or 0, 2) for name in TWO_DECIMALS} == TWO_DECIMALS
    assert round(values["first_contact_resolution_ratio"] or 0, 3) == 0.639


def test_from_interactions(kpi_store: Store, tenant: str) -> None:
    (result,) = kpi_table(kpi_store, tenant, "IT", target=60, short=30)
    assert result.source == "interactions"
    assert_golden(result)


def test_from_panes(kpi_store: Store, tenant: str) -> None:
    (result,) = kpi_table(kpi_store, tenant, "IT")
    assert result.source == "panes"
    assert_golden(result)


def test_eleven_calls_end_in_another_half_hour_than_they_were_offered_in(
    kpi_store: Store, tenant: str, calls: tuple[list[Call], int]
) -> None:
    half_hour = 1_800_000
    ended = [c.visit for c in calls[0] if c.visit.talk_ms is not None]
    moved = [v for v in ended if v.entered_at // half_hour != (v.concluded_at or 0) // half_hour]
    assert (len(ended), len(moved)) == (91, 11)
    by_cohort = {
        cohort: {
            r.interval_start: r.values["ended"]
            for r in kpi_table(kpi_store, tenant, interval="30m", cohort=cohort)
        }
        for cohort in ("offered", "ended")
    }
    for half_hours in by_cohort.values():
        assert sum(n or 0 for n in half_hours.values()) == 91
    assert by_cohort["offered"] != by_cohort["ended"]


@pytest.mark.parametrize(
    ("zone", "first_day"),
    [
        ("UTC", datetime(2018, 11, 30, tzinfo=UTC)),
        ("Pacific/Auckland", datetime(2018, 11, 30, 11, tzinfo=UTC)),
    ],
)
def test_days_of_any_time_zone_add_up_to_the_whole(
    kpi_store: Store, tenant: str, zone: str, first_day: datetime
) -> None:
    days = kpi_table(kpi_store, tenant, interval="1d", timezone_of=lambda _: zone)
    assert sum(d.values["offered"] or 0 for d in days) == 108
    assert days[0].interval_start == first_day
