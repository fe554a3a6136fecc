"""How long an event takes from the broker to `/metrics` and to `queue_live`, under load.

    python -m benchmarks.live --rate 500 --seconds 60

A worker runs in this process with the embedded parts; another process publishes contacts at `rate`
events a second over `QUEUES` queues. Twice a second a probe enters a queue of its own; the time
until the queue's waiting contact shows in what a scrape would be given, and in `queue_live`, is
taken from the moment at which the broker acknowledged the probe. Beside it, what a source's fold
takes to tell stage 2, in processor time.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from prometheus_client import generate_latest

from gateway.publish import Publisher
from gateway.record import Record
from schemas.sections import BrokerSettings
from schemas.settings import Settings
from schemas.topics import EVENTS_CALL
from sinks.metrics import Metrics
from sinks.store import Store
from streams.app import Pipeline
from streams.broker_admin import Security
from streams.parts import create_all_topics, migrate_all, opened_broker, opened_store

QUEUES = 40
PROBE_SECONDS = 0.5
LOOK_SECONDS = 0.02
TALK_SECONDS = 20


def event(subject: str, number: int, kind: str, data: dict[str, str]) -> Record:
    """An event of now."""
    at = datetime.now(UTC)
    said = {
        "specversion": "1.0",
        "id": f"{subject}/{number}",
        "source": "bench",
        "type": kind,
        "time": at.isoformat(),
        "subject": subject,
        "data": data,
    }
    return Record(EVENTS_CALL, subject.encode(), msgspec.json.encode(said), int(at.timestamp()))


def contacts(rate: float) -> Iterator[list[Record]]:
    """What to publish in each tenth of a second: contacts that wait, talk and end, for ever."""
    talking: list[tuple[float, str, str]] = []
    numbers = itertools.count()
    while True:
        records = []
        now = time.monotonic()
        for _ in range(round(rate / 30)):
            number = next(numbers)
            subject, queue = f"call-{number}", f"queue-{number % QUEUES}"
            records.append(event(subject, 0, "queue.entered", {"queue": queue}))
            answered = {"queue": queue, "agent": f"agent-{number % 500}"}
            records.append(event(subject, 1, "agent.connected", answered))
            talking.append((now + TALK_SECONDS, subject, queue))
        while talking and talking[0][0] <= now:
            _, subject, _ = talking.pop(0)
            records.append(event(subject, 2, "interaction.ended", {"by": "customer"}))
        yield records


async def load(bootstrap: str, rate: float) -> None:
    """Publish for ever at `rate` events a second."""
    async with Publisher(bootstrap, idempotent=False) as publisher:
        due = time.monotonic()
        for records in contacts(rate):
            await publisher.publish(records)
            due += 0.1
            await asyncio.sleep(max(0.0, due - time.monotonic()))


async def probe(
    publisher: Publisher, metrics: Metrics, store: Store, number: int
) -> tuple[float, float]:
    """Seconds from a probe's acknowledgement to its effect on a scrape, and on `queue_live`."""
    queue = f"probe-{number}"
    await publisher.publish([event(queue, 0, "queue.entered", {"queue": queue})])
    began = time.monotonic()
    series = f'switchboard_queue_waiting{{queue="{queue}",tenant="default"}} 1.0'.encode()
    shown: dict[str, float] = {}

    async def scraped() -> None:
        while series not in await asyncio.to_thread(generate_latest, metrics.registry):
            await asyncio.sleep(LOOK_SECONDS)
        shown["metrics"] = time.monotonic() - began

    async def stored() -> None:
        sql = "SELECT waiting FROM queue_live FINAL WHERE queue = {queue:String} AND waiting = 1"
        while not await asyncio.to_thread(store.query, sql, {"queue": queue}):
            await asyncio.sleep(LOOK_SECONDS)
        shown["queue_live"] = time.monotonic() - began

    await asyncio.wait_for(asyncio.gather(scraped(), stored()), 60)
    return shown["metrics"], shown["queue_live"]


async def measured(
    settings: Settings, bootstrap: str, stores: tuple[Store, Store], seconds: float
) -> tuple[list[tuple[float, float]], dict[str, float]]:
    """The latencies of probes over `seconds`, and what the worker counted."""
    metrics = Metrics()
    pipeline = Pipeline(settings, bootstrap, stores[0], metrics)
    pipeline.start()
    probes: list[asyncio.Task[tuple[float, float]]] = []
    async with Publisher(bootstrap, idempotent=False) as publisher:
        while pipeline.worker.assigned is None:
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(10)  # the load has come to its rate
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            # One at a time: many that look would be a load of their own.
            probes.append(asyncio.create_task(probe(publisher, metrics, stores[1], len(probes))))
            await asyncio.wait([probes[-1]])
            await asyncio.sleep(PROBE_SECONDS)
        found = await asyncio.gather(*probes)
    counted = {
        "events": sum(
            sample.value
            for family in metrics.events.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        )
    }
    for family in metrics.stage_cpu.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                counted[f"cpu {sample.labels['stage']}"] = sample.value
    await pipeline.stop()
    return list(found), counted


def _load(bootstrap: str, rate: float) -> None:
    asyncio.run(load(bootstrap, rate))


def main() -> None:
    """Print quantiles of both latencies."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live")
    parser.add_argument("--rate", type=float, default=500, help="events a second")
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(data_dir=Path(directory), broker=BrokerSettings(partitions=4))
        with opened_store(settings) as store, opened_store(settings) as asking:
            migrate_all(store, settings)
            with opened_broker(settings) as bootstrap:
                create_all_topics(settings, bootstrap, Security.of(settings.broker))
                publishing = multiprocessing.get_context("spawn").Process(
                    target=_load, args=(bootstrap, arguments.rate), daemon=True
                )
                publishing.start()
                try:
                    found, counted = asyncio.run(
                        measured(settings, bootstrap, (store, asking), arguments.seconds)
                    )
                finally:
                    publishing.kill()
                    publishing.join()
    print(f"{counted['events']:,.0f} events read, {arguments.rate:,.0f} a second; seconds of")
    for stage, value in counted.items():
        if stage != "events":
            print(f"  {stage:<16} {value:8.2f}")
    for at, name in enumerate(("/metrics", "queue_live")):
        waits = sorted(waits[at] for waits in found)
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
        shown = "  ".join(
            f"{share} {waits[min(len(waits) - 1, round(q * (len(waits) - 1)))]:.2f} s"
            for share, q in shares.items()
        )
        print(f"to {name:<12} {shown}  ({len(waits)} probes)")


if __name__ == "__main__":
    main()
