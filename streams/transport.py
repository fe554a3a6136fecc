"""Faust's aiokafka driver, extended: one event is a chunk of records, and the checkpoint decides.

What is different from the driver it extends, and only for the topics named by `source_topics`:

1. `getmany` yields one message per chunk of consecutive records of a partition, with the chunk as
   its value and the offset of the last record. Faust's cost per event is paid once a chunk.
2. After a rebalance nothing is sought to the group's committed offset: partitions stay paused until
   `Positions.recover` has told where their checkpoints end, then they are sought there and resumed.
3. Acknowledgements commit nothing. `commit_positions` writes what a checkpoint covers, for lag
   tools; recovery never reads it.

Faust's own commit loop, its gap bookkeeping and its livelock warnings do not apply to these topics.
Runs partly on Faust's loop and partly on its consumer thread; each method says so where it matters.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import faust
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

logger = logging.getLogger(__name__)

COMMIT_TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of one partition, as aiokafka gives them; never empty."""

    partition: TP
    records: Sequence[Any]


class Positions(Protocol):
    """Who knows where reading continues: the worker."""

    async def recover(self, partitions: frozenset[TP]) -> Mapping[TP, int]:
        """Make ready to process `partitions`; the offset at which each is to be read on.

        Called on Faust's loop, in a task of its own, after each rebalance. May take as long as the
        store is away; is cancelled when the partitions are revoked meanwhile.
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


class Consumer(driver.Consumer):  # type: ignore[misc]
    """A Faust consumer whose messages on source topics are chunks. See the module's docstring."""

    transport: "Transport"
    _recovery: asyncio.Task[None] | None = None
    _leaving = False

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, Any]:
        fetched = await super()._getmany(active_partitions, timeout)
        sources = self.transport.source_topics
        return {
            tp: [Chunk(TP(tp.topic, tp.partition), records)] if tp.topic in sources else records
            for tp, records in fetched.items()
            if records
        }

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if not isinstance(record, Chunk):
            return super()._to_message(tp, record)
        last = record.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            (last.timestamp or 0) / 1000,
            last.timestamp_type,
            [],
            None,
            record,
            None,
            None,
            None,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Leave source partitions paused and let the checkpoints say where they continue.

        Faust calls this after each rebalance, and again if records came while the flow was stopped.
        """
        sources = frozenset(
            TP(tp.topic, tp.partition)
            for tp in self.assignment()
            if tp.topic in self.transport.source_topics
        )
        self.cancel_recovery()
        if sources and not self._leaving:
            self.pause_partitions(sources)
            self._recovery = asyncio.create_task(self._recover(sources), name="recovery")
        others = {tp for tp in self.assignment() if tp.topic not in self.transport.source_topics}
        committed: dict[TP, int] = await self._thread.call_thread(self._seek_others, others)
        return committed

    async def _seek_others(self, partitions: set[TP]) -> dict[TP, int]:
        """Seek to the committed offset, as Faust does. On the consumer's thread."""
        consumer = self._thread._ensure_consumer()
        return dict(await consumer.seek_to_committed(*partitions)) if partitions else {}

    async def _recover(self, partitions: frozenset[TP]) -> None:
        try:
            offsets = await self.transport.positions.recover(partitions)
            await self.seek_wait(offsets)
            self.resume_partitions(set(offsets))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            logger.exception("recovery of %d partitions failed", len(partitions))
            await self.app.crash(error)

    async def reread(self, partition: TP, offset: int) -> None:
        """Read a partition again from `offset`."""
        await self.seek_wait({partition: offset})

    def leave(self) -> None:
        """Read no more: this worker is stopping, and takes over no partitions."""
        self._leaving = True
        self.stop_flow()
        self.cancel_recovery()

    def cancel_recovery(self) -> None:
        """Stop a recovery that is under way: its partitions have gone, or it begins again."""
        if self._recovery is not None and not self._recovery.done():
            self._recovery.cancel()
        self._recovery = None

    async def commit_positions(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group what checkpoints cover. Only lag tools read it, so a failure is noted."""
        try:
            await asyncio.wait_for(
                self._thread.call_thread(self._commit_positions, offsets), COMMIT_TIMEOUT_SECONDS
            )
        except (KafkaError, TimeoutError) as error:
            logger.info("committing positions for lag tools failed: %s", error)

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

    def ack(self, message: Any) -> bool:
        """Forget a chunk that was processed; it commits nothing."""
        if message.topic not in self.transport.source_topics:
            return bool(super().ack(message))
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self.transport.source_topics:
            await super()._add_gap(tp, offset_from, offset_to)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's livelock warnings watch its own commits; the worker's stall detector is ours."""
        if tp.topic not in self.transport.source_topics:
            super().verify_event_path(now, tp)


class Transport(driver.Transport):  # type: ignore[misc]
    """The transport of an app whose source topics are read in chunks."""

    Consumer = Consumer
    source_topics: frozenset[str] = frozenset()
    positions: Positions
