"""The worker: chunks in, folds forward, blocks to the sink, checkpoints behind them.

One instance a process, on Faust's event loop. All blocking work on the store runs in one thread of
its own, so blocks are stored in the order in which they were made, and a checkpoint follows every
row that it vouches for. While a block is being stored the next is filled; when that is full too,
`process` waits, Faust's buffers fill, the partitions pause, and the consumer's thread keeps the
group membership.

It never trusts the group's committed offset: `recover` loads the checkpoint, and a record below the
state's next offset is skipped.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from faust.types import TP

from schemas.rows import CheckpointRow, Row
from sinks.checkpoints import Checkpoint, CheckpointStore
from sinks.errors import StoreError
from sinks.metrics import Metrics
from sinks.writer import WriteAbandoned, Writer
from streams.broker_admin import BrokerUnavailableError
from streams.carry_over import CarryOver
from streams.fold.partition import OffsetGap, PartitionFold
from streams.fold.rules import FoldRules
from streams.fold.state import STATE_VERSION, restore
from streams.progress import Progress
from streams.transport import Chunk

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRY_SECONDS = 1.0


class LogTruncated(Exception):
    """The broker has fewer records of a log than were applied already."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When a block is stored and a checkpoint written.

    A block goes out when it has `flush_rows` rows, `buffer_bytes / 2` bytes (one block is filled
    while another is stored) or `flush_seconds` have passed; a checkpoint follows after
    `checkpoint_seconds` or `checkpoint_events`. `revoke_seconds` bounds the last one when
    partitions are given up.
    """

    flush_rows: int = 50_000
    flush_seconds: float = 1.0
    checkpoint_seconds: float = 10.0
    checkpoint_events: int = 200_000
    buffer_bytes: int = 256 << 20
    revoke_seconds: float = 10.0


class Broker(Protocol):
    """What the worker asks of the broker. Calls block; `BrokerUnavailableError` is tried again."""

    def logs(self, topics: frozenset[str]) -> Mapping[str, str]:
        """Topic -> identity of its present log."""
        ...

    def bounds(self, topics: frozenset[str]) -> Mapping[TP, tuple[int, int]]:
        """Source partition -> (oldest offset kept, offset of the next record, or less)."""
        ...

    def ends_before(self, tp: TP, offset: int) -> bool:
        """Whether the log ends before `offset`, for certain."""
        ...


class Reader(Protocol):
    """What the worker asks of whatever reads for it."""

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group, for lag tools, what checkpoints cover."""
        ...

    async def reread(self, tp: TP, offset: int) -> None:
        """Read a partition again from `offset`."""
        ...


@dataclass(slots=True)
class _Held:
    """A source partition that this worker processes."""

    fold: PartitionFold
    epoch: int
    checkpointed: int
    """Next offset of the last stored checkpoint."""
    checkpointed_at: float
    confirmed_gap: tuple[int, int] | None = None


@dataclass(slots=True)
class _Block:
    """Rows on their way to the store, with the positions that its checkpoints vouch for."""

    rows: dict[type[Row], list[tuple[Any, ...]]] = field(default_factory=dict)
    positions: dict[TP, int] = field(default_factory=dict)


