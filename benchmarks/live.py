"""How long an event takes from the broker to `/metrics` and to `queue_live`, under load, by hops.

    python -m benchmarks.live [--rate 10000] [--seconds 120] [--interpreted]

`switchboard run` is a process of its own, on one core, with the fold compiled as in `make bench`;
broker, load and looks keep off it. Contacts come at `rate` events a second over `QUEUES` queues.
Every two seconds or so a probe enters a queue that nobody leaves; its time begins when the broker
acknowledged it, and its hops are

    told        until the partial that names it lies in `kpi.panes`: read, folded, told
    /metrics    from there until a scrape shows it
    queue_live  from there until the store has a row that shows it

A look costs the worker as much as a scrape, so there are some only while a probe is out; they come
up to 0.25 s late. Prints the quantiles of hops and of the whole ways, and how fast the machine was
(`benchmarks.yardstick`), and writes them to `build/live.json`.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import re
import shutil
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.worker import COMPILED, MeasuredWorker, Sample, beside
from benchmarks.yardstick import slowness
from gateway.publish import Publisher
from gateway.record import Record
from schemas.sections import BrokerSettings
from schemas.settings import Settings
from schemas.topics import EVENTS_CALL, KPI_PANES
from streams.broker_admin import PLAINTEXT
from streams.embedded import EmbeddedBroker
from streams.fold.live import queue_key
from streams.parts import create_all_topics

BUILD: Final = Path("build")
DIRECTORY: Final = BUILD / "live"
PARTITIONS: Final = 4
QUEUES: Final = 40
AGENTS: Final = 500
PROBE_QUEUE: Final = "probe"
PROBE_SECONDS: Final = 1.73
"""Falls on ever other moments between what comes every quarter, half or whole second."""
SCRAPE_SECONDS: Final = 0.25
ASK_SECONDS: Final = 0.25
"""Between looks at `/metrics`, and at the store: what they find may have been there for so long. A
Prometheus looks every few seconds; ten times a second was a third of what the worker did."""
IDLE_SECONDS: Final = 0.02
WAIT_SECONDS: Final = 2.0
TALK_SECONDS: Final = 20.0
WARM_SECONDS: Final = WAIT_SECONDS + TALK_SECONDS + 3.0
"""By then as many contacts end as begin."""
BATCH_SECONDS: Final = 0.1
DEADLINE_SECONDS: Final = 60.0
UNCACHED: Final = "import dashboards.wallboard as page; page.FRESH_SECONDS = 0"
"""What many viewers ask in one second is asked once; looks are to see the store itself."""
THREADS: Final = 5
"""So many names of threads are shown."""
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_WAITING: Final = re.compile(
    rf'^switchboard_queue_waiting{{queue="{PROBE_QUEUE}",tenant="default"}} (\S+)$', re.MULTILINE
)


@dataclass
class Probe:
    """When a probe was acknowledged, and seen at each hop, by the clock of `time.time`."""

    at: float
    told: float = 0.0
    metrics: float = 0.0
    queue_live: float = 0.0


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
    numbers = itertools.count()
    waiting: deque[tuple[float, int]] = deque()
    talking: deque[tuple[float, int]] = deque()
    carried = 0.0
    while True:
        now = time.monotonic()
        carried += rate * BATCH_SECONDS / 3
        records = []
        for number in itertools.islice(numbers, int(carried)):
            queue = f"queue-{number % QUEUES}"
            records.append(event(f"call-{number}", 0, "queue.entered", {"queue": queue}))
            waiting.append((now + WAIT_SECONDS, number))
        carried %= 1
        while waiting and waiting[0][0] <= now:
            _, number = waiting.popleft()
            by = {"queue": f"queue-{number % QUEUES}", "agent": f"agent-{number % AGENTS}"}
            records.append(event(f"call-{number}", 1, "agent.connected", by))
            talking.append((now + TALK_SECONDS, number))
        while talking and talking[0][0] <= now:
            _, number = talking.popleft()
            ended = event(f"call-{number}", 2, "interaction.ended", {"by": "customer"})
            records.append(ended)
        yield records


async def load(bootstrap: str, rate: float) -> None:
    """Publish for ever at `rate` events a second, or as fast as it can."""
    async with Publisher(bootstrap, idempotent=False) as publisher:
        due = time.monotonic()
        for records in contacts(rate):
            await publisher.publish(records)
            due += BATCH_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))


async def told(bootstrap: str, probes: Sequence[Probe]) -> None:
    """Note, for ever, when the partial that names a probe was laid on `kpi.panes`."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=100) as consumer:
        consumer.assign([TopicPartition(KPI_PANES, n) for n in range(PARTITIONS)])
        async for record in consumer:
            if record.key != queue_key(("default", PROBE_QUEUE)):
                continue
            for name in re.findall(rb'"probe-(\d+)"', record.value or b""):
                probe = probes[int(name)]
                probe.told = probe.told or record.timestamp / 1000


async def seen(
    waiting: Callable[[], int],
    every_seconds: float,
    probes: Sequence[Probe],
    note: Callable[[Probe, float], None],
) -> None:
    """Note, for ever, when as many wait as were sent: they are seen in the order of their going."""
    shown = 0
    while True:
        began = time.time()
        if shown >= len(probes):
            await asyncio.sleep(IDLE_SECONDS)
            continue
        with suppress(OSError):
            now_waiting = await asyncio.to_thread(waiting)
            for probe in probes[shown:now_waiting]:
                note(probe, time.time())
            shown = max(shown, now_waiting)
        await asyncio.sleep(max(0.0, began + every_seconds - time.time()))


