import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console

from dashboards.wallboard import routes
from schemas.live import QueueBreachRow, QueueLiveRow
from schemas.settings import Settings
from sinks.live import queues_now
from sinks.store import EMBEDDED, Store, open_store
from streams.cli.options import NothingFound
from streams.cli.queues import of_worker, table
from streams.parts import migrate_all
from tests.support.clickhouse import embedded_path, unused_database
from tests.support.rows import row

NOW = datetime.now(UTC)
NOW_MS = round(NOW.timestamp() * 1000)
WINDOWS = ["1m", "5m", "15m", "30m", "1h", "day"]


@pytest.fixture
def live_store() -> Iterator[Store]:
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrate_all(store, Settings())
        yield store
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)


def stored(store: Store, **changed: Any) -> None:
    live = {
        "tenant": "default",
        "at": NOW_MS,
        "current": 1,
        "waiting": 3,
        "oldest_enqueued_at": NOW_MS - 95_000,
        "agents_available": 2,
        "service_level_preset": "offered",
        "windows": WINDOWS,
        "service_level": [None, 0.8, 0.8, None, 0.8, 0.75],
        "abandonment": [None] * len(WINDOWS),
        "offered": [0] * len(WINDOWS),
        "version": 1,
    }
    store.insert(QueueLiveRow, [row(QueueLiveRow, **live | changed)])


def text_of(store: Store) -> str:
    console = Console(width=160, record=True, file=StringIO())
    console.print(table(queues_now(store, "default"), NOW))
    return console.export_text()


def test_a_queue_is_shown_with_its_breach_and_what_is_old_is_marked(live_store: Store) -> None:
    stored(live_store, queue="help")
    stored(live_store, queue="sales", waiting=0, oldest_enqueued_at=None, current=0)
    breach = {"tenant": "default", "queue": "help", "opened_at": NOW_MS, "closed_at": None}
    live_store.insert(
        QueueBreachRow,
        [
            row(
                QueueBreachRow,
                **breach,
                kpi="waiting",
                severity="critical",
                value=3.0,
                threshold=2.0,
            ),
            row(QueueBreachRow, **breach | {"closed_at": NOW_MS}, breach_id="over", kpi="waiting"),
        ],
    )
    said = text_of(live_store).splitlines()
    help_line = next(line for line in said if line.startswith("help"))
    assert "1:35" in help_line
    assert "80.0 %" in help_line
    assert "!" in help_line
    assert "old" in next(line for line in said if line.startswith("sales"))
    assert [line for line in said if line.startswith("critical: help: waiting 3 (threshold 2)")]
    assert len([line for line in said if "threshold" in line]) == 1


def test_a_queue_that_nobody_updates_is_old(live_store: Store) -> None:
    before = NOW - timedelta(minutes=5)
    stored(live_store, queue="help", at=round(before.timestamp() * 1000))
    assert "old" in text_of(live_store)


def test_a_worker_tells_the_same_as_its_store(live_store: Store) -> None:
    stored(live_store, queue="help")
    breach = {"tenant": "default", "queue": "help", "opened_at": NOW_MS, "closed_at": None}
    live_store.insert(QueueBreachRow, [row(QueueBreachRow, **breach, kpi="waiting")])
    known = queues_now(live_store, "default")

    async def asked() -> list[dict[str, Any]]:
        async def tell(tenant: str) -> list[dict[str, Any]] | None:
            return queues_now(live_store, tenant)

        server = web.Application()
        server.add_routes(routes(tell, "another"))
        runner = web.AppRunner(server)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            return await asyncio.to_thread(of_worker, f"{host}:{port}", "default")
        finally:
            await runner.cleanup()

    told = asyncio.run(asked())
    assert told == known
    assert told[0]["alerts"]


def test_where_no_worker_answers_it_is_said_what_to_do() -> None:
    with pytest.raises(NothingFound, match="switchboard run"):
        of_worker("127.0.0.1:1", "default")
