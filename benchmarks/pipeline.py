"""How fast one worker is: a preloaded broker, `switchboard run` on one core, rows in ClickHouse.

    python -m benchmarks.pipeline [--events 1000000] [--partitions 8] [--interpreted]

The worker runs with the fold compiled, as the image has it: `make bench` builds that first.
Measures from the start of the worker's group membership to the last event row stored, by the
worker's own metrics and the kernel's accounting of its threads; then stops it and checks what is
stored against counts taken from the log's text. Prints a table, writes `build/bench.json`.
"""

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.ingest import ingest
from gateway.publish import Publisher
from schemas.decode import decode
from schemas.settings import load_settings
from sinks.kpis.query import kpi_table
from streams.broker_admin import PLAINTEXT
from streams.embedded import EmbeddedBroker
from streams.parts import create_all_topics, opened_store

BUILD = Path("build")
COMPILED = BUILD / "compiled"
EVENTS_PER_CALL = 4.8
DEADLINE_SECONDS = 600.0
LOOK_SECONDS = 0.5
"""Between looks at the worker's metrics, which cost it some milliseconds each."""
STAGES = ("fetch", "decode", "fold", "rows", "insert", "checkpoint", "engine")


@dataclass
class Result:
    events: int
    seconds: float
    stages: dict[str, float]
    peak_rss_bytes: int
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    @property
    def cpu_us_per_event(self) -> float:
        return sum(self.stages.values())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--partitions", type=int, default=8)
    arguments.add_argument("--interpreted", action="store_true", help="with the fold as it is")
    asked = arguments.parse_args()
    if not asked.interpreted and not COMPILED.is_dir():
        raise SystemExit(f"{COMPILED} is not there: `make bench` builds it first.")
    directory = BUILD / "bench"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    log = _made_log(directory, round(asked.events / EVENTS_PER_CALL))
    overrides = {"data_dir": str(directory / "data"), "broker": {"partitions": asked.partitions}}
    settings = load_settings(None, overrides)
    with EmbeddedBroker(directory) as broker:
        create_all_topics(settings, broker.bootstrap, PLAINTEXT)
        print(f"publishing {log} ...", flush=True)
        events = asyncio.run(_publish(log, broker.bootstrap))
        print(f"processing {events:,} events ...", flush=True)
        result = _measure(directory, broker.bootstrap, events, compiled=not asked.interpreted)
    _check(log, overrides, events)
    _report(result)