def in_metrics(address: str) -> int:
    """How many probes a scrape shows."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        found = _WAITING.search(answer.read().decode())
    return 0 if found is None else int(float(found[1]))


def in_store(address: str) -> int:
    """How many probes `queue_live` shows, by the page that reads it."""
    with urllib.request.urlopen(f"http://{address}/wallboard/queues.json", timeout=10) as answer:
        said = msgspec.json.decode(answer.read())
    return sum(queue["waiting"] for queue in said["queues"] if queue["queue"] == PROBE_QUEUE)


async def probed(bootstrap: str, address: str, seconds: float) -> list[Probe]:
    """Probes over `seconds`, each seen everywhere."""
    probes: list[Probe] = []

    def metrics(probe: Probe, at: float) -> None:
        probe.metrics = at

    def queue_live(probe: Probe, at: float) -> None:
        probe.queue_live = at

    looks = [
        asyncio.create_task(told(bootstrap, probes)),
        asyncio.create_task(seen(lambda: in_metrics(address), SCRAPE_SECONDS, probes, metrics)),
        asyncio.create_task(seen(lambda: in_store(address), ASK_SECONDS, probes, queue_live)),
    ]
    try:
        async with Publisher(bootstrap, idempotent=False) as publisher:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                subject = f"probe-{len(probes)}"
                entered = event(subject, 0, "queue.entered", {"queue": PROBE_QUEUE})
                # It may be seen before its acknowledgement is.
                probes.append(Probe(time.time()))
                await publisher.publish([entered])
                probes[-1].at = time.time()
                await asyncio.sleep(PROBE_SECONDS)
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not all(p.told and p.metrics and p.queue_live for p in probes):
                if time.monotonic() > deadline or any(look.done() for look in looks):
                    raise SystemExit(
                        f"The worker did not keep up: {probes[-1]}. A lower --rate, or a quieter"
                        f" machine (load average {os.getloadavg()[0]:.1f}); see {DIRECTORY}"
                    )
                await asyncio.sleep(SCRAPE_SECONDS)
    finally:
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
    return probes


def _load(bootstrap: str, rate: float) -> None:
    asyncio.run(load(bootstrap, rate))


def measured(rate: float, seconds: float, *, compiled: bool, core: int) -> None:
    """Run, measure, and print."""
    slow = slowness(core)
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    settings = Settings(data_dir=DIRECTORY / "data", broker=BrokerSettings(partitions=PARTITIONS))
    with beside(core), EmbeddedBroker(DIRECTORY) as broker:
        create_all_topics(settings, broker.bootstrap, PLAINTEXT)
        arguments = (broker.bootstrap, rate)
        publishing = multiprocessing.get_context("spawn").Process(
            target=_load, args=arguments, daemon=True
        )
        publishing.start()
        try:
            with MeasuredWorker(
                *(broker.bootstrap, settings.data_dir),
                compiled=compiled,
                core=core,
                settings={},
                before=UNCACHED,
            ) as worker:
                list(worker.until(lambda sample: sample.begun, "the first event"))
                time.sleep(WARM_SECONDS)
                first = worker.sample()
                probes = asyncio.run(probed(broker.bootstrap, worker.address, seconds))
                last = worker.sample()
        finally:
            publishing.kill()
            publishing.join()
    report(rate, probes, first, last, slow)


def report(rate: float, probes: Sequence[Probe], first: Sample, last: Sample, slow: float) -> None:
    """Print quantiles of every hop, and of the whole ways; keep them."""
    seconds = last.at - first.at
    events = (last.events - first.events) / seconds
    cores = (last.cpu_seconds - first.cpu_seconds) / seconds
    print(f"events/s           {events:>12,.0f} of {rate:,.0f}")
    print(f"machine            {slow:>12.2f} x as slow as the targets' was")
    print(f"cores              {cores:>12.2f}")
    for name, share in sorted(_threads(first, last).items(), key=lambda item: -item[1])[:THREADS]:
        print(f"  {name:<17}{share:>12.2f}")
    hops = {
        "told": [p.told - p.at for p in probes],
        "told to /metrics": [p.metrics - p.told for p in probes],
        "told to queue_live": [p.queue_live - p.told for p in probes],
        "/metrics": [p.metrics - p.at for p in probes],
        "queue_live": [p.queue_live - p.at for p in probes],
    }
    found: dict[str, dict[str, float]] = {}
    for name, waits in hops.items():
        waits.sort()
        found[name] = {share: waits[round(q * (len(waits) - 1))] for share, q in QUANTILES.items()}
        shown = "  ".join(f"{share} {value:5.2f} s" for share, value in found[name].items())
        print(f"{name:<19}{shown}  ({len(waits)} probes)")
    told = {
        "asked_events_per_second": rate,
        "events_per_second": events,
        "slowness": slow,
        "cores": cores,
        "seconds": found,
        "load_average": os.getloadavg()[0],
    }
    (BUILD / "live.json").write_text(json.dumps(told, indent=2) + "\n")


def _threads(first: Sample, last: Sample) -> dict[str, float]:
    """Cores by name of the threads that used them."""
    seconds = last.at - first.at
    return {
        name: (used - first.threads.get(name, 0.0)) / seconds for name, used in last.threads.items()
    }


def main() -> None:
    """Measure with the fold as it is built, or in Python."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live")
    parser.add_argument("--rate", type=float, default=10_000, help="events a second")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--interpreted", action="store_true", help="with the fold as it is")
    arguments = parser.parse_args()
    compiled = not arguments.interpreted
    if compiled and not COMPILED.is_dir():
        raise SystemExit(f"{COMPILED} is not there: `make latency` builds it first.")
    core = max(os.sched_getaffinity(0))
    measured(arguments.rate, arguments.seconds, compiled=compiled, core=core)


if __name__ == "__main__":
    main()
