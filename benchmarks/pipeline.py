"""How fast one worker is: preloaded topics, `switchboard run` on one core, rows in ClickHouse.

    python -m benchmarks [--events 2000000] [--partitions 8] [--source simulator|queue-log]
                         [--runs 1] [--interpreted] [--peers NAME …] [--peer-events 200000]

The worker runs with the fold compiled, as the image has it: `make bench` builds that first. It has
one core to itself; broker and load keep off it. Measured is from the last look before the first
event to the look that shows the last row of the fold's tables stored, by the worker's own metrics
and the kernel's accounting of its threads. Then what is stored is checked (`benchmarks.expected`).
Before each run something that never changes is measured, because machines are not always equally
fast (`benchmarks.yardstick`). Prints a table, writes `build/bench.json`.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, cast, get_args

from benchmarks.expected import ORACLE_EVENTS, check, check_by_oracle, counts_of
from benchmarks.peers.run import NAMES, measured_peers
from benchmarks.records import Load, Source, publish, records_of
from benchmarks.worker import (
    COMPILED,
    LOOK_SECONDS,
    MeasuredWorker,
    Sample,
    beside,
    decode_us,
    stages,
)
from benchmarks.yardstick import slowness
from schemas.settings import Settings, load_settings
from schemas.topics import IDENTITY_LINKS
from streams.broker_admin import PLAINTEXT
from streams.embedded import EmbeddedBroker
from streams.parts import create_all_topics, opened_store
from streams.topic_admin import ends_before

BUILD: Final = Path("build")
DIRECTORY: Final = BUILD / "bench"
PEER_EVENTS: Final = 200_000
"""What peers get unless more is asked for, and ours again beside them: some take minutes for it."""


@dataclass(frozen=True)
class Result:
    """One run. `stages` is microseconds of processor time an event, by stage; `slowness` how much
    longer than the reference the machine took for the yardstick just before, where that was asked.
    """

    events: int
    seconds: float
    stages: dict[str, float]
    peak_rss_bytes: int
    bytes_written_per_event: float
    slowness: float | None = None

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    @property
    def cpu_us_per_event(self) -> float:
        return sum(self.stages.values())


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--events", type=int, default=2_000_000)
    arguments.add_argument("--partitions", type=int, default=8)
    arguments.add_argument("--source", choices=get_args(Source), default="simulator")
    arguments.add_argument("--runs", type=int, default=1, help="the median of so many is told")
    arguments.add_argument("--interpreted", action="store_true", help="with the fold as it is")
    arguments.add_argument(
        "--peers", nargs="*", choices=NAMES, metavar="NAME", help=f"and {', '.join(NAMES)}, or some"
    )
    arguments.add_argument("--peer-events", type=int, default=PEER_EVENTS)
    asked = arguments.parse_args()
    compiled = not asked.interpreted
    if compiled and not COMPILED.is_dir():
        raise SystemExit(f"{COMPILED} is not there: `make bench` builds it first.")
    source = cast("Source", asked.source)
    core = max(os.sched_getaffinity(0))
    load = Load(asked.events, source)
    results: list[Result] = []
    peers: dict[str, dict[str, Any]] = {}
    with beside(core):
        for _ in range(asked.runs):
            slow = slowness(core)
            with fresh(DIRECTORY) as bootstrap:
                run = one_run(bootstrap, load, asked.partitions, compiled=compiled, core=core)
            results.append(replace(run, slowness=slow))
        if asked.peers is not None:
            load = Load(asked.peer_events, source)
            with fresh(DIRECTORY) as bootstrap:
                ours = one_run(bootstrap, load, asked.partitions, compiled=compiled, core=core)
                settings = settings_for(DIRECTORY, asked.partitions)
                peers = measured_peers(
                    bootstrap,
                    load,
                    names=asked.peers or list(NAMES),
                    partitions=asked.partitions,
                    core=core,
                    target=settings.queue("").target_seconds,
                )
            peers = _with_ratios(peers, ours)
    _report(results, versions() | {"fold": "compiled" if compiled else "interpreted"}, peers)


@contextmanager
def fresh(directory: Path) -> Iterator[str]:
    """An empty directory and an empty broker; its address."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    with EmbeddedBroker(directory) as broker:
        yield broker.bootstrap


def settings_for(data: Path, partitions: int) -> Settings:
    """The default settings, but for where the data lies and how many partitions there are."""
    return load_settings(None, {"data_dir": str(data), "broker": {"partitions": partitions}})


def preload(
    settings: Settings, bootstrap: str, load: Load
) -> tuple[dict[tuple[str, int], int], int]:
    """Make the topics and fill them; the ends of their partitions, and when that was, in ms."""
    create_all_topics(settings, bootstrap, PLAINTEXT)
    print(f"publishing {load.events:,} events ...", flush=True)
    return publish(bootstrap, records_of(load)), round(time.time() * 1000)


