"""One run: a log, a database, workers, whatever is done to them, and the wait until all is stored.

A fault speaks in the words of its run: start, kill, wait until so much is stored. Every wait ticks,
and a tick watches: no worker may end by itself, recovery is timed, and versions are compared with
those seen before.
"""

import os
import random
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import linear_regression
from types import TracebackType
from typing import Final, Self

import zstandard

from schemas.topics import DERIVED_TOPICS, IDENTITY_LINKS
from sinks.errors import StoreError
from sinks.failpoints import VARIABLE
from sinks.store import Store
from streams.parts import migrate_all
from streams.topic_admin import topic_logs
from tests.faults.compare import (
    Verdict,
    digest,
    impossible_versions,
    verdict_on,
    verdict_on_results,
    versions,
)
from tests.faults.coverage import Coverage
from tests.faults.generate import LATENESS_MS, REFUSED_PREFIX
from tests.faults.proxy import Proxy
from tests.faults.station import Loaded, Plan, Station, Worker
from tests.support.clickhouse import ClickHouseServer

SESSION_SECONDS: Final = 6.0
ENOUGH_TO_MEASURE: Final = 100_000
"""Events of a log that takes long enough to compare speeds."""
TICK_SECONDS: Final = 0.1
WATCH_SECONDS: Final = 2.0
WATCH_SHARE: Final = 0.05
"""Of its time that a run may spend on looking at versions, which reads the tables as a whole."""
EXIT_SECONDS: Final = 30.0


class RunFailed(Exception):
    """The run did not come to its end: its deadline passed."""


class WorkerEnded(RunFailed):
    """Nor did this one: a worker ended by itself, which none may."""


