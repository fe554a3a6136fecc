"""Where faults are made: a broker, ClickHouse and a nursery of workers, kept from run to run.

A station serves one run at a time; several work side by side. The log that it holds is published
once and read by every run that wants the same; each run has a database and a group of its own.
"""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from schemas.settings import Settings, load_settings
from schemas.topics import DERIVED_TOPICS, SOURCE_TOPICS
from streams.broker_admin import PLAINTEXT, admin_client
from streams.embedded import EmbeddedBroker
from streams.fold.rules import FoldRules
from streams.rules import rules_of
from streams.topic_admin import TopicSpec, create_topics, topic_specs
from tests.faults.compare import expected_tables, refusing_some
from tests.faults.generate import LATENESS_MS, Log, Record, Shape, make_log
from tests.faults.nursery import Order
from tests.faults.publish import Published, publish
from tests.oracle.batch import Tables
from tests.support.clickhouse import PROJECT, ClickHouseServer
from tests.support.kafka import ApacheKafka

Kind = Literal["embedded", "apache-kafka"]
COMPILED: Final = PROJECT / "build" / "compiled"
BIRTH_SECONDS: Final = 30.0
TOPICS_DEADLINE_SECONDS: Final = 30.0
KEPT: Final = 4
"""Logs of which the records and the oracle's tables are kept."""


@dataclass(frozen=True)
class Plan:
    """How large a matrix is run; the defaults are the long form."""

    events: int = 200_000
    partitions: int = 4
    logs: int = 5
    """How many different logs there are; seeds share them, and differ in what is done when."""
    poll_records: int = 1_000
    flush_rows: int = 20_000
    victims_flush_rows: int = 3_000
    """Of workers that die at a failpoint: the log has to last for all of them."""
    victims_buffer_bytes: int = 4 << 20
    """Theirs, too: while a block is being stored, which takes long on a busy machine, the next one
    grows to half of this."""
    flush_seconds: float = 1.0
    checkpoint_seconds: float = 2.0
    buffer_bytes: int = 16 << 20
    """Smaller than the log, so that reading has to pause while ClickHouse is away."""
    scale: float = 1 / 60
    """Of the time that ClickHouse is away: 70 minutes take 70 s."""
    slow_insert_seconds: float = 10.0
    churn_seconds: float = 600.0
    churn_every_seconds: float = 5.0
    long_churns: int = 1
    """Seeds that come and go for so long; the others for a tenth of it."""
    failpoints_a_run: int = 99
    passages: int = 2
    """A worker dies at most at this passage of a failpoint."""
    victims_checkpoint: bool = True
    keeps_group: bool = True
    """A worker that is started again joins the same group, and waits for the dead one's session."""
    compiled: bool = False
    """Workers run the packages of `build/compiled`, as they are released."""
    deadline_seconds: float = 7_200.0


SHORT: Final = Plan(
    events=3_000,
    partitions=2,
    poll_records=100,
    flush_rows=150,
    victims_flush_rows=150,
    victims_buffer_bytes=1 << 20,
    flush_seconds=0.3,
    checkpoint_seconds=0.5,
    buffer_bytes=1 << 20,
    scale=1 / 600,
    slow_insert_seconds=0.5,
    churn_seconds=8.0,
    churn_every_seconds=2.0,
    failpoints_a_run=10,
    passages=3,
    victims_checkpoint=False,
    keeps_group=False,
    deadline_seconds=600.0,
)
"""Each fault once, within minutes on two cores. Sessions are waited for only where they matter."""