def one_run(bootstrap: str, load: Load, partitions: int, *, compiled: bool, core: int) -> Result:
    """Fill the topics, run the worker over them, measure, and check what it stored."""
    settings = settings_for(DIRECTORY / "data", partitions)
    ends, published_at = preload(settings, bootstrap, load)
    print(f"processing {load.events:,} events ...", flush=True)
    with MeasuredWorker(
        bootstrap, settings.data_dir, compiled=compiled, core=core, settings={}
    ) as worker:
        first, last = span(worker, ends)
        peak = worker.peak_rss_bytes()
        if load.events <= ORACLE_EVENTS:
            wait_for_identity(worker, bootstrap, partitions)
    result = Result(
        load.events,
        last.at - first.at,
        stages(first, last, load.events, decode_us(load, compiled=compiled, core=core)),
        peak,
        (last.written_bytes - first.written_bytes) / load.events,
    )
    counts = counts_of(records_of(load), settings.queue("").target_seconds)
    with opened_store(settings) as store:
        print(f"right: {check(store, counts)}", flush=True)
        if load.events <= ORACLE_EVENTS:
            told = check_by_oracle(store, settings, records_of(load), published_at)
            print(f"right by the oracle: {told}", flush=True)
    return result


def span(worker: MeasuredWorker, ends: Mapping[tuple[str, int], int]) -> tuple[Sample, Sample]:
    """The last look before the first event, and the one that shows the last row stored.

    Everything is stored when checkpoints cover the ends of all partitions; that takes up to their
    interval longer, which is not counted.
    """
    first = last = before_first(worker)

    def covered(sample: Sample) -> bool:
        reached = sample.covered()
        return all(reached.get(place, 0) >= end for place, end in ends.items())

    for sample in worker.until(covered, "the last event", LOOK_SECONDS):
        if sample.rows > last.rows:
            last = sample
    return first, last


def wait_for_identity(worker: MeasuredWorker, bootstrap: str, partitions: int) -> None:
    """Until all that identifiers say to each other is heard: it goes on after the last event.

    Answers are published before a checkpoint vouches for what they answer. So where checkpoints
    cover all partitions, and these end there when they are asked afterwards, no more will come.
    """

    def heard(sample: Sample) -> bool:
        reached = sample.covered()
        ends = {n: reached.get((IDENTITY_LINKS, n), 0) for n in range(partitions)}
        return all(ends_before(bootstrap, IDENTITY_LINKS, n, end + 1) for n, end in ends.items())

    list(worker.until(heard, "the last word of identifiers"))


def before_first(worker: MeasuredWorker) -> Sample:
    """The last look before the first event."""
    return list(worker.until(lambda sample: sample.begun, "the first event"))[-2:][0]


def versions() -> dict[str, str]:
    """What was measured."""
    packages = ("faust-streaming", "aiokafka", "chdb", "clickhouse-connect", "msgspec")
    return {"python": platform.python_version(), "kernel": platform.release()} | {
        name: importlib.metadata.version(name) for name in packages
    }


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _with_ratios(peers: dict[str, dict[str, Any]], ours: Result) -> dict[str, dict[str, Any]]:
    """Peers and ours on the same records; ratios to ours with or without the engine, as theirs."""
    own = ours.cpu_us_per_event - ours.stages["engine"]
    found = {
        name: peer
        | {
            "ratio": peer["cpu_us_per_event"]
            / (ours.cpu_us_per_event if peer["engine_included"] else own)
        }
        for name, peer in peers.items()
    }
    us = {"events_per_second": ours.events_per_second, "ratio": 1.0}
    return {
        "switchboard": us | {"cpu_us_per_event": own, "engine_included": False},
        "switchboard with engine": us
        | {"cpu_us_per_event": ours.cpu_us_per_event, "engine_included": True},
        **found,
    }


def _report(results: list[Result], of: dict[str, str], peers: dict[str, Any]) -> None:
    by_speed = sorted(results, key=lambda result: result.events_per_second)
    middle = by_speed[len(by_speed) // 2]
    print(f"fold               {of['fold']:>12}")
    print(f"events/s           {middle.events_per_second:>12,.0f}")
    print(f"CPU us/event       {middle.cpu_us_per_event:>12.2f}")
    for stage, microseconds in middle.stages.items():
        print(f"  {stage:<16} {microseconds:>12.2f}")
    print(f"peak memory MiB    {middle.peak_rss_bytes / (1 << 20):>12,.0f}")
    print(f"bytes written/event{middle.bytes_written_per_event:>12,.0f}")
    if middle.slowness is not None:
        print(f"machine            {middle.slowness:>12.2f} x as slow as the targets' was")
    if len(results) > 1:
        speeds = ", ".join(f"{r.events_per_second:,.0f}" for r in by_speed)
        spread = statistics.pstdev(r.cpu_us_per_event for r in results)
        print(f"runs               {speeds} events/s; CPU +- {spread:.2f} us")
    for name, peer in peers.items():
        cpu, ratio = peer["cpu_us_per_event"], peer["ratio"]
        print(f"{name:<19}{cpu:>12.2f} CPU us/event, {ratio:.2f} x ours")
    told = asdict(middle) | {
        "events_per_second": middle.events_per_second,
        "cpu_us_per_event": middle.cpu_us_per_event,
        "runs": [r.events_per_second for r in results],
        "slownesses": [r.slowness for r in results],
        "peers": peers,
        "machine": f"{os.cpu_count()} cores, {_processor()}",
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "load_average": os.getloadavg()[0],
        "versions": of,
    }
    (BUILD / "bench.json").write_text(json.dumps(told, indent=2) + "\n")
