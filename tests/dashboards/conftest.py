"""Simulated days in a store, and the metrics of the worker that brought them there."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import pytest
from faust.types import TP

from gateway.publish import Publisher
from gateway.record import Record
from schemas.live import QueueBreachRow
from schemas.settings import Settings, load_settings
from simulator.presets import small
from simulator.run import Run
from simulator.settings import FaultModel
from sinks.metrics import Metrics
from sinks.store import EMBEDDED, Store, open_store
from streams.app import Pipeline
from streams.broker_admin import PLAINTEXT
from streams.embedded import EmbeddedBroker
from streams.parts import create_all_topics, migrate_all
from tests.support.clickhouse import embedded_path, unused_database
from tests.support.rows import row

FAULTS = FaultModel(shuffled_share=0.1, repeated_share=0.05, late_share=0.01, malformed_share=0.005)
RECORDS_AT_ONCE = 5_000
FIRST_CUSTOMERS = timedelta(hours=9)
"""After the centre has opened, before campaigns are sent."""
BREACH = "breach-1"


@dataclass(frozen=True, slots=True)
class Day:
    """What is left of a simulated day and a half, with customers from before."""

    store: Store
    metrics: Metrics
    since: datetime
    until: datetime


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Two days of a small centre, through broker, worker and views.

    Whether customers came again, or a contact was reopened, is known after a day; what share of
    customers left, only where some were there before.
    """
    directory = tmp_path_factory.mktemp("day")
    run = Run(small(seed=5, days=2, faults=FAULTS))
    metrics = Metrics()
    store = open_store(EMBEDDED, path=embedded_path(), database=unused_database())
    with EmbeddedBroker(directory / "broker") as broker:
        settings = load_settings(
            None,
            {
                "data_dir": str(directory),
                "broker": {"url": broker.bootstrap, "partitions": 2, "session_timeout_seconds": 6},
            },
        )
        migrate_all(store, settings)
        create_all_topics(settings, broker.bootstrap, PLAINTEXT)
        asyncio.run(_process(run, settings, broker.bootstrap, store, metrics))
    since = run.settings.start_at + FIRST_CUSTOMERS
    _breach(store, since)
    yield Day(store, metrics, since, run.settings.start_at + timedelta(days=3))
    store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)
    store.close()


def _breach(store: Store, since: datetime) -> None:
    """A past day raises none, so one is put there, of contacts of that day."""
    visits = store.query(
        "SELECT interaction_id, entered_at FROM queue_visits WHERE queue = 'support'"
        f" AND channel = 'call' AND entered_at >= toDateTime({since.timestamp():.0f})"
        " ORDER BY entered_at LIMIT 3"
    )
    breach = row(
        QueueBreachRow,
        tenant="default",
        queue="support",
        breach_id=BREACH,
        kpi="waiting",
        severity="critical",
        opened_at=round(visits[-1]["entered_at"].timestamp() * 1000),
        value=3.0,
        threshold=2.0,
        interactions=[visit["interaction_id"] for visit in visits],
    )
    store.insert(QueueBreachRow, [breach])


async def _process(
    run: Run, settings: Settings, bootstrap: str, store: Store, metrics: Metrics
) -> None:
    records = (Record(e.topic, e.subject.encode(), e.value, 0) for e in run.deliveries())
    async with Publisher(bootstrap, idempotent=False) as publisher:
        while batch := list(islice(records, RECORDS_AT_ONCE)):
            await publisher.publish(batch)
    ends = {TP(*place): end for place, end in publisher.ends.items()}
    await Pipeline(settings, bootstrap, store, metrics).run_until(ends)