@dataclass
class Loaded:
    """A log that lies on the broker, and what must become of it."""

    log: Log
    published: Published
    rules: FoldRules
    states: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """Final states by source partition, as the first run left them."""
    undisturbed: list[tuple[float, int]] = field(default_factory=list)
    """How a worker gets on that nothing disturbs (`tests.faults.speeds`), where it was asked."""

    @property
    def key(self) -> Any:
        """Equal for equal records at equal places. Offsets count up from 0 in a log published
        as a whole, on whatever broker."""
        ends = tuple(sorted(self.published.ends.items()))
        return (self.log.seed, self.log.shape, len(self.published.records), ends)

    @property
    def proven(self) -> set[tuple[bool, str]]:
        """(some rows were refused, digest) of tables that were found equal to the oracle's."""
        return _ORACLE.proven(self.key)

    @cached_property
    def expected(self) -> Tables:
        """The oracle's tables."""
        return _ORACLE.tables(self)

    @cached_property
    def expected_refusing(self) -> Tables:
        """The oracle's tables where ClickHouse refuses some rows."""
        return refusing_some(self.expected, self.published)


class _Oracle:
    """What the oracle says of logs, and the logs themselves: stations want the same ones.

    Keeps a few: side by side, runs are over one log, or over that and the next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: dict[Any, Tables] = {}
        self._proven: defaultdict[Any, set[tuple[bool, str]]] = defaultdict(set)
        self._log = lru_cache(KEPT)(make_log)

    def log(self, seed: int, events: int, shape: Shape, partitions: int) -> Log:
        """A log; made once if several ask for it at the same time."""
        with self._lock:
            return self._log(seed, events, shape, partitions)

    def proven(self, key: Any) -> set[tuple[bool, str]]:
        """What `Loaded.proven` says, of the log of that key."""
        return self._proven[key]

    def tables(self, loaded: Loaded) -> Tables:
        """The tables of a log."""
        key = loaded.key
        with self._lock:
            if key not in self._tables:
                while len(self._tables) >= KEPT:
                    del self._tables[next(iter(self._tables))]
                self._tables[key] = expected_tables(loaded.published, loaded.rules)
            return self._tables[key]


_ORACLE: Final = _Oracle()


class Worker:
    """A running worker. `status` is None while it lives, then its exit code; -9: killed."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log
        self.status: int | None = None
        self.stopped = False
        self.peak_bytes = 0
        self.cpu_seconds = 0.0

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.status is None:
            os.kill(self.pid, number)

    @property
    def recoveries(self) -> int:
        """How often a partition was taken over, by its own words."""
        return self.words.count("continues at")

    @property
    def words(self) -> str:
        """What it said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Nursery:
    """Starts workers, and learns of their ends; see `tests.faults.nursery`."""

    def __init__(self, directory: Path, *, compiled: bool) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        packages = [str(COMPILED)] * compiled + [str(PROJECT)]
        with (directory / "nursery.log").open("ab") as log:
            self._process = subprocess.Popen(
                # -P: the packages of that path, not those of the directory it is started in.
                [sys.executable, "-P", "-m", "tests.faults.nursery"],
                cwd=PROJECT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(packages)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._born: queue.Queue[Worker] = queue.Queue()
        self._workers: dict[int, Worker] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, environment: dict[str, str], arguments: list[str], poll_records: int) -> Worker:
        """A new worker; its output goes to a file of its own."""
        assert self._process.stdin is not None
        log = self._directory / f"worker-{uuid.uuid4().hex[:8]}.log"
        order = Order(
            environment=environment, arguments=arguments, log=str(log), poll_records=poll_records
        )
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        worker = self._born.get(timeout=BIRTH_SECONDS)
        worker.log = log
        return worker

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            pid = said["pid"]
            if "status" in said:
                worker = self._workers.pop(pid)
                worker.peak_bytes = said["peak_bytes"]
                worker.cpu_seconds = said["cpu_ms"] / 1000
                worker.status = said["status"]
            elif "stopped" in said:
                self._workers[pid].stopped = True
            else:
                worker = self._workers[pid] = Worker(pid, self._directory)
                self._born.put(worker)

    def close(self) -> None:
        """End it, and its workers with it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def _dated_by_its_records(spec: TopicSpec) -> TopicSpec:
    """The topic with the time of its records as they say it: they tell of a past day, and a broker
    that dates them itself sees no clock ahead of its own."""
    return replace(spec, config={**spec.config, "message.timestamp.type": "CreateTime"})