class Run:
    """See the module's docstring. `clickhouse` other than the station's own is for full disks."""

    def __init__(
        self,
        station: Station,
        loaded: Loaded,
        dice: random.Random,
        clickhouse: ClickHouseServer | None = None,
    ) -> None:
        self.station = station
        self.plan: Plan = station.plan
        self.loaded = loaded
        self.dice = dice
        self.clickhouse = clickhouse or station.clickhouse
        self.database = f"faults_{uuid.uuid4().hex[:12]}"
        self.workers: list[Worker] = []
        self.one_log = True
        """Whether all was read from one log; of several, results are compared without places."""
        self.refusing = False
        self.keeps_group = self.plan.keeps_group
        self.churns_long = True
        self.problems: list[str] = []
        self.recoveries: list[float] = []
        self._group = self.database
        self._stack = ExitStack()
        self._deadline = time.monotonic() + self.plan.deadline_seconds
        self._healed: tuple[float, int] | None = None
        self._seen: dict[tuple[str, int], int] = {}
        self._memory: list[tuple[int, int]] = []
        self._watched_worker: Worker | None = None
        self._watch_at = time.monotonic() + WATCH_SECONDS

    def __enter__(self) -> Self:
        # What other runs over the same records published on them must not help this one.
        self.station.remake_topics(DERIVED_TOPICS)
        self.data_dir = self.station.directory / self.database
        self.store: Store = self._stack.enter_context(self.clickhouse.open(self.database))
        migrate_all(self.store, self.station.settings())
        self._coverage = Coverage(self.store, self.clickhouse, lambda: self.station.bootstrap)
        self.learn_logs()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self.workers:
            worker.send(signal.SIGKILL)
        for worker in self.workers:
            self._ended(worker)
        self.clickhouse.clear()
        self.store.command(f"DROP DATABASE IF EXISTS {self.database} SYNC", use_database=False)
        self._stack.close()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def learn_logs(self) -> None:
        """Learn the identities of the present logs: only their checkpoints count from now on."""
        topics = {topic for topic, _ in self.loaded.published.ends} | {IDENTITY_LINKS}
        self._coverage.logs = sorted(topic_logs(self.station.bootstrap, sorted(topics)).values())

    # Workers

    def start(
        self,
        *,
        failpoints: str = "",
        broker: str = "",
        clickhouse: str = "",
        buffer_bytes: int = 0,
        checkpoints: bool = True,
        flush_rows: int = 0,
    ) -> Worker:
        """Start a worker; it may reach broker or ClickHouse by a proxy.

        `buffer_bytes`: of rows that wait, when it must pause reading; the default's otherwise.
        Without `checkpoints` it writes none but the first, and what it does is done again from
        there.
        """
        plan = self.plan
        if not self.keeps_group and not self.alive():
            self._group = f"{self.database}-{len(self.workers)}"
        environment = {
            VARIABLE: failpoints,
            "SWITCHBOARD_DATA_DIR": str(self.data_dir),
            "SWITCHBOARD_BROKER__URL": broker or self.station.bootstrap,
            "SWITCHBOARD_BROKER__GROUP": self._group,
            "SWITCHBOARD_BROKER__PARTITIONS": str(plan.partitions),
            "SWITCHBOARD_BROKER__SESSION_TIMEOUT_SECONDS": "6",
            "SWITCHBOARD_CLICKHOUSE__URL": clickhouse or self.clickhouse.url,
            "SWITCHBOARD_CLICKHOUSE__DATABASE": self.database,
            "SWITCHBOARD_HTTP__PORT": "0",
            "SWITCHBOARD_PROCESSING__LATENESS_SECONDS": str(LATENESS_MS // 1000),
            "SWITCHBOARD_PROCESSING__FLUSH_ROWS": str(flush_rows or plan.flush_rows),
            "SWITCHBOARD_PROCESSING__FLUSH_SECONDS": str(plan.flush_seconds),
            "SWITCHBOARD_PROCESSING__CHECKPOINT_SECONDS": str(plan.checkpoint_seconds),
        }
        if not checkpoints:
            environment["SWITCHBOARD_PROCESSING__CHECKPOINT_SECONDS"] = "3600"
        if buffer_bytes:
            environment["SWITCHBOARD_PROCESSING__BUFFER_BYTES"] = str(buffer_bytes)
        worker = self.station.nursery.start(environment, ["run"], plan.poll_records)
        self.workers.append(worker)
        return worker

    def broker_proxy(self) -> Proxy:
        """A way to the broker that can fail; open until the run ends."""
        return self._stack.enter_context(Proxy(self.station.bootstrap, rewrites=True))

    def clickhouse_proxy(self) -> Proxy:
        """A way to ClickHouse that can fail."""
        return self._stack.enter_context(Proxy(self.clickhouse.url.removeprefix("http://")))

    def alive(self) -> list[Worker]:
        """The workers that have not ended; those that are stopped are among them."""
        return [worker for worker in self.workers if worker.status is None]

    def kill(self, worker: Worker) -> None:
        """SIGKILL, and wait until it is gone."""
        worker.send(signal.SIGKILL)
        self._ended(worker)

    def leave(self, worker: Worker) -> None:
        """SIGTERM: the worker must checkpoint and end well within its deadline."""
        began = "Starting" in worker.words
        worker.send(signal.SIGTERM)
        self._ended(worker)
        # Before it has begun there is nothing to do in good order, and the signal just ends it.
        if worker.status != 0 and began:
            self.problems.append(f"a worker that was asked to stop ended with {worker.status}")

    def _ended(self, worker: Worker) -> None:
        deadline = time.monotonic() + EXIT_SECONDS
        while worker.status is None:
            if time.monotonic() > deadline:
                self.problems.append(f"a worker had not ended {EXIT_SECONDS:g} s after its signal")
                worker.send(signal.SIGKILL)
                deadline += EXIT_SECONDS
            time.sleep(TICK_SECONDS)

    def watch_memory(self, worker: Worker) -> None:
        """Look at this worker's memory from now on, for `memory_growth_bytes`."""
        self._watched_worker = worker

    @property
    def memory_growth_bytes(self) -> int:
        """By how much the watched worker's memory grew over the second half of the log (I5): the
        slope of a line through what was seen, times the records stored between."""
        records = sum(self.loaded.published.ends.values())
        seen = [(n, rss) for n, rss in self._memory if records / 2 <= n < records]
        if len({n for n, _ in seen}) < 2:
            return 0
        line = linear_regression([n for n, _ in seen], [rss for _, rss in seen])
        return round(line.slope * (seen[-1][0] - seen[0][0]))

    def rss_bytes(self, worker: Worker) -> int:
        """The memory that a worker takes now."""
        counted = Path(f"/proc/{worker.pid}/statm")
        if counted.exists():
            return int(counted.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        found = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(worker.pid)], capture_output=True, text=True, check=True
        )
        return int(found.stdout) * 1024

    # Waiting

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Tick until the condition holds. Raises `RunFailed` at the run's deadline."""
        while not condition():
            if time.monotonic() > self._deadline:
                raise RunFailed(f"waited in vain for {what}; {self._state()}")
            self._tick()

    def until_ended(self, worker: Worker, what: str) -> None:
        """Tick until a worker is dead, or everything is stored."""
        self.until(lambda: worker.status is not None or self.covered(), what)

    def during(self, seconds: float) -> None:
        """Tick for so long: how long a fault lasts, never how long something may take."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._tick()

    def until_stored(self, share: float) -> None:
        """Tick until this share of the log, or more, is stored."""
        records = sum(self.loaded.published.ends.values())
        self.until(lambda: self.stored_records() >= share * records, f"{share:.0%} stored")

    def settle(self) -> None:
        """Tick until checkpoints cover the whole log."""
        self.until(self.covered, "checkpoints of everything")

    def healed(self) -> None:
        """The cause of the trouble has gone: recovery is timed from now to the next row stored."""
        self._healed = (time.monotonic(), self.stored_records())

    @property
    def recovered(self) -> bool:
        """Whether a row was stored since what was `healed` last, or all is covered."""
        return self._healed is None

    def stored_records(self) -> int:
        """How many records of the present logs are stored."""
        return sum(self._coverage.stored().values())

    def covered(self) -> bool:
        """Whether stored checkpoints cover every record that was published, and every message about
        identifiers that came of them."""
        return self._coverage.covers(self.loaded.published.ends)

    def _tick(self) -> None:
        time.sleep(TICK_SECONDS)
        if self._healed is not None:
            began, before = self._healed
            if self.stored_records() > before or self.covered():
                self.recoveries.append(time.monotonic() - began)
                self._healed = None
        for worker in self.workers:
            if worker.status not in (None, 0, -signal.SIGKILL):
                raise WorkerEnded(f"a worker ended with {worker.status}: {worker.words[-2000:]}")
        watched = self._watched_worker
        if watched is not None and watched.status is None:
            self._memory.append((self.stored_records(), self.rss_bytes(watched)))
        if time.monotonic() > self._watch_at:
            self.watch_versions()

    def watch_versions(self) -> None:
        """No row's version may be lower than it was seen before (I4)."""
        began = time.monotonic()
        try:
            found = versions(self.store, sample=8)
        except StoreError:
            return
        finally:
            took = time.monotonic() - began
            self._watch_at = time.monotonic() + max(WATCH_SECONDS, took / WATCH_SHARE)
        back = [k for k, seen in self._seen.items() if found.get(k, 0) < seen]
        if back:
            self.problems.append(f"versions went back: {back[:3]} and {len(back)} in all")
        self._seen = found

    def _state(self) -> str:
        ends = self.loaded.published.ends
        behind = {at: (n, ends[at]) for at, n in self._coverage.stored().items() if n < ends[at]}
        words = [w.words[-1500:] for w in self.alive()]
        said = "\n---\n".join(words)
        return f"behind (stored, end): {behind}; {len(words)} workers alive:\n{said}"

    # Faults of more than one line

    def refuse_some(self) -> None:
        """Let ClickHouse refuse the event rows of some subjects, for good."""
        self.store.command(
            "ALTER TABLE events ADD CONSTRAINT refused CHECK"
            f" NOT startsWith(subject, '{REFUSED_PREFIX}')"
        )
        self.refusing = True

    def delete_data(self) -> None:
        """Delete everything that workers keep on this machine."""
        shutil.rmtree(self.data_dir, ignore_errors=True)

    # The verdict

    def finish(self) -> Verdict:
        """Stop the workers in good order, and compare what is stored with the oracle."""
        for worker in self.alive():
            worker.send(signal.SIGCONT)
            self.leave(worker)
        self.watch_versions()
        loaded = self.loaded
        ends = loaded.published.ends
        if not self.one_log:
            return verdict_on_results(self.store, loaded.expected, ends)
        content = (self.refusing, digest(self.store))
        if content in loaded.proven:
            verdict = Verdict()
            verdict.add("wrong", impossible_versions(self.store, ends))
        else:
            expected = loaded.expected_refusing if self.refusing else loaded.expected
            verdict = verdict_on(self.store, expected, ends)
            if verdict.clean:
                loaded.proven.add(content)
        self._compare_states(verdict)
        return verdict

    def _compare_states(self, verdict: Verdict) -> None:
        """The last checkpoints of all runs over one log hold the same state, to the byte.

        Not of identifiers: what they have said to each other depends on who spoke first.
        """
        rows = self.store.query(
            "SELECT topic, source_partition AS p, argMax(state, version) AS state FROM checkpoints"
            " WHERE log IN {logs:Array(String)} AND topic != {links:String} GROUP BY topic, p",
            {"logs": self._coverage.logs, "links": IDENTITY_LINKS},
            bytes_columns=("state",),
        )
        unpack = zstandard.ZstdDecompressor().decompress
        for row in rows:
            at, state = (row["topic"], row["p"]), unpack(row["state"])
            first = self.loaded.states.setdefault(at, state)
            if state != first:
                verdict.add("wrong", [f"final state of {at} differs from that of another run"])

    @property
    def peak_bytes(self) -> int:
        """The most memory that any worker took."""
        return max((worker.peak_bytes for worker in self.workers), default=0)

    @property
    def cpu_seconds(self) -> float:
        """Processor time that all workers took."""
        return sum(worker.cpu_seconds for worker in self.workers)


def stop(worker: Worker) -> None:
    """SIGSTOP: the worker hangs, and knows nothing of it when it wakes."""
    worker.send(signal.SIGSTOP)


def wake(worker: Worker) -> None:
    """SIGCONT."""
    worker.send(signal.SIGCONT)


def cores() -> int:
    """How many runs this machine can carry side by side."""
    return os.cpu_count() or 1
