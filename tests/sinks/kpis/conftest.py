"""A migrated store with all views, and how to fill it."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import pytest

from schemas.rows import InteractionRow, KpiPaneRow, QueueSettingRow, WatermarkRow
from sinks.kpis.views import views
from sinks.migrate import migrate
from sinks.store import EMBEDDED, Store, open_store
from tests.support.clickhouse import embedded_path, unused_database
from tests.support.kpi_rows import LOG, Visit, interaction_row, pane_rows

_tenants = itertools.count()

Load = Callable[..., str]


@pytest.fixture(scope="session")
def kpi_store() -> Iterator[Store]:
    """One database for all of these tests: each has tenants of its own."""
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrate(store, views=views())
        yield store


@pytest.fixture
def load(kpi_store: Store) -> Load:
    """Stores visits, each an interaction, under a tenant of their own; returns the tenant."""

    def load_visits(
        visits: Sequence[Visit],
        *,
        target_ms: int = 20_000,
        short_ms: int = 5_000,
        timezone: str = "UTC",
        partitions: int = 1,
    ) -> str:
        tenant = f"tenant-{next(_tenants)}"
        kpi_store.insert(
            InteractionRow,
            [interaction_row(tenant, f"i-{n}", [v]) for n, v in enumerate(visits)],
        )
        kpi_store.insert(
            KpiPaneRow, pane_rows(tenant, visits, (target_ms, short_ms), partitions=partitions)
        )
        kpi_store.insert(
            QueueSettingRow,
            [(tenant, "", target_ms, 0.8, short_ms, "offered", timezone, [], 1, 0)],
        )
        return tenant

    return load_visits


@pytest.fixture
def watermarks(kpi_store: Store) -> Iterator[Callable[..., None]]:
    """Sets how far each partition has come: (topic, partition, event time, produced at) in ms."""

    def set_watermarks(*partitions: tuple[str, int, int, int], epoch: int = 1) -> None:
        kpi_store.insert(
            WatermarkRow,
            [
                (topic, partition, f"{LOG}-{epoch}", event_time, 1_000, produced, epoch << 44 | 1)
                for topic, partition, event_time, produced in partitions
            ],
        )

    kpi_store.command("TRUNCATE TABLE watermarks")
    yield set_watermarks
    kpi_store.command("TRUNCATE TABLE watermarks")
