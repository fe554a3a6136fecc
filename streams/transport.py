"""Faust's aiokafka driver, extended: one event is a chunk of records, and the checkpoint decides.

What is different from the driver it extends, and only for the topics named by `source_topics`:

1. A fetch gives one message for each partition: the chunk of its consecutive records, with the
   offset of the last. Faust's cost per event is paid once a chunk.
2. After a rebalance nothing is sought to the group's committed offset: partitions stay paused until
   `Positions.recover` has told where their checkpoints end, then they are sought there and resumed.
3. Acknowledgements commit nothing. `commit_positions` writes what a checkpoint covers, for lag
   tools; recovery never reads it.
4. Records of aborted transactions are not read.
5. A fetch waits for `FETCH_WAIT_MS`, not for a second and a half.

Faust's own commit loop, its bookkeeping of gaps and of what was read, and its livelock warnings do
not apply to these topics. Runs partly on Faust's loop and partly on its consumer thread; each
method of `ConsumerThread` and each one that says so runs on the thread.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import faust
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.fetched import Fetched

logger = logging.getLogger(__name__)

COMMIT_TIMEOUT_SECONDS: Final = 5.0
FETCH_WAIT_MS: Final = 100
"""How long a broker that has nothing may let a fetch wait. What comes meanwhile on a partition that
was not asked for, because its records before were not taken yet, waits as long; Tansu looks for new
records only at half of it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of one partition, as aiokafka parsed them; never empty.

    `begins` is the offset from which the broker was asked, or the one after the chunk before: what
    is missing between it and the first record, or between two records, is not in the log. Only a
    log that was cut off has a first record before `begins`. `seek` numbers the seeks of the
    partition; the chunk was read after that one.
    """

    partition: TP
    records: Sequence[Any]
    begins: int
    seek: int


class Positions(Protocol):
    """Who knows where reading continues: the worker. Called on Faust's loop."""

    async def recover(self, partitions: frozenset[TP]) -> Mapping[TP, int]:
        """Make ready to process `partitions` and no others; where each is to be read on.

        Called in a task of its own after each rebalance. May take as long as the store is away; is
        cancelled when the partitions are revoked meanwhile.
        """
        ...

    async def revoke(self) -> None:
        """Write down how far processing is: all partitions may go. Bounded in time; never raises.

        The group waits for it.
        """
        ...


class ChunkSchema(faust.Schema):  # type: ignore[misc]
    """Passes keys and chunks through as they are."""

    def loads_key(self, _app: Any, message: Any, **_: Any) -> Any:
        """The key, undecoded."""
        return message.key

    def loads_value(self, _app: Any, message: Any, **_: Any) -> Any:
        """The chunk."""
        return message.value


class _ReadOffsets(defaultdict[TP, int | None]):
    """Faust's memory of the last offset read of each partition, below which it drops records.

    Not kept for source topics: it is written after a seek with what was read before it, and would
    drop what the seek was for. The fold skips what it knows.
    """

    def __init__(self, sources: Callable[[], frozenset[str]]) -> None:
        super().__init__(lambda: None)
        self._sources = sources

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        if tp.topic not in self._sources():
            super().__setitem__(tp, offset)


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread on which aiokafka's consumer lives; makes the chunks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._begins: dict[TP, int] = {}
        self._seeks: dict[TP, int] = defaultdict(int)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust ties it to its own transactions, and the wait is fixed. Read when it starts.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:
        for tp, offset in partitions.items():
            self._begins[tp] = offset
            self._seeks[tp] += 1
        await super()._seek_wait(consumer, partitions)

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[TP, Any]:
        fetcher = consumer._fetcher
        if not isinstance(fetcher._records, Fetched):
            fetcher._records = Fetched(lambda: self.transport.source_topics, fetcher._records)
        fetched = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        # No await from here on: a seek in between would be taken for one before the fetch.
        sources = self.transport.source_topics
        return {
            tp: [self._chunk(TP(*tp), records)] if tp.topic in sources else records
            for tp, records in fetched.items()
            if records
        }

    def _chunk(self, tp: TP, records: Sequence[Any]) -> Chunk:
        begins = self._begins.get(tp, records[0].offset)
        self._begins[tp] = records[-1].offset + 1
        return Chunk(tp, records, begins, self._seeks[tp])