def _made_log(directory: Path, calls: int) -> Path:
    path = directory / "queue_log.txt"
    maker = Path("samples") / "make_queue_log.py"
    agents = max(12, calls // 180)
    asked = f"--calls {calls} --days 5 --agents {agents} --output {path}".split()
    subprocess.run(
        [sys.executable, maker, *asked],
        check=True,
    )
    return path


async def _publish(log: Path, bootstrap: str) -> int:
    async with Publisher(bootstrap) as publisher:
        return (await ingest(log, publisher)).events


def _measure(directory: Path, bootstrap: str, events: int, *, compiled: bool) -> Result:
    core = max(os.sched_getaffinity(0))
    environment = os.environ | {
        "SWITCHBOARD_BROKER__URL": bootstrap,
        "SWITCHBOARD_BROKER__SESSION_TIMEOUT_SECONDS": "6",
        "SWITCHBOARD_HTTP__PORT": "0",
    }
    if compiled:
        environment["PYTHONPATH"] = str(COMPILED.resolve())
    # -P: the compiled packages, not those of the directory in which it is started.
    program = [sys.executable, "-P", "-c", "from streams.cli import main; main()"]
    worker = subprocess.Popen(
        ["taskset", "-c", str(core), *program, "run", "--data", directory / "data"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = _address(worker)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (before := _metrics(address)).get("switchboard_stage_cpu_seconds_total:fold"):
            _before(deadline, "the first event")
        began, cpu_before = time.monotonic(), _threads(worker.pid)
        while (stored := _metrics(address)).get("switchboard_sink_rows_total:events", 0) < events:
            _before(deadline, "the last event")
        seconds = time.monotonic() - began
        cpu = {n: s - cpu_before.get(n, 0) for n, s in _threads(worker.pid).items()}
        stages = _stages(before, stored, cpu, events)
        versions = _versions() | {"fold": "compiled" if compiled else "interpreted"}
        return Result(events, seconds, stages, _peak_rss(worker.pid), versions)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)


def _before(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise SystemExit(f"{what} was not there within {DEADLINE_SECONDS:g} s")
    time.sleep(LOOK_SECONDS)


def _address(worker: subprocess.Popen[str]) -> str:
    for line in worker.stderr or ():
        if found := re.search(r"http://(\S+)", line):
            return found[1]
    raise SystemExit("the worker ended before it was ready")


def _metrics(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {
        ":".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _threads(pid: int) -> dict[str, float]:
    """Processor seconds by thread name; threads of the embedded engine are those not Python's."""
    tick = os.sysconf("SC_CLK_TCK")
    found: defaultdict[str, float] = defaultdict(float)
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
            name = (task / "comm").read_text().strip()
        except OSError:
            continue  # a thread that has just ended
        found[name] += (int(fields[11]) + int(fields[12])) / tick
    return dict(found)


def _stages(
    before: dict[str, float], after: dict[str, float], cpu: dict[str, float], events: int
) -> dict[str, float]:
    """Microseconds of processor time an event, by stage."""

    def of(stage: str) -> float:
        name = f"switchboard_stage_cpu_seconds_total:{stage}"
        return after.get(name, 0) - before.get(name, 0)

    python = sum(s for name, s in cpu.items() if name.startswith(("switchboard", "python", "sink")))
    engine = sum(cpu.values()) - python
    decoding = _decode_us() * events / 1e6
    known = of("fold") + of("rows") + of("checkpoint") + of("insert")
    seconds = {
        "fetch": max(0.0, python - known),
        "decode": decoding,
        "fold": of("fold") - decoding,
        "rows": of("rows"),
        "insert": of("insert"),
        "checkpoint": of("checkpoint"),
        "engine": engine,
    }
    return {stage: seconds[stage] / events * 1e6 for stage in STAGES}


def _decode_us() -> float:
    value = (
        b'{"specversion":"1.0","id":"b6f8e2d81b1f4a5a9d3f0c1e2a3b4c5d-1","source":"asterisk",'
        b'"type":"agent.connected","time":"2026-03-02T09:30:00Z","subject":"1772443800.1234",'
        b'"data":{"agent":"1127","queue":"support","wait_seconds":76.0,"ring_seconds":6.0}}'
    )
    rounds = 20_000
    began = time.process_time()
    for _ in range(rounds):
        decode(value)
    return (time.process_time() - began) / rounds * 1e6


def _peak_rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def _versions() -> dict[str, str]:
    packages = ("faust-streaming", "aiokafka", "chdb", "clickhouse-connect", "msgspec")
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in packages
    }


def _check(log: Path, overrides: Mapping[str, object], events: int) -> None:
    """Compare what is stored with counts of the log's own words: fast and wrong is no answer."""
    words = Counter(line.split(b"|", 5)[4] for line in log.read_bytes().splitlines())
    settings = load_settings(None, overrides)
    with opened_store(settings) as store:
        rows = store.query("SELECT count() AS n FROM events FINAL")[0]["n"]
        kpis = [result.to_json() for result in kpi_table(store, settings.tenant)]
    found = {
        "events": rows,
        "offered": sum(k["offered"] for k in kpis),
        "answered": sum(k["answered"] for k in kpis),
        "abandoned": sum(k["abandoned"] for k in kpis),
    }
    expected = {
        "events": events,
        "offered": words[b"ENTERQUEUE"],
        "answered": words[b"CONNECT"],
        "abandoned": words[b"ABANDON"],
    }
    if found != expected:
        raise SystemExit(f"WRONG: stored {found}, the log says {expected}")
    print(f"right: {found}")


def _report(result: Result) -> None:
    print(f"fold               {result.versions['fold']:>12}")
    print(f"events/s           {result.events_per_second:>12,.0f}")
    print(f"CPU us/event       {result.cpu_us_per_event:>12.2f}")
    for stage, microseconds in result.stages.items():
        print(f"  {stage:<16} {microseconds:>12.2f}")
    print(f"peak memory MiB    {result.peak_rss_bytes / (1 << 20):>12,.0f}")
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(
        json.dumps(
            {
                "events": result.events,
                "events_per_second": result.events_per_second,
                "cpu_us_per_event": result.cpu_us_per_event,
                "stages": result.stages,
                "peak_rss_bytes": result.peak_rss_bytes,
                "versions": result.versions,
            },
            indent=2,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
