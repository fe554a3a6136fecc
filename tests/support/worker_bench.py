"""Workers over the embedded engine, with a store that can be held up, and a broker of dicts."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faust.types import TP

from schemas.rows import Row
from schemas.topics import EVENTS_CALL
from sinks.checkpoints import CheckpointStore
from sinks.metrics import Metrics
from sinks.store import Store
from sinks.writer import Writer
from streams.blocks import Pace
from streams.broker_admin import BrokerUnavailableError
from streams.carry_over import CarryOver
from streams.fold.rules import FoldRules
from streams.health import Health
from streams.identity.beginning import LinksBeginning
from streams.identity.guards import Limits
from streams.identity.messages import Message
from streams.monitor.beginning import MonitorBeginning
from streams.monitor.rules import MonitorRules
from streams.progress import Progress
from streams.takeover import Takeover
from streams.transport import Chunk
from streams.worker import Worker

DEADLINE_SECONDS = 60.0
CALL_0, CALL_1 = TP(EVENTS_CALL, 0), TP(EVENTS_CALL, 1)
START_MS = 1_772_442_000_000


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None
    timestamp: int = START_MS
    key: bytes | None = b"k"
    headers: Sequence[tuple[str, bytes]] = ()


def record(offset: int, source: str = "test", extra: str = "") -> Record:
    value = (
        f'{{"specversion":"1.0","id":"e-{offset}","source":"{source}","type":"queue.entered",'
        f'"time":"2026-03-02T09:00:00Z","subject":"call-{offset}",{extra}'
        '"data":{"queue":"support"}}'
    )
    return Record(offset, value.encode())


def chunk(
    offsets: Sequence[int], *, begins: int | None = None, seek: int = 1, tp: TP = CALL_0
) -> Chunk:
    first = offsets[0] if begins is None else begins
    return Chunk(tp, [record(offset) for offset in offsets], first, seek)


class HeldStore:
    """A store whose inserts (those of `only` one table, if it is set) wait for `gate`, or fail with
    `error`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.gate = threading.Event()
        self.gate.set()
        self.only = ""
        self.error: Exception | None = None
        self.waiting = threading.Event()
        self.inserts: list[str] = []
        self.questions: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def query(self, sql: str, *parameters: Any, **how: Any) -> Any:
        self.questions.append(sql)
        return self._store.query(sql, *parameters, **how)

    def insert(self, row_type: type[Row], rows: Sequence[tuple[Any, ...]]) -> None:
        if not self.gate.is_set() and self.only in ("", row_type.TABLE):
            self.waiting.set()
            assert self.gate.wait(DEADLINE_SECONDS)
        if self.error is not None:
            raise self.error
        self._store.insert(row_type, rows)
        self.inserts.append(row_type.TABLE)


@dataclass
class DictBroker:
    """A broker that answers from memory; `away` makes it not answer so many times."""

    log: str = "log-1"
    oldest: int = 0
    end: int = 1_000
    away: int = 0

    def logs(self, topics: frozenset[str]) -> Mapping[str, str]:
        if self.away:
            self.away -= 1
            raise BrokerUnavailableError("nobody there")
        return dict.fromkeys(topics, self.log)

    def bounds(self, topics: frozenset[str]) -> Mapping[TP, tuple[int, int]]:
        return {TP(t, n): (self.oldest, self.end) for t in topics for n in range(4)}

    def ends_before(self, tp: TP, offset: int) -> bool:  # noqa: ARG002 -- all end at one offset
        return self.end < offset


@dataclass
class Seeks:
    """What the worker asked of its reader."""

    committed: dict[TP, int] = field(default_factory=dict)
    reread_from: list[tuple[TP, int]] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    hears: bool = True
    recovered: int = 0
    last: int = 0

    def commit(self, offsets: Mapping[TP, int]) -> None:
        self.committed.update(offsets)

    async def reread(self, tp: TP, offset: int) -> None:
        self.reread_from.append((tp, offset))

    async def say(self, messages: list[Message]) -> bool:
        self.said += messages
        return self.hears

    async def tell(self, partials: Sequence[tuple[Any, ...]]) -> bool:
        self.told += partials
        return self.hears

    async def recover(self) -> None:
        self.recovered += 1

    def seeks(self, tp: TP) -> int:  # noqa: ARG002 -- all are sought together
        return self.last


class Bench:
    """Workers over one store."""

    def __init__(self, store: Store) -> None:
        self.store = HeldStore(store)
        self.broker = DictBroker()
        self.reader = Seeks()
        self.metrics = Metrics()
        self.health = Health(60.0)
        self.failures: list[BaseException] = []
        self.abandon = threading.Event()
        self.rules = FoldRules(lateness_ms=86_400_000)

    def writer(self) -> Writer:
        """What its workers store with."""
        store: Any = self.store
        return Writer(store, self.metrics, self.abandon)

    def worker(self, **pace: Any) -> Worker:
        store: Any = self.store
        self.abandon = threading.Event()
        rules, writer = self.rules, self.writer()
        checkpoints = CheckpointStore(store, "test", self.metrics)
        carry_over = CarryOver(store, checkpoints, writer, rules)
        return Worker(
            takeover=Takeover(
                *(self.broker, checkpoints, carry_over, writer, rules),
                LinksBeginning(store, Limits(), rules.erased),
                MonitorBeginning(store, MonitorRules()),
            ),
            writer=writer,
            shows=self.writer(),
            abandon=self.abandon,
            pace=Pace(**{"checkpoint_seconds": 3600.0, "revoke_seconds": DEADLINE_SECONDS, **pace}),
            progress=Progress(self.metrics),
            health=self.health,
            reader=self.reader,
            failed=self.failures.append,
        )

    def offsets(self) -> list[int]:
        """Offsets of the stored events."""
        rows = self.store.query("SELECT source_offset FROM events FINAL ORDER BY source_offset")
        return [row["source_offset"] for row in rows]

    def checkpoints(self) -> list[int]:
        """Next offsets of the stored checkpoints of partition 0."""
        rows = self.store.query(
            "SELECT DISTINCT next_offset FROM checkpoints WHERE source_partition = 0"
            " ORDER BY next_offset"
        )
        return [row["next_offset"] for row in rows]


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(test(), DEADLINE_SECONDS)

    asyncio.run(within())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)
