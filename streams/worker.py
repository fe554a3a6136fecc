"""The worker: chunks in, folds forward, blocks to the sink, checkpoints behind them.

One instance a process, on Faust's event loop. Blocking work on the store runs in a thread of its
own, so blocks are stored in the order in which they were made, and a checkpoint follows every row
that it vouches for. While a block is being stored the next is filled; when that is full too,
`process` waits, Faust's buffers fill, the partitions pause, and the consumer's thread keeps the
group membership. What stage 2 says of queues does not wait for all that: it goes by a thread of its
own, and is stored before a block is filled whose checkpoints may vouch for it.

It never trusts the group's committed offset: `recover` loads the checkpoint, and a record below the
state's next offset is skipped.

A topic that is deleted and made anew has other records at the same offsets, and a consumer reads on
as if nothing had happened. So before a block is stored the broker is asked whether its logs are
still the present ones: then all that was read before is theirs. If not, the block is given up, and
everything is recovered.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from faust.types import TP

from sinks.writer import Writer
from streams.assignment import begin_missing
from streams.blocks import ROW_BYTES, Block, Pace, fill, parts_of
from streams.flight import Flight
from streams.fold.partition import PartitionFold
from streams.folds import Fold
from streams.garbage import put_aside
from streams.health import Health
from streams.identity.fold import LinksFold
from streams.lanes import BROKER, SHOWS, STORE, Lanes
from streams.monitor.fold import MonitorFold
from streams.progress import Progress
from streams.reading import Reader
from streams.rhythm import Rhythm, happens
from streams.rounds import SLICE, CheckpointRounds
from streams.takeover import Held, Takeover, named
from streams.telling import Telling
from streams.transport import Chunk
from streams.unknown_fields import UnknownFields

logger = logging.getLogger(__name__)

AHEAD_REST: Final = 4.0
"""A slice of a state that is serialised ahead is followed by so many times what it took."""
AHEAD_SECONDS: Final = 0.25
"""How often is seen whether there is one."""


class Worker:
    """See the module's docstring.

    Args:
        shows: writes what stage 2 says of queues, from a thread of its own.
        abandon: the event that makes the writers give up waiting.
        failed: called with what no retry can mend; nothing is stored from then on.
    """

    def __init__(
        self,
        *,
        takeover: Takeover,
        writer: Writer,
        shows: Writer,
        abandon: threading.Event,
        pace: Pace,
        progress: Progress,
        health: Health,
        reader: Reader,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._takeover = takeover
        self._abandon = abandon
        self._pace = pace
        self._progress = progress
        self._health = health
        self._reader = reader
        self._unknown = UnknownFields()
        self._held: dict[TP, Held] = {}
        self._active: frozenset[TP] | None = None
        self._kept: dict[TP, Fold] = {}
        """What was here when the last rebalance began, at `_revoked_at` (milliseconds)."""
        self._revoked_at = 0
        self._lock = asyncio.Lock()
        self.lanes = Lanes(health)
        flight = partial(
            Flight,
            held=self._held,
            takeover=takeover,
            lanes=self.lanes,
            health=health,
            progress=progress,
            is_stale=self._recovers_from,
            landed=self._landed,
            failed=failed,
            give_up=abandon,
        )
        self._flight = flight(lane=STORE, writer=writer)
        self.ahead = Telling(
            self._held,
            lambda: self._processed,
            flight(lane=SHOWS, writer=shows),
            reader,
            progress,
        )
        self._buffered_bytes = 0
        self._events = 0
        """Applied so far; what the stages tell each other comes even where nothing happens."""
        self._rounds = CheckpointRounds(pace, time.monotonic())
        self.rhythm = Rhythm(
            pace,
            partial(self.flush, gently=True),
            lambda: self._flight.last_took_seconds,
            lambda: self._events,
        )

    @property
    def assigned(self) -> frozenset[TP] | None:
        """The source partitions that are recovered and processed; None between assignments."""
        return self._active

    @property
    def _processed(self) -> dict[TP, Held]:
        return {tp: self._held[tp] for tp in self._active or () if tp in self._held}

    @property
    def storing_seconds(self) -> float:
        """For how long a block has been under way; 0 if there is none."""
        return max(self._flight.seconds, self.ahead.storing_seconds)

    def positions(self) -> dict[TP, int]:
        """The next offset of each partition that a stored checkpoint covers."""
        return {tp: held.checkpointed for tp, held in self._processed.items()}

    def applied(self) -> dict[TP, int]:
        """The next offset of each partition."""
        return {tp: held.fold.next_offset for tp, held in self._processed.items()}

    def has_applied(self, ends: Mapping[TP, int]) -> bool:
        """Whether everything before `ends` was applied."""
        applied = self.applied()
        return all(applied.get(tp, 0) >= end for tp, end in ends.items())

    def covers(self, ends: Mapping[TP, int]) -> bool:
        """Whether stored checkpoints cover everything before `ends`."""
        stored = self.positions()
        return all(stored.get(tp, 0) >= end for tp, end in ends.items())

    def monitors(self) -> Iterator[tuple[MonitorFold, int | None]]:
        """The folds of `kpi.panes` that are here.

        With each that was here before the last rebalance the instant (milliseconds) of that.
        """
        for tp, held in self._held.items():
            if isinstance(held.fold, MonitorFold):
                kept = self._kept.get(tp) is held.fold
                yield held.fold, self._revoked_at if kept else None

    async def recover(self, partitions: frozenset[TP]) -> dict[TP, int]:
        """Make ready to process `partitions` and no others; where each is to be read on.

        A fold that was kept over the rebalance goes on; others begin from their checkpoints. Waits
        while broker or store are away.

        Raises:
            LogTruncated: the broker lost records that were applied already.
            CheckpointsUnreadable: none of a partition's checkpoints can be read.
        """
        self._active = None
        # What is under way may be the rows before a checkpoint that is about to be loaded.
        async with self._lock, self.ahead.showing_nothing():
            await self._flight.ended()
        self._abandon.clear()
        for gone in self._held.keys() - partitions:
            del self._held[gone]
        topics = frozenset(tp.topic for tp in partitions)
        logs, bounds = await self.lanes.patiently(BROKER, lambda: self._takeover.present(topics))
        for tp in sorted(partitions - bounds.keys()):
            logger.warning("%s is not in its topic any more; a rebalance takes it away", named(tp))
        partitions &= bounds.keys()
        await begin_missing(
            *(self._held, partitions, logs, bounds), takeover=self._takeover, lanes=self.lanes
        )
        for tp in partitions:
            self._held[tp].read_since = self._reader.seeks(tp)
        folds = {tp: self._held[tp].fold for tp in partitions}
        await self.lanes.patiently(BROKER, lambda: self._takeover.fit_to_logs(folds, bounds))
        self._active = partitions
        self._progress.assigned(self.positions())
        for tp, offset in sorted(self.applied().items()):
            logger.info("%s continues at offset %d", named(tp), offset)
        return self.applied()

    async def process(self, chunk: Chunk) -> None:
        """Apply a chunk, and store what is due. Waits while the sink is behind.

        Raises:
            LogTruncated: the log was cut off below what was applied.
        """
        tp = chunk.partition
        held = self._holder(tp)
        if held is None or not await self._is_due(chunk, held):
            return
        self._progress.unknown_fields(self._unknown.sample(chunk.records[-1]))
        for records, size in parts_of(chunk.records, self._pace.buffer_bytes // 2):
            self._apply(tp, held, records)
            self._buffered_bytes += size
            if isinstance(held.fold, LinksFold):
                await self._talk(held.fold)
            if self._block_is_full():
                await self.flush()
                if self._holder(tp) is not held:
                    return  # Revoked, or given up with its block, while the sink was behind.

    def _holder(self, tp: TP) -> Held | None:
        return self._held.get(tp) if self._active is not None and tp in self._active else None

    async def _is_due(self, chunk: Chunk, held: Held) -> bool:
        """Whether nothing was lost between the fold's position and the chunk; sees to it if not."""
        tp, due = chunk.partition, held.fold.next_offset
        if chunk.seek <= held.read_since:
            return False  # Read before the recovery: it may be of another log.
        if chunk.records[0].offset < chunk.begins:
            # aiokafka was told that there is no such offset, and went back to the oldest one.
            if await self._recovers_from({tp.topic: held.fold.log}):
                return False
            await self.lanes.patiently(BROKER, lambda: self._takeover.refuse_truncated(tp, due))
        if chunk.begins <= due:
            return True
        if chunk.seek > held.reread_at:
            held.reread_at = chunk.seek
            logger.warning(
                "%s: offset %d was due and %d came; reading it again", named(tp), due, chunk.begins
            )
            await self._reader.reread(tp, due)
        return False

    def _apply(self, tp: TP, held: Held, records: Sequence[Any]) -> None:
        fold = held.fold
        before, last = fold.next_offset, records[-1].offset
        first = max(before, records[0].offset)
        # What is missing was deleted, or is no record: a marker of a transaction.
        holes = last >= before and (first > before or last - records[0].offset != len(records) - 1)
        if holes:
            logger.info("%s: the log has gaps between %d and %d", named(tp), before, last)
            self._progress.gap(tp)
        # Each question to the broker leaves a client behind, in cycles.
        with self._progress.cpu_of("fold"), put_aside(unless=partial(self.lanes.busy, BROKER)):
            fold.apply(records, gap_is_the_logs=holes)
        self._rounds.applied(fold.next_offset - before)
        if isinstance(fold, PartitionFold):
            self._events += fold.next_offset - before

    async def _talk(self, fold: LinksFold) -> None:
        """Pass on what identifiers say to others, ahead of the rows.

        Under the lock: no checkpoint may vouch for what is not acknowledged.
        """
        async with self._lock:
            if messages := fold.take_messages():
                said = False
                try:
                    said = await self._reader.say(messages)
                finally:  # Also where this is cancelled: the next checkpoint would vouch for them.
                    if not said:
                        fold.put_back(messages)
        if fold.pending:
            self.rhythm.soon()

    def _block_is_full(self) -> bool:
        pending = sum(held.fold.pending for held in self._held.values())
        return (
            pending >= self._pace.flush_rows
            or pending * ROW_BYTES + self._buffered_bytes >= self._pace.buffer_bytes // 2
        )

    async def flush(self, *, checkpoint: bool = False, gently: bool = False) -> None:
        """Hand what changed to the sink; returns when the block before is stored and this one goes.

        `gently`: nobody waits for it, so what else there is to do has half of the time. Where the
        block before was given up there is nothing left to hand over.
        """
        async with self._lock:
            await self._flight.ended()
            try:
                block = await self._filled(checkpoint=checkpoint, gently=gently)
            except BaseException:  # most likely cancelled: rows have left their folds already
                self._held.clear()
                raise
            if block.parts or block.states:
                self._flight.begin(block)
            elif block.positions:
                self._progress.checkpointed(block.positions)

    async def erase(self) -> None:
        """Forget the customers that are marked as erased by now, and write that down."""
        async with self._lock:
            await self._flight.ended()
            for tp, held in self._held.items():
                if erased := held.fold.erase():
                    held.checkpointed = -1  # what is stored has them still
                    logger.info("%s: %d items of erased customers forgotten", named(tp), erased)
        await self.flush(checkpoint=True)

    async def settle(self) -> None:
        """Store everything up to now, checkpoints included; returns when it is stored.

        Or given up: by `revoke`, or because it failed.
        """
        await self.flush(checkpoint=True)
        async with self._lock:
            await self._flight.ended()

    async def check_logs(self) -> None:
        """Recover if a topic was made anew: nothing else tells a worker that has nothing to store.

        Raises `TopicAdminError` where the broker does not say.
        """
        logs = {tp.topic: held.fold.log for tp, held in self._processed.items()}
        if await self.lanes.once(BROKER, lambda: self._takeover.logs_changed(logs)):
            await self._recover_all()

    async def _recovers_from(
        self, logs: Mapping[str, str], unless: threading.Event | None = None
    ) -> bool:
        """Whether topics (topic -> log) have other logs by now, once the broker says so; if they
        have, everything is recovered.
        """
        changed = await self.lanes.patiently(
            BROKER, lambda: self._takeover.logs_changed(logs), unless
        )
        if changed:
            await self._recover_all()
        return changed

    async def _recover_all(self) -> None:
        """Give up what is held, and begin again from what is stored."""
        self._held.clear()
        await self._reader.recover()

    async def run_ahead(self) -> None:
        """Serialise what the checkpoints that are due will hold, slice by slice, until `stop`."""
        stopped = self.rhythm.stopped
        while not stopped.is_set():
            began, began_cpu = time.monotonic(), time.thread_time()
            with self._progress.cpu_of("checkpoint"):
                of_round = [self._held[tp] for tp in self._rounds.under_way if tp in self._held]
                more = any(held.fold.prepare(SLICE) for held in of_round)
            took = time.monotonic() - began
            self._rounds.serialised_ahead(time.thread_time() - began_cpu)
            await happens(stopped, AHEAD_REST * took if more else AHEAD_SECONDS)

    async def revoke(self) -> None:
        """Stop processing, and checkpoint everything if there is time.

        The folds stay: what is assigned again goes on where it is. What is not stored in time is
        not lost: whoever has the partition next replays it. The insert under way is left to end by
        itself, because the group waits for this worker: whatever it still stores is as right as
        what the next one will store.
        """
        self._active = None
        self._revoked_at = time.time_ns() // 1_000_000
        self._kept = {tp: held.fold for tp, held in self._held.items()}
        try:
            async with asyncio.timeout(self._pace.revoke_seconds):
                await self.settle()
        except TimeoutError:
            logger.warning(
                "the last rows were not stored within %g s; they will be replayed. %s",
                self._pace.revoke_seconds,
                self._health.waiting(),
            )
            self._abandon.set()
            self._held.clear()

    async def stop(self) -> bool:
        """Checkpoint everything, and end. Takes at most twice `revoke_seconds`.

        Returns:
            Whether its threads are at rest; if not, one still waits for an answer.
        """
        self.rhythm.stop()
        await self.revoke()
        self._abandon.set()
        return await self.lanes.close(self._pace.revoke_seconds)

    async def _filled(self, *, checkpoint: bool, gently: bool) -> Block:
        """The block of everything that changed; with states that belong behind it.

        With all of them for a `checkpoint`, else with those whose turn it is. Partition by
        partition, and whatever else there is to do has its turn between: rows and state of one are
        of one moment, and say nothing of others. An event is on its way through many turns, so
        `gently` there are as many as come in the time that the partition took.
        """
        rounds = self._rounds
        wanted, within = rounds.wanted(self._held, time.monotonic(), everything=checkpoint)
        block = Block()
        self._buffered_bytes = 0
        for tp, held in list(self._held.items()):
            due = tp in wanted and block.serialising_seconds < within
            if due:
                left = held.fold.prepare(SLICE)
                due = rounds.takes(left, time.monotonic(), everything=checkpoint)
            async with self.ahead.kept_from(held):
                began = time.monotonic()
                fill(block, tp, held, self._progress, checkpoint=due)
            await asyncio.sleep(time.monotonic() - began if gently else 0)
        rounds.covered(block, time.monotonic())
        return block

    def _landed(self, block: Block) -> None:
        self.ahead.announced()
        for _, held, offset, _ in block.states:
            held.checkpointed = offset
        covered = {tp: n for tp, n in block.positions.items() if tp in self._held}
        if covered:
            self._progress.checkpointed(covered)
            self._reader.commit(covered)
