"""What aiokafka has fetched, as the transport takes it over: what is read of source topics'
records, many at a time. Reaches into aiokafka's fetcher, and touches nothing else.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from weakref import proxy

from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.structs import TopicPartition

from streams.fold.heard import as_parsed


class Fetched(OrderedDict[TopicPartition, Any]):
    """What aiokafka has fetched and not handed over, by partition.

    Of records of source topics only what is read of them is handed over: putting each into an
    object with topic, partition and sizes costs more than reading it. And they are taken from its
    parser a batch at a time, without a step of the interpreter for each of those between.
    """

    def __init__(
        self, sources: Callable[[], frozenset[str]], before: Mapping[TopicPartition, Any]
    ) -> None:
        super().__init__()
        self._sources = sources
        for tp, fetched in before.items():
            self[tp] = fetched

    def __setitem__(self, tp: TopicPartition, fetched: Any) -> None:
        if isinstance(fetched, FetchResult) and tp.topic in self._sources():
            fetched.getall = _Taking(fetched)
        super().__setitem__(tp, fetched)


class _Taking:
    """As `FetchResult.getall` of what was fetched: the next records, at most so many, and the
    position behind them.
    """

    def __init__(self, fetched: FetchResult) -> None:
        # By a proxy: in a cycle with its own method it would wait for the collector, and that
        # seldom looks at what was alive as a batch was applied (`streams.garbage`).
        self._fetched: Any = proxy(fetched)
        parsed: Any = fetched._partition_records
        # Its own iterator, which nobody asks here, holds it: the buffer of a fetch would wait, too.
        parsed._records_iterator = None
        self._batches = _batches(parsed)
        self._left: list[Any] = []

    def __call__(self, max_records: int | None = None) -> list[Any]:
        fetched, taken = self._fetched, self._left
        self._left = []
        if not fetched.check_assignment(fetched._topic_partition) or not fetched.has_more():
            return []
        parsed = fetched._partition_records
        while max_records is None or len(taken) < max_records:
            due = parsed.next_fetch_offset
            records = next(self._batches, None)
            if records is None:
                fetched._update_position()
                fetched._partition_records = None
                return taken
            if records and records[0].offset < due:
                # The batch that holds the offset that was asked for.
                records = [record for record in records if record.offset >= due]
            taken += records
        self._left = taken[max_records:]
        del taken[max_records:]
        parsed.next_fetch_offset = taken[-1].offset + 1
        fetched._update_position()
        return taken


def _batches(parsed: PartitionRecords) -> Iterator[list[Any]]:
    """As `PartitionRecords._unpack_records`, but for all records of a batch at once; those below
    the offset that was asked for are among them.

    `next_fetch_offset` is moved behind a batch when the one after it is asked for.
    """
    batches, aborted = parsed._records, parsed._aborted_producers
    while batches.has_next():
        batch = batches.next_batch()
        if parsed._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {parsed._tp}")
        control, producer = batch.is_control_batch, batch.producer_id
        if parsed._isolation_level == READ_COMMITTED and producer is not None:
            parsed._consume_aborted_up_to(batch.base_offset)
            if control and parsed._contains_abort_marker(batch):
                aborted.discard(producer)
        if not control and not (batch.is_transactional and producer in aborted):
            yield as_parsed(batch)
        parsed.next_fetch_offset = batch.next_offset