class Worker:
    """See the module's docstring."""

    def __init__(
        self,
        *,
        broker: Broker,
        checkpoints: CheckpointStore,
        writer: Writer,
        carry_over: CarryOver,
        abandon: threading.Event,
        rules: FoldRules,
        pace: Pace,
        metrics: Metrics,
        reader: Reader,
    ) -> None:
        self._broker = broker
        self._checkpoints = checkpoints
        self._writer = writer
        self._carry_over = carry_over
        self._abandon = abandon
        self._rules = rules
        self._pace = pace
        self._reader = reader
        self.progress = Progress(metrics)
        self._held: dict[TP, _Held] = {}
        self._lock = asyncio.Lock()
        self._sink = ThreadPoolExecutor(1, thread_name_prefix="sink")
        self._in_flight: asyncio.Future[None] | None = None
        self._buffered_bytes = 0
        self._events_since_checkpoint = 0
        self._checkpoint_due_at = time.monotonic() + pace.checkpoint_seconds
        self._stopped = asyncio.Event()

    @property
    def assigned(self) -> frozenset[TP]:
        """The source partitions that are recovered and being processed."""
        return frozenset(self._held)

    def positions(self) -> dict[TP, int]:
        """The next offset of each held partition that a stored checkpoint covers."""
        return {tp: held.checkpointed for tp, held in self._held.items()}

    def applied(self) -> dict[TP, int]:
        """The next offset of each held partition."""
        return {tp: held.fold.next_offset for tp, held in self._held.items()}

    def has_applied(self, ends: Mapping[TP, int]) -> bool:
        """Whether everything before `ends` was applied."""
        applied = self.applied()
        return all(applied.get(tp, 0) >= end for tp, end in ends.items())

    def covers(self, ends: Mapping[TP, int]) -> bool:
        """Whether stored checkpoints cover everything before `ends`."""
        stored = self.positions()
        return all(stored.get(tp, 0) >= end for tp, end in ends.items())

    async def recover(self, partitions: frozenset[TP]) -> dict[TP, int]:
        """Load each partition's checkpoint; where it is to be read on. Waits while parts are away.

        Raises:
            LogTruncated: the broker lost records that were applied already.
            CheckpointsUnreadable: none of a partition's checkpoints can be read.
        """
        topics = frozenset(tp.topic for tp in partitions)
        logs = await self._patiently("the broker", lambda: self._broker.logs(topics))
        bounds = await self._patiently("the broker", lambda: self._broker.bounds(topics))
        for tp in sorted(partitions - self._held.keys()):
            held = await self._patiently("ClickHouse", self._loader(tp, logs[tp.topic]))
            oldest, end = bounds[tp]
            offset = held.fold.next_offset
            if offset > end and await self._patiently(
                "the broker", partial(self._broker.ends_before, tp, offset)
            ):
                raise LogTruncated(_truncated(tp, offset))
            _skip_deleted(tp, held.fold, oldest)
            self._held[tp] = held
            logger.info("%s[%d] continues at offset %d", tp.topic, tp.partition, held.checkpointed)
        self.progress.assigned(self.positions())
        return {tp: self._held[tp].fold.next_offset for tp in partitions if tp in self._held}

    def _loader(self, tp: TP, log: str) -> Callable[[], _Held]:
        """Load or begin the fold of a partition. The result blocks: it is for the sink's thread."""

        def readable(checkpoint: Checkpoint) -> None:
            restore(checkpoint.state, checkpoint.state_version)

        def load() -> _Held:
            topic, partition = tp.topic, tp.partition
            epoch = self._checkpoints.log_epoch(topic, log)
            saved = self._checkpoints.load(topic, partition, log, readable)
            if saved is None:
                state = self._carry_over.state_for(topic, log)
            else:
                state = restore(saved.state, saved.state_version)
            fold = PartitionFold(topic, partition, log, epoch, self._rules, state)
            held = _Held(fold, epoch, fold.next_offset, time.monotonic())
            if saved is None:
                # From here on what was carried over lies in this log's own checkpoint.
                self._writer.write({CheckpointRow: [self._checkpoint_row(tp, held)]})
            return held

        return load

    async def process(self, chunk: Chunk) -> None:
        """Apply a chunk, and store what is due. Waits while the sink is behind."""
        held = self._held.get(chunk.partition)
        if held is None:
            return
        fold = held.fold
        before = fold.next_offset
        try:
            with self.progress.cpu_of("fold"):
                fold.apply(chunk.records)
        except OffsetGap as gap:
            found = (gap.expected, gap.found)
            if held.confirmed_gap != found:
                held.confirmed_gap = found
                logger.warning("%s: %s; reading it again", _named(chunk.partition), gap)
                await self._reader.reread(chunk.partition, gap.expected)
                return
            # Read twice, twice the same: the log itself has nothing there.
            logger.warning("%s: %s; the log has a gap there", _named(chunk.partition), gap)
            self.progress.gap(chunk.partition)
            fold.apply(chunk.records, gap_is_the_logs=True)
        applied = fold.next_offset - before
        self._events_since_checkpoint += applied
        self._buffered_bytes += sum(len(r.value or b"") for r in chunk.records)
        if self._block_is_full():
            await self.flush()

    def _block_is_full(self) -> bool:
        pending = sum(held.fold.pending for held in self._held.values())
        return (
            pending >= self._pace.flush_rows
            or pending * _ROW_BYTES + self._buffered_bytes >= self._pace.buffer_bytes // 2
        )

    async def flush(self, *, checkpoint: bool = False) -> None:
        """Hand what changed to the sink; returns when the block before is stored and this one goes.

        Raises:
            WriteAbandoned: the block before was given up, because this worker is giving up.
        """
        async with self._lock:
            await self._landed()
            block = self._filled(checkpoint=checkpoint or self._checkpoint_is_due())
            if block.rows:
                self._in_flight = asyncio.ensure_future(self._store(block))

    async def settle(self) -> None:
        """Store everything up to now, checkpoints included; returns when it is stored."""
        await self.flush(checkpoint=True)
        async with self._lock:
            await self._landed()

    async def run_timer(self) -> None:
        """Flush at the pace's rhythm until `stop`."""
        while not self._stopped.is_set():
            await self.flush()
            try:
                await asyncio.wait_for(self._stopped.wait(), self._pace.flush_seconds)
            except TimeoutError:
                continue

    async def revoke(self, partitions: frozenset[TP]) -> None:
        """Give partitions up: checkpoint them if there is time, and forget them.

        What is not stored in time is not lost: whoever has them next replays it.
        """
        try:
            async with asyncio.timeout(self._pace.revoke_seconds):
                await self.settle()
        except (TimeoutError, WriteAbandoned):
            logger.warning(
                "the last checkpoint was not stored within %g s; it will be replayed",
                self._pace.revoke_seconds,
            )
            await self._give_up_writing()
            # The folds' rows were drained into the block that was given up: none may go on.
            partitions = frozenset(self._held)
        for tp in partitions:
            self._held.pop(tp, None)
        self.progress.revoked(partitions)

    async def stop(self) -> None:
        """Checkpoint everything within `revoke_seconds`, and end."""
        self._stopped.set()
        await self.revoke(frozenset(self._held))
        # A recovery that was cancelled may still wait in the sink's thread, and for this loop.
        self._abandon.set()
        self._sink.shutdown(wait=True)

    async def _give_up_writing(self) -> None:
        self._abandon.set()
        try:
            async with self._lock:
                await self._landed()
        except WriteAbandoned:
            logger.info("a block was abandoned with its partitions")
        finally:
            self._abandon.clear()

    async def _landed(self) -> None:
        """Wait for the block in flight; its error, if any, is raised here, once."""
        if self._in_flight is None:
            return
        try:
            await asyncio.shield(self._in_flight)
        finally:
            if self._in_flight is not None and self._in_flight.done():
                self._in_flight = None

    def _filled(self, *, checkpoint: bool) -> _Block:
        """The block of everything that changed; with the checkpoints that belong behind it."""
        block = _Block()
        for tp, held in self._held.items():
            with self.progress.cpu_of("rows"):
                output = held.fold.drain()
            self.progress.counted(tp, output.counts)
            for table, rows in output.rows.items():
                if table in block.rows:
                    block.rows[table].extend(rows)
                else:
                    block.rows[table] = rows
        if checkpoint:
            moved = {t: h for t, h in self._held.items() if h.fold.next_offset != h.checkpointed}
            if moved:
                block.rows[CheckpointRow] = [
                    self._checkpoint_row(tp, held) for tp, held in moved.items()
                ]
                block.positions = {tp: held.fold.next_offset for tp, held in moved.items()}
            self._events_since_checkpoint = 0
            self._checkpoint_due_at = time.monotonic() + self._pace.checkpoint_seconds
        self._buffered_bytes = 0
        return block

    def _checkpoint_row(self, tp: TP, held: _Held) -> tuple[Any, ...]:
        fold = held.fold
        with self.progress.cpu_of("checkpoint"):
            return self._checkpoints.row(
                tp.topic,
                tp.partition,
                fold.log,
                held.epoch,
                fold.next_offset,
                STATE_VERSION,
                fold.snapshot(),
            )

    def _checkpoint_is_due(self) -> bool:
        return (
            time.monotonic() >= self._checkpoint_due_at
            or self._events_since_checkpoint >= self._pace.checkpoint_events
        )

    async def _store(self, block: _Block) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._sink, self._write, block)
        if not block.positions:
            return
        now = time.monotonic()
        for tp, offset in block.positions.items():
            held = self._held.get(tp)
            if held is not None:
                held.checkpointed = offset
                held.checkpointed_at = now
        self.progress.checkpointed(block.positions)
        await self._reader.commit(block.positions)

    def _write(self, block: _Block) -> None:
        """In the sink's thread."""
        with self.progress.cpu_of("insert"):
            self._writer.write(block.rows)

    async def _patiently(self, part: str, call: Callable[[], Result]) -> Result:
        """The result of a blocking call in the sink's thread, tried until `part` is there."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._sink, call)
            except (StoreError, BrokerUnavailableError) as error:
                logger.warning("%s is not to be had, trying again: %s", part, error)
                await asyncio.sleep(RETRY_SECONDS)


_ROW_BYTES = 1_024
"""What a buffered row takes beside its payload, about: measured as the growth of a process."""


def _named(tp: TP) -> str:
    return f"{tp.topic}[{tp.partition}]"


def _truncated(tp: TP, applied: int) -> str:
    return (
        f"{_named(tp)}: {applied} records were applied, and the broker has fewer of the same log."
        " It lost acknowledged records (an unclean leader election, a restored disk). New records"
        " would be taken for old ones: make the topic anew, so that it gets a new log, and let the"
        " sources publish what was lost."
    )


def _skip_deleted(tp: TP, fold: PartitionFold, oldest: int) -> None:
    if fold.next_offset < oldest:
        logger.error(
            "%s: records %d to %d were deleted by the broker's retention before they were read",
            _named(tp),
            fold.next_offset,
            oldest - 1,
        )
        fold.skip_to(oldest)
