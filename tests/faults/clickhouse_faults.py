"""The faults of ClickHouse: away, slow, cut off before and after an insert, and its disk full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.faults.run import SESSION_SECONDS, Run
from tests.faults.speeds import progress, speed
from tests.faults.station import Station
from tests.support.clickhouse import ClickHouseServer
from tests.support.clickhouse_http import Fault as Misbehaviour

NOT_ENOUGH_SPACE: Final = 243
SMALL_DISK_BYTES: Final = 512 << 20
SLACK_BYTES: Final = 96 << 20
"""What a worker may take beyond its buffer while ClickHouse is away: the fold's own state, chunks
that were fetched, the block in flight in the driver's columns."""


def clickhouse_away_5_minutes(run: Run) -> None:
    _clickhouse_away(run, 5 * 60)


def clickhouse_away_70_minutes(run: Run) -> None:
    _clickhouse_away(run, 70 * 60)


def _clickhouse_away(run: Run, seconds: float) -> None:
    """Reading pauses, memory stays bounded, no partition is lost, and it goes on by itself."""
    way = run.clickhouse_proxy()
    worker = run.start(clickhouse=f"http://{way.address}", buffer_bytes=run.plan.buffer_bytes)
    run.until_stored(run.dice.uniform(0.2, 0.5))
    taken_over, before = worker.recoveries, run.rss_bytes(worker)
    way.refuse()
    run.during(max(seconds * run.plan.scale, SESSION_SECONDS + 1))
    grown = run.rss_bytes(worker) - before
    way.heal()
    run.healed()
    # How long it takes to see that ClickHouse is back is told as recovery.
    run.until(lambda: run.recovered, "the first row after it")
    stored = run.stored_records()
    drained, normal = speed(progress(run), stored), speed(run.loaded.undisturbed, stored)
    if drained < normal / 2:
        run.problems.append(f"drained {drained:.0f} records/s, normal are {normal:.0f}")
    if grown > run.plan.buffer_bytes + SLACK_BYTES:
        run.problems.append(f"memory grew by {grown >> 20} MiB while ClickHouse was away")
    run.settle()
    _kept_partitions(run, taken_over)


def clickhouse_slow(run: Run) -> None:
    """Inserts take 10 s (scaled) for a while; the group sees nothing of it."""
    worker = run.start()
    run.until_stored(run.dice.uniform(0.05, 0.3))
    taken_over = worker.recoveries
    seconds = run.plan.slow_insert_seconds
    run.clickhouse.fault(Misbehaviour("delay", times=8, inserts=True, seconds=seconds))
    run.healed()
    run.settle()
    _kept_partitions(run, taken_over)


def answer_lost(run: Run) -> None:
    """The connection breaks after an insert was applied: nobody knows that it was."""
    _cut_inserts(run, "cut_after")


def insert_lost(run: Run) -> None:
    """The connection breaks before an insert was applied."""
    _cut_inserts(run, "cut_before")


def _cut_inserts(run: Run, action: str) -> None:
    run.start()
    for share in sorted(run.dice.uniform(0, 0.9) for _ in range(6)):
        run.until_stored(share)
        times = run.dice.randint(1, 4)
        run.clickhouse.fault(Misbehaviour(action, times=times, inserts=True))  # type: ignore[arg-type]
        run.healed()
    run.settle()


def disk_full(run: Run) -> None:
    """ClickHouse's disk is full for a while: the worker says so, and resumes by itself."""
    worker = run.start()
    run.until_stored(run.dice.uniform(0.05, 0.5))
    with _full(run):
        run.until(lambda: "rows wait" in worker.words, "the worker to say what it waits for")
        run.during(2.0)
    run.healed()
    run.settle()


def _kept_partitions(run: Run, taken_over: int) -> None:
    found = sum(worker.recoveries for worker in run.workers)
    if found != taken_over:
        run.problems.append(f"partitions moved: {found - taken_over} were taken over again")


@contextmanager
def _full(run: Run) -> Iterator[None]:
    """A file takes all the space that is left on ClickHouse's disk, where it has one of its own;
    else ClickHouse answers as it does then."""
    place = run.station.directory / "small-disk"
    if not os.path.ismount(place):
        run.clickhouse.fault(Misbehaviour("error", times=None, inserts=True, code=NOT_ENOUGH_SPACE))
        yield
        run.clickhouse.clear()
        return
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):  # none is left
        while True:
            file.write(bytes(1 << 16))
    yield
    ballast.unlink()


@contextmanager
def small_disk(station: Station) -> Iterator[ClickHouseServer]:
    """ClickHouse with a file system of its own, where this process may mount one."""
    place = station.directory / "small-disk"
    place.mkdir(exist_ok=True)
    size = f"size={SMALL_DISK_BYTES}"
    mounting = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    mounted = subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    try:
        with ClickHouseServer(_under(place)) as server:
            yield server
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def _under(place: Path) -> Path:
    inside = place / "clickhouse"
    inside.mkdir(exist_ok=True)
    return inside
