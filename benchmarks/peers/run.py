"""Runs each peer over the records that were measured, and checks what it stored.

A peer gets the worker's core. For the streams ClickHouse is the tests' server, the embedded engine
behind HTTP in another process, and costs them nothing. Counted is a peer's processor time from its
first record to the look that shows all rows right, or to its end; one that never is right fails.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks.expected import MEASURES, Counts, counts_of, differences
from benchmarks.peers.job import BLOCK_ROWS, TABLES
from benchmarks.records import Load, records_of
from benchmarks.worker import cpu_seconds
from sinks.store import Store, open_store

PYTHON: Final = Path("build") / "peers" / "bin" / "python"
DIRECTORY: Final = Path("build") / "bench" / "peers"
STREAMS: Final = {"faust": "faust_tables", "quixstreams": "quix", "bytewax": "bytewax_flow"}
SQL: Final = "clickhouse-sql"
NAMES: Final = (*STREAMS, SQL)
DEADLINE_SECONDS: Final = 1_800.0
LOOK_SECONDS: Final = 1.0
DATABASE: Final = "default"


@dataclass(frozen=True)
class Peer:
    """What one took. `engine_included`: ClickHouse's work is part of its processor time."""

    cpu_us_per_event: float
    events_per_second: float
    engine_included: bool
    ratio: float = 0.0


def measured_peers(
    bootstrap: str, load: Load, *, names: list[str], partitions: int, core: int, target: float
) -> dict[str, dict[str, Any]]:
    """Run them one after another; what each took, by name. Raises `SystemExit` on a wrong one."""
    if not PYTHON.exists():
        raise SystemExit(f"{PYTHON} is not there: `make peers` builds it.")
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    counts = counts_of(records_of(load), target)
    found = {}
    for name in names:
        print(f"the same by {name} ...", flush=True)
        directory = DIRECTORY / name
        directory.mkdir(parents=True)
        if name == SQL:
            peer = _measured_sql(directory, load, counts, core)
        else:
            peer = _measured_stream(name, directory, bootstrap, partitions, counts, core)
        found[name] = asdict(peer)
    return found


def _measured_stream(
    name: str, directory: Path, bootstrap: str, partitions: int, counts: Counts, core: int
) -> Peer:
    arguments = [bootstrap, "", str(partitions), str(directory / "state")]
    with (
        clickhouse_server(directory) as url,
        open_store(url, path=directory, database=DATABASE) as store,
    ):
        for table in TABLES:
            store.command(table)
        arguments[1] = f"{url}/{DATABASE}"
        with _started(STREAMS[name], directory, arguments, core) as child:
            seconds, cpu = child.until(lambda: not _differences(store, counts))
    events = counts.events.total()
    return Peer(cpu / events * 1e6, events / seconds, engine_included=False)


def _measured_sql(directory: Path, load: Load, counts: Counts, core: int) -> Peer:
    lines, engine = directory / "lines", directory / "engine"
    lines.mkdir()
    records = records_of(load)
    number = 0
    while block := list(islice(records, BLOCK_ROWS)):
        with (lines / f"{number:06}.jsonl").open("wb") as file:
            file.writelines(
                b'{"topic":"%s","event":%s}\n' % (r.topic.encode(), r.value) for r in block
            )
        number += 1
    with open_store("embedded", path=engine, database=DATABASE) as store:
        for table in TABLES:
            store.command(table)
    arguments = ["", str(engine), str(lines), ""]
    with _started("sql", directory, arguments, core) as child:
        seconds, cpu = child.until(lambda: False)
    with open_store("embedded", path=engine, database=DATABASE) as store:
        if lines_of := _differences(store, counts):
            raise SystemExit("\n".join(["WRONG: by SQL", *lines_of[:10]]))
    events = counts.events.total()
    return Peer(cpu / events * 1e6, events / seconds, engine_included=True)


class _Child:
    """A peer that runs, or has ended by itself."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._ended_after: float | None = None

    def until(self, right: Any) -> tuple[float, float]:
        """Seconds and processor seconds from its first record until it is right, or has ended."""
        lines = self._process.stdout or ()
        told = next((line for line in lines if line.startswith(b"{")), b"")
        if not told:
            raise SystemExit(f"the peer ended before its first record; see {self._log}")
        began, spent = time.monotonic(), json.loads(told)["cpu_seconds"]
        while True:
            cpu = self._cpu()
            ended, now = self._ended_after is not None, time.monotonic()
            if ended or right():
                return now - began, (cpu if ended else self._cpu()) - spent
            if now - began > DEADLINE_SECONDS:
                raise SystemExit(f"the peer never came to the right counts; see {self._log}")
            time.sleep(LOOK_SECONDS)

    def _cpu(self) -> float:
        """Its processor time so far; the whole of it once it has ended."""
        if self._ended_after is None:
            pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if not pid:
                return cpu_seconds(self._process.pid)
            self._process.returncode = os.waitstatus_to_exitcode(status)
            if self._process.returncode:
                raise SystemExit(f"the peer failed; see {self._log}")
            self._ended_after = usage.ru_utime + usage.ru_stime
        return self._ended_after


@contextmanager
def _started(module: str, directory: Path, arguments: list[str], core: int) -> Iterator[_Child]:
    log = directory / "log.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [
                *("taskset", "-c", str(core), PYTHON, "-m", f"benchmarks.peers.{module}"),
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        yield _Child(process, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def clickhouse_server(directory: Path) -> Iterator[str]:
    """ClickHouse over HTTP; its address."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.support.clickhouse_http"),
            *("--path", directory / "clickhouse"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        told = process.stdout.readline() if process.stdout else b""
        yield f"http://127.0.0.1:{json.loads(told)['port']}"
    finally:
        process.kill()
        process.wait()


def _differences(store: Store, counts: Counts) -> list[str]:
    """What is not stored yet, or wrongly."""
    stored = store.query("SELECT count() AS n FROM peer_events")[0]["n"]
    if stored < counts.events.total():
        return [f"{stored} events"]
    kinds = store.query(
        "SELECT topic, type, count() AS n FROM peer_events FINAL GROUP BY topic, type"
    )
    sums = ", ".join(f"sum({measure}) AS {measure}_" for measure in MEASURES)
    rows = store.query(
        f"SELECT queue, channel, {sums} FROM peer_panes FINAL GROUP BY queue, channel"
    )
    found = {(r["queue"], r["channel"]): tuple(r[f"{m}_"] for m in MEASURES) for r in rows}
    of_kinds = Counter({(row["topic"], row["type"]): row["n"] for row in kinds})
    return differences(of_kinds, counts.events) + differences(found, counts.measures())