class Station:
    """See the module's docstring."""

    def __init__(self, directory: Path, kind: Kind, plan: Plan) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.directory = directory
        self.kind: Kind = kind
        self.plan = plan
        self._stack = ExitStack()
        self._loaded: Loaded | None = None

    def __enter__(self) -> Self:
        stack = self._stack
        try:
            self.nursery = Nursery(self.directory / "workers", compiled=self.plan.compiled)
            stack.callback(self.nursery.close)
            self.broker = self._new_broker()
            stack.callback(self._stop_broker)
            self.clickhouse = stack.enter_context(ClickHouseServer(self.directory / "clickhouse"))
        except BaseException:
            stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _new_broker(self) -> EmbeddedBroker | ApacheKafka:
        broker: EmbeddedBroker | ApacheKafka
        if self.kind == "embedded":
            broker = EmbeddedBroker(self.directory / "broker")
        else:
            broker = ApacheKafka(self.directory / "broker")
        broker.start()
        return broker

    def _stop_broker(self) -> None:
        if isinstance(self.broker, EmbeddedBroker):
            self.broker.stop()
        else:
            self.broker.kill()

    def kill_broker(self) -> None:
        """Kill the broker; what it holds in memory is gone."""
        self._stop_broker()
        self._loaded = None

    def start_broker(self) -> None:
        """Start it again: Apache Kafka with its log, the embedded one with nothing."""
        if isinstance(self.broker, EmbeddedBroker):
            self.broker = self._new_broker()
        else:
            self.broker.start()

    @property
    def bootstrap(self) -> str:
        """The broker's own address."""
        return self.broker.bootstrap

    def settings(self) -> Settings:
        """What workers are configured with, for what the test needs to know of it."""
        return load_settings(
            None,
            {
                "broker": {
                    "url": self.bootstrap,
                    "partitions": self.plan.partitions,
                    "retention_days": 0,  # the records' own time is long ago
                },
                "processing": {"lateness_seconds": LATENESS_MS / 1000},
            },
        )

    def loaded(self, seed: int, shape: Shape) -> Loaded:
        """The log of this seed and shape, on the broker as a whole."""
        if self._loaded is None or (self._loaded.log.seed, self._loaded.log.shape) != (seed, shape):
            loaded = self.empty(seed, shape)
            loaded.published.add(self.publish(loaded.log.records))
            self._loaded = loaded
        return self._loaded

    def empty(self, seed: int, shape: Shape) -> Loaded:
        """The same log, and topics made anew that hold nothing of it yet."""
        self.remake_topics()
        self._loaded = None
        log = _ORACLE.log(seed, self.plan.events, shape, self.plan.partitions)
        return Loaded(log, Published(), rules_of(self.settings()))

    def publish(self, records: Sequence[Record]) -> Published:
        """Publish, acknowledged; on a broker that can, without repeating what was tried again."""
        return publish(self.bootstrap, records, idempotent=self.kind == "apache-kafka")

    def remake_topics(self, ours: Sequence[str] = (*SOURCE_TOPICS, *DERIVED_TOPICS)) -> None:
        """Delete topics and make them anew: new logs."""
        with admin_client(self.bootstrap, PLAINTEXT, 30.0) as admin:
            there = [topic for topic in ours if topic in admin.list_topics()]
            if there:
                admin.delete_topics(there)
                deadline = time.monotonic() + TOPICS_DEADLINE_SECONDS
                while set(there) & set(admin.list_topics()):
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"{there} were not deleted in time")
                    time.sleep(0.05)
        specs = topic_specs(self.settings().broker)
        create_topics(self.bootstrap, [_dated_by_its_records(spec) for spec in specs])