class Consumer(driver.Consumer):  # type: ignore[misc]
    """A Faust consumer whose messages on source topics are chunks. See the module's docstring."""

    transport: "Transport"
    _thread: ConsumerThread
    _recovery: asyncio.Task[None] | None = None
    _committing: asyncio.Task[None] | None = None
    _leaving = False
    _between_assignments = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._read_offset = _ReadOffsets(lambda: self.transport.source_topics)
        self._to_commit: dict[TP, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if not isinstance(record, Chunk):
            return super()._to_message(tp, record)
        last = record.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            (last.timestamp or 0) / 1000,
            None,  # nobody asks whose time it is
            [],
            None,
            record,
            None,
            None,
            None,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop reading, then have written down how far processing is. The group waits."""
        self._between_assignments = True
        await self._end_recovery()
        if not self._leaving:
            await super().on_partitions_revoked(revoked)
        # Faust's own way for a consumer that is stopping would close it from the wrong loop.
        await self.transport.positions.revoke()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Faust prepares its agents, and then calls `seek_to_committed` in its recovery task."""
        if self._leaving:
            return
        self._between_assignments = False
        await super().on_partitions_assigned(assigned, generation_id)
        if not self._sources_of(assigned):
            # Faust has nothing to seek then, and does not call.
            await self._begin_recovery(frozenset())

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Leave source partitions paused and let the checkpoints say where they continue.

        Faust calls this after each rebalance, and whenever records came while the flow was stopped:
        also in the middle of a rebalance, when nobody knows yet which partitions stay.
        """
        assigned = self.assignment()
        sources = self._sources_of(assigned)
        self.pause_partitions(sources)
        if sources and not self._leaving and not self._between_assignments:
            await self._begin_recovery(sources)
        committed: dict[TP, int] = await self._thread.call_thread(
            self._seek_others, {TP(*tp) for tp in assigned} - sources
        )
        return committed

    def _sources_of(self, partitions: Iterable[TP]) -> frozenset[TP]:
        sources = self.transport.source_topics
        return frozenset(TP(*tp) for tp in partitions if tp.topic in sources)

    async def _seek_others(self, partitions: set[TP]) -> dict[TP, int]:
        """Seek to the committed offset, as Faust does. On the consumer's thread."""
        consumer = self._thread._ensure_consumer()
        return dict(await consumer.seek_to_committed(*partitions)) if partitions else {}

    async def _begin_recovery(self, partitions: frozenset[TP]) -> None:
        await self._end_recovery()
        self._recovery = asyncio.create_task(self._recover(partitions), name="recovery")

    async def _recover(self, partitions: frozenset[TP]) -> None:
        try:
            offsets = await self.transport.positions.recover(partitions)
            if await self._sought(offsets):
                self._let_flow(offsets)
        except Exception as error:
            logger.exception("recovery of %d partitions failed", len(partitions))
            self.transport.failed(error)

    async def _end_recovery(self) -> None:
        """Stop a recovery that is under way: its partitions have gone, or it begins again."""
        recovery, self._recovery = self._recovery, None
        if recovery is not None:
            recovery.cancel()
            await asyncio.wait([recovery])

    async def reread(self, partition: TP, offset: int) -> None:
        """Read a partition again from `offset`; it is not paused then, whatever Faust thinks."""
        if await self._sought({partition: offset}):
            self._let_flow([partition])

    async def recover(self) -> None:
        """Recover the partitions that are assigned, as after a rebalance, unless one goes on."""
        if self._leaving or self._between_assignments:
            return
        sources = self._sources_of(self.assignment())
        self.pause_partitions(sources)
        await self._begin_recovery(sources)

    def seeks(self, tp: TP) -> int:
        """The number of the partition's last seek."""
        return self._thread._seeks.get(tp, 0)

    async def _sought(self, offsets: Mapping[TP, int]) -> bool:
        """Seek; whether the partitions were still there."""
        try:
            await self.seek_wait(offsets)
        except IllegalStateError:
            # The thread is ahead of this loop: a rebalance has begun, and its recovery seeks.
            logger.info("partitions went while they were sought")
            return False
        return True

    def _let_flow(self, partitions: Iterable[TP]) -> None:
        resumed = set(partitions)
        self._buffered_partitions.difference_update(resumed)
        self.resume_partitions(resumed)

    async def leave(self) -> None:
        """Read no more: this worker is stopping, and takes over no partitions."""
        self._leaving = True
        self.stop_flow()
        await self._end_recovery()

    def commit_positions(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group what checkpoints cover, some time soon. Only lag tools read it."""
        self._to_commit.update(offsets)
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_soon(), name="commit")

    async def committed(self) -> None:
        """Wait until what `commit_positions` was told has gone, or was given up."""
        if self._committing is not None:
            await asyncio.wait([self._committing])

    async def _commit_soon(self) -> None:
        while self._to_commit:
            offsets, self._to_commit = self._to_commit, {}
            try:
                async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                    await self._thread.call_thread(self._commit_positions, offsets)
            except (KafkaError, TimeoutError) as error:
                logger.info("committing positions for lag tools failed: %r", error)

    async def _commit_positions(self, offsets: Mapping[TP, int]) -> None:
        """On the consumer's thread."""
        consumer = self._thread._ensure_consumer()
        assigned = consumer.assignment()
        held = {
            TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if TopicPartition(tp.topic, tp.partition) in assigned
        }
        if held:
            await consumer.commit(held)

    def fetched(self) -> dict[TP, tuple[int, int]]:
        """Source partition -> (offset to be fetched next, offset after the last record).

        As the broker said with its last answers: nobody is asked. Without partitions of which
        nothing is known yet.
        """
        consumer = self._thread._consumer
        subscription = None if consumer is None else consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return {}
        known = {}
        for tp in self._sources_of(assignment.tps):
            state = assignment.state_value(TopicPartition(*tp))
            if state is not None and state.highwater is not None and state.has_valid_position:
                known[tp] = (state.position, state.highwater)
        return known

    async def check(self) -> None:
        """Raise what keeps the consumer from working for good, such as a missing right.

        aiokafka tells it to whoever fetches next, and nobody does while all partitions are paused.
        """
        await self._thread.call_thread(self._check)

    async def _check(self) -> None:
        """On the consumer's thread."""
        self._thread._ensure_consumer()._coordinator.check_errors()

    def ack(self, message: Any) -> bool:
        """Forget a chunk that was processed; it commits nothing."""
        if message.topic not in self.transport.source_topics:
            return bool(super().ack(message))
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's livelock warnings watch its own commits; `streams.health` watches ours."""
        if tp.topic not in self.transport.source_topics:
            super().verify_event_path(now, tp)


class Transport(driver.Transport):  # type: ignore[misc]
    """The transport of an app whose source topics are read in chunks."""

    Consumer = Consumer
    source_topics: frozenset[str] = frozenset()
    positions: Positions
    failed: Callable[[BaseException], None]
    """Called with what ended a recovery for good."""
