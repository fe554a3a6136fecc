"""Fixtures of whole runs: topics of a test's own, and the pipeline run over them."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from faust.types import TP

from gateway.asterisk_queue_log import Parsed, events_of_line
from gateway.record import Record
from schemas.settings import Settings, load_settings
from schemas.topics import FOLDED_TOPICS
from sinks.metrics import Metrics
from sinks.store import EMBEDDED, Store, open_store
from streams.app import Pipeline
from streams.broker_admin import PLAINTEXT, admin_client
from streams.parts import create_all_topics, migrate_all
from tests.support.clickhouse import ClickHouseServer, embedded_path, unused_database

SAMPLE = Path(__file__).parents[2] / "samples" / "queue_log.txt"
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Sent:
    """A record to publish; `partition` None lets the key decide."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def sample_records(lines: int) -> list[Sent]:
    """The events of the first lines of the shipped sample."""
    found: list[Record] = []
    position = 0
    for line in SAMPLE.read_bytes().splitlines(keepends=True)[:lines]:
        parsed = events_of_line(line.rstrip(b"\n"), position)
        position += len(line)
        if isinstance(parsed, Parsed):
            found += parsed.records
    return [Sent(r.topic, r.key, r.value) for r in found]


class Run:
    """Publishes records to fresh topics and runs the pipeline over them into a store."""

    def __init__(self, bootstrap: str, directory: Path) -> None:
        self.bootstrap = bootstrap
        self._directory = directory

    def settings(self, partitions: int, **processing: Any) -> Settings:
        """Settings with topics of so many partitions, and nothing ever late unless asked."""
        overrides = {
            "data_dir": str(self._directory),
            "broker": {
                "url": self.bootstrap,
                "partitions": partitions,
                "session_timeout_seconds": 6,
            },
            "processing": {"lateness_seconds": 30 * 86_400, **processing},
        }
        return load_settings(None, overrides)

    def over(
        self, records: Iterable[Sent], store: Store, *, partitions: int = 4, **processing: Any
    ) -> dict[TP, int]:
        """Everything anew: topics made again, records published, all of them stored.

        Returns:
            The offset after the last record of each partition that was written to.
        """
        settings = self.settings(partitions, **processing)
        migrate_all(store, settings)
        self.remake_topics(settings)
        ends = publish_now(self.bootstrap, records)
        self.process(settings, store, ends)
        return ends

    def process(self, settings: Settings, store: Store, ends: Mapping[TP, int]) -> None:
        """Go over what is on the topics, until all before `ends` is stored."""

        async def go() -> None:
            pipeline = Pipeline(settings, self.bootstrap, store, Metrics())
            await asyncio.wait_for(pipeline.run_until(ends), DEADLINE_SECONDS)

        asyncio.run(go())

    def remake_topics(self, settings: Settings) -> None:
        """Delete the topics that a worker reads, if they are there, and make them: new logs."""
        self.delete_topics()
        create_all_topics(settings, self.bootstrap, PLAINTEXT)

    def delete_topics(self) -> None:
        """Delete the topics that a worker reads, if there are any."""
        with admin_client(self.bootstrap, PLAINTEXT, 15.0) as admin:
            there = [t for t in FOLDED_TOPICS if t in admin.list_topics()]
            if there:
                admin.delete_topics(there)
                wait_for(lambda: not set(there) & set(admin.list_topics()), "topics to go")


async def publish(bootstrap: str, records: Iterable[Sent]) -> dict[TP, int]:
    """Publish in order; the offset after the last record of each partition written to."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", max_request_size=32 << 20, linger_ms=5
    )
    await producer.start()
    ends: dict[TP, int] = {}
    try:
        sent = [
            await producer.send(
                r.topic, value=r.value, key=r.key, partition=r.partition, headers=list(r.headers)
            )
            for r in records
        ]
        for result in await asyncio.gather(*sent):
            place = TP(result.topic, result.partition)
            ends[place] = max(ends.get(place, 0), result.offset + 1)
    finally:
        await producer.stop()
    return ends


def publish_now(bootstrap: str, records: Iterable[Sent]) -> dict[TP, int]:
    """The same, for tests that have no event loop of their own."""
    return asyncio.run(publish(bootstrap, records))


def wait_for(condition: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until the condition holds; fail by name after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """The engine behind HTTP, for all whole runs."""
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture
def new_store(request: pytest.FixtureRequest, broker: str) -> Iterator[Callable[[], Store]]:
    """Stores with a database of their own: the embedded engine beside the embedded broker, one
    behind HTTP beside Apache Kafka."""
    opened: list[Store] = []

    def new() -> Store:
        if "tansu" in request.node.name:
            store = open_store(EMBEDDED, path=embedded_path(), database=unused_database())
        else:
            store = request.getfixturevalue("server").open(unused_database())
        opened.append(store)
        return store

    yield new
    for store in opened:
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)
        store.close()


@pytest.fixture
def run(broker: str, tmp_path: Path) -> Run:
    """A run on each kind of broker."""
    return Run(broker, tmp_path)
