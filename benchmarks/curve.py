"""How what an event costs changes with everything that grows.

    python -m benchmarks.curve [--only PREFIX] [--scale 1.0] [--again]

Each point is a process of its own and a file in `build/curve`; a point that has its file is not
measured again, so a run that was cut off goes on where it was. `--scale` multiplies events and
contacts of every point, for a quick look. `benchmarks.plots` makes pictures and tables of it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.expected import check, counts_of
from benchmarks.peers.run import clickhouse_server
from benchmarks.pipeline import (
    DIRECTORY,
    before_first,
    fresh,
    one_run,
    preload,
    settings_for,
    span,
    versions,
)
from benchmarks.records import Load, publish, records_of
from benchmarks.state import open_contact
from benchmarks.worker import COMPILED, MeasuredWorker, beside, decode_us, stages
from benchmarks.yardstick import slowness
from gateway.record import Record
from sinks.store import open_store
from streams.broker_admin import PLAINTEXT
from streams.parts import create_all_topics

CURVE: Final = Path("build") / "curve"
EVENTS: Final = 500_000
"""Of the points whose events do not vary."""
PARTITIONS: Final = 8
REST_SECONDS: Final = 5.0
DATABASE: Final = "switchboard"

Told = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """Where a point is measured."""

    core: int
    directory: Path
    bootstrap: str


def cost(load: Load, partitions: int) -> Told:
    """One worker with the embedded engine, over preloaded topics."""
    with _bench() as bench:
        result = one_run(bench.bootstrap, load, partitions, compiled=True, core=bench.core)
    return _told(result.events, result.seconds, result.stages) | {
        "peak_rss_bytes": result.peak_rss_bytes,
        "bytes_written_per_event": result.bytes_written_per_event,
    }


def with_open_contacts(contacts: int, load: Load) -> Told:
    """A worker that holds open calls, is stopped, recovers, and goes on with the simulator's mix.

    `start_seconds` is from its second start to the last look before the first event folded: beside
    recovering, what any worker takes to open the engine and to join the group.
    """
    with _bench() as bench:
        settings = settings_for(bench.directory / "data", PARTITIONS)
        create_all_topics(settings, bench.bootstrap, PLAINTEXT)
        values = ((n, value) for n in range(contacts) for value in open_contact(n, "other/pbx"))
        ends = publish(
            bench.bootstrap,
            (Record("events.call", b"open-%d" % n, value, 0) for n, value in values),
        )
        start = partial(
            MeasuredWorker,
            bench.bootstrap,
            settings.data_dir,
            compiled=True,
            core=bench.core,
            settings={},
        )
        with start() as worker:
            span(worker, ends)
            held = worker.rss_bytes()
        ends |= publish(bench.bootstrap, records_of(load))
        began = time.monotonic()
        with start() as worker:
            first, last = span(worker, ends)
            recovered = first.at - began
            peak = worker.peak_rss_bytes()
        us = decode_us(load, compiled=True, core=bench.core)
    seconds = last.at - first.at
    return _told(load.events, seconds, stages(first, last, load.events, us)) | {
        "start_seconds": recovered,
        "rss_bytes_held": held,
        "peak_rss_bytes": peak,
    }


def workers(number: int, load: Load) -> Told:
    """Workers against one ClickHouse server in a process of its own; each has a core if it can.

    `stages` is those of the first.
    """
    with _bench() as bench, ExitStack() as stack:
        settings = settings_for(bench.directory / "data", PARTITIONS)
        preload(settings, bench.bootstrap, load)
        url = stack.enter_context(clickhouse_server(bench.directory))
        cores = range(os.cpu_count() or 1)[::-1]
        started = [
            stack.enter_context(
                MeasuredWorker(
                    bench.bootstrap,
                    bench.directory / f"worker-{n}",
                    compiled=True,
                    core=cores[n % len(cores)],
                    settings={"SWITCHBOARD_CLICKHOUSE__URL": url},
                )
            )
            for n in range(number)
        ]
        first = [before_first(worker) for worker in started]
        last = list(first)
        while sum(sample.events for sample in last) < load.events:
            last = [worker.sample() for worker in started]
            time.sleep(0.25)
        with open_store(url, path=bench.directory, database=DATABASE) as store:
            time.sleep(REST_SECONDS)
            check(store, counts_of(records_of(load), settings.queue("").target_seconds))
    seconds = max(s.at for s in last) - min(s.at for s in first)
    cpu = sum(b.cpu_seconds - a.cpu_seconds for a, b in zip(first, last, strict=True))
    return {
        "events": load.events,
        "events_per_second": load.events / seconds,
        "cpu_us_per_event": cpu / load.events * 1e6,
        "cores": len(cores),
    }


def state(contacts: int) -> Told:
    """What so many open contacts cost one fold (`benchmarks.state`), in a process of its own."""
    environment = os.environ | {"PYTHONPATH": f"{COMPILED.resolve()}{os.pathsep}{Path.cwd()}"}
    program = [sys.executable, "-P", "-m", "benchmarks.state", str(contacts)]
    told = subprocess.run(program, env=environment, check=True, capture_output=True).stdout
    found: Told = json.loads(told)
    return found


def at_rest(*, server: bool) -> Told:
    """Memory of a worker that has nothing to do."""
    with _bench() as bench, ExitStack() as stack:
        settings = settings_for(bench.directory / "data", PARTITIONS)
        create_all_topics(settings, bench.bootstrap, PLAINTEXT)
        to = {}
        if server:
            url = stack.enter_context(clickhouse_server(bench.directory))
            to = {"SWITCHBOARD_CLICKHOUSE__URL": url}
        worker = stack.enter_context(
            MeasuredWorker(
                bench.bootstrap, settings.data_dir, compiled=True, core=bench.core, settings=to
            )
        )
        list(worker.until(lambda sample: bool(sample.covered()), "its partitions"))
        time.sleep(REST_SECONDS)
        return {"rss_bytes": worker.rss_bytes()}


@contextmanager
def _bench() -> Iterator[Bench]:
    core = max(os.sched_getaffinity(0))
    with beside(core), fresh(DIRECTORY) as bootstrap:
        yield Bench(core, DIRECTORY, bootstrap)


def _told(events: int, seconds: float, by_stage: dict[str, float]) -> Told:
    return {
        "events": events,
        "events_per_second": events / seconds,
        "cpu_us_per_event": sum(by_stage.values()),
        "stages": by_stage,
    }


def points(scale: float) -> dict[str, Callable[[], Told]]:
    """Every point by its name."""

    def mix(queues: int = 0) -> Load:
        return Load(round(EVENTS * scale), queues=queues)

    found: dict[str, Callable[[], Told]] = {}
    for n in (100_000, 1_000_000, 10_000_000):
        found[f"events-{n}"] = partial(cost, Load(round(n * scale)), PARTITIONS)
    for n in (10, 100, 1_000):
        found[f"queues-{n}"] = partial(cost, mix(n), PARTITIONS)
    for n in (1_000, 10_000, 100_000, 1_000_000):
        found[f"open-{n}"] = partial(with_open_contacts, round(n * scale), mix())
        found[f"state-{n}"] = partial(state, round(n * scale))
    for n in (1, 4, 16):
        found[f"partitions-{n}"] = partial(cost, mix(), n)
    for n in (1, 2):
        found[f"workers-{n}"] = partial(workers, n, mix())
    for name in ("embedded", "server"):
        found[f"rest-{name}"] = partial(at_rest, server=name == "server")
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", default="", help="points whose names begin so")
    arguments.add_argument("--scale", type=float, default=1.0, help="of events and contacts")
    arguments.add_argument("--again", action="store_true", help="those that have a file, too")
    arguments.add_argument("--point", help="this one, in this process")
    asked = arguments.parse_args()
    CURVE.mkdir(parents=True, exist_ok=True)
    if asked.point:
        began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        core = max(os.sched_getaffinity(0))
        with beside(core):
            slow = slowness(core)
        told = points(asked.scale)[asked.point]() | {"slowness": slow}
        told |= {"scale": asked.scale, "at": began, "load_average": os.getloadavg()[0]}
        told["versions"] = versions()
        _file(asked.point).write_text(json.dumps(told, indent=2) + "\n")
        return
    failed = []
    for name in points(asked.scale):
        if not name.startswith(asked.only) or (_is_measured(name, asked.scale) and not asked.again):
            continue
        print(f"== {name}", flush=True)
        program = [sys.executable, "-m", "benchmarks.curve", "--point", name]
        if subprocess.run([*program, "--scale", str(asked.scale)], check=False).returncode:
            failed.append(name)
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


def _is_measured(point: str, scale: float) -> bool:
    return _file(point).exists() and bool(json.loads(_file(point).read_text())["scale"] == scale)


def _file(point: str) -> Path:
    return CURVE / f"{point}.json"


if __name__ == "__main__":
    main()
