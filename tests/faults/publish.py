"""Publishes a log and remembers at which offset every record lies. Touches the broker it is given.

Records go out in batches that are put together here: one future a batch and not one a record, which
is what makes 200,000 records a matter of seconds.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer

from streams.topic_admin import MAX_SOURCE_MESSAGE_BYTES
from tests.faults.generate import Record

BATCH_BYTES: Final = 256 << 10
REQUEST_BYTES: Final = 2 * MAX_SOURCE_MESSAGE_BYTES
DELIVERY_SECONDS: Final = 120_000

Partition = tuple[str, int]
"""topic and partition number"""


class Place(NamedTuple):
    """Where a record lies in the present logs."""

    topic: str
    partition: int
    offset: int


@dataclass
class Published:
    """What the broker acknowledged: each record with its place, and where the partitions end."""

    records: list[tuple[Place, Record]] = field(default_factory=list)
    ends: dict[Partition, int] = field(default_factory=dict)

    def add(self, other: "Published") -> None:
        """Take over what was published after this."""
        self.records += other.records
        self.ends |= other.ends


def publish(bootstrap: str, records: Iterable[Record], *, idempotent: bool) -> Published:
    """Publish in order, acknowledged by all replicas.

    `idempotent` lets the producer try again without writing anything twice; not every broker can.
    Raises aiokafka's `KafkaError` when a batch was not acknowledged.
    """
    by_partition: defaultdict[Partition, list[Record]] = defaultdict(list)
    for record in records:
        by_partition[record.topic, record.partition].append(record)
    return asyncio.run(_publish(bootstrap, by_partition, idempotent))


async def _publish(
    bootstrap: str, by_partition: Mapping[Partition, Sequence[Record]], idempotent: bool
) -> Published:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=idempotent,
        max_batch_size=BATCH_BYTES,
        max_request_size=REQUEST_BYTES,
        request_timeout_ms=DELIVERY_SECONDS,
        retry_backoff_ms=200,
    )
    await producer.start()
    published = Published()
    try:
        sends = [_send(producer, at, records) for at, records in by_partition.items()]
        for part in await asyncio.gather(*sends):
            published.add(part)
    finally:
        await producer.stop()
    return published


async def _send(producer: AIOKafkaProducer, at: Partition, records: Sequence[Record]) -> Published:
    topic, partition = at
    published = Published()
    waiting = list(reversed(records))
    while waiting:
        batch = producer.create_batch()
        sent: list[Record] = []
        while waiting:
            record = waiting[-1]
            added = batch.append(key=record.key, value=record.value, timestamp=record.timestamp_ms)
            if added is None:
                break
            sent.append(waiting.pop())
        acknowledged = await producer.send_batch(batch, topic, partition=partition)
        base = (await acknowledged).offset
        published.records += [
            (Place(topic, partition, base + n), record) for n, record in enumerate(sent)
        ]
        published.ends[at] = base + len(sent)
    return published
