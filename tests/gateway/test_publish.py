"""Against real brokers: what is acknowledged is in the log, on the partition that Kafka says."""

import asyncio
import logging
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from gateway.publish import Publisher, PublishError
from gateway.record import Record
from streams.child_process import free_port
from streams.topic_admin import TopicSpec, create_topics

PARTITIONS = 3


def topic_on(bootstrap: str) -> str:
    name = f"publish-{uuid.uuid4()}"
    create_topics(bootstrap, [TopicSpec(name, PARTITIONS)])
    return name


async def read_all(bootstrap: str, topic: str, count: int) -> dict[int, list[tuple[bytes, bytes]]]:
    """(key, value) by partition, once `count` of them have been read."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    found: dict[int, list[tuple[bytes, bytes]]] = {number: [] for number in range(PARTITIONS)}
    await consumer.start()
    try:
        consumer.assign(partitions)
        async with asyncio.timeout(30):
            while sum(map(len, found.values())) < count:
                for part, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[part.partition] += [(record.key, record.value) for record in records]
        # Not end_offsets: Tansu answers with the offset after the first record of the last batch.
        ends = [consumer.highwater(partition) for partition in partitions]
        assert sum(end or 0 for end in ends) == count, "no more than was published"
    finally:
        await consumer.stop()
    return found


def records_of(topic: str, keys: int, each: int, size: int) -> list[Record]:
    return [
        Record(topic, b"call-%d" % key, b"%d|" % n + b"x" * size, 0)
        for n in range(each)
        for key in range(keys)
    ]


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_all_is_there_in_order_on_kafkas_partition(broker: str, compression: str | None) -> None:
    topic = topic_on(broker)
    records = records_of(topic, keys=50, each=40, size=1000)  # several batches a partition

    async def run() -> dict[int, list[tuple[bytes, bytes]]]:
        async with Publisher(broker, compression=compression) as publisher:
            half = len(records) // 2
            await asyncio.gather(
                publisher.publish(records[:half]), publisher.publish(records[half:])
            )
            await publisher.publish([])
            found = await read_all(broker, topic, len(records))
            assert publisher.ends == {(topic, number): len(found[number]) for number in found}
        return found

    found = asyncio.run(run())
    partitioner = DefaultPartitioner()
    everywhere = list(range(PARTITIONS))
    for number in everywhere:
        assert found[number] == [
            (record.key, record.value)
            for record in records
            if partitioner(record.key, everywhere, everywhere) == number
        ]


def test_an_event_larger_than_a_batch_is_published(broker: str) -> None:
    topic = f"publish-{uuid.uuid4()}"
    create_topics(broker, [TopicSpec(topic, PARTITIONS, config={"max.message.bytes": "4194304"})])
    records = records_of(topic, keys=3, each=1, size=1 << 20)

    async def run() -> dict[int, list[tuple[bytes, bytes]]]:
        async with Publisher(broker) as publisher:
            await publisher.publish(records)
        return await read_all(broker, topic, len(records))

    found = asyncio.run(run())
    assert sorted(pair for pairs in found.values() for pair in pairs) == [
        (record.key, record.value) for record in records
    ]


def test_a_missing_broker_is_an_error_that_names_it(caplog: pytest.LogCaptureFixture) -> None:
    bootstrap = f"127.0.0.1:{free_port('127.0.0.1')}"

    async def run() -> None:
        async with Publisher(bootstrap):
            pytest.fail("there is nothing to connect to")

    caplog.set_level(logging.CRITICAL, "aiokafka")
    with pytest.raises(PublishError, match=bootstrap):
        asyncio.run(run())


def test_a_broker_without_producer_ids_is_no_error(
    broker: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with Publisher(broker) as publisher:
            await publisher.publish(records_of(topic_on(broker), keys=1, each=1, size=10))

    asyncio.run(run())
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_headers_go_along_and_a_partition_that_is_named_is_taken(broker: str) -> None:
    topic = topic_on(broker)
    headers = [("h", b"\xff"), ("h", b"")]
    records = [Record(topic, b"k", b"%d" % n, 0, headers, n) for n in range(PARTITIONS)]

    async def run() -> None:
        async with Publisher(broker) as publisher:
            await publisher.publish(records)
        consumer = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest")
        await consumer.start()
        try:
            for number in range(PARTITIONS):
                consumer.assign([TopicPartition(topic, number)])
                record = await asyncio.wait_for(consumer.getone(), 30)
                assert (record.value, list(record.headers)) == (b"%d" % number, headers)
        finally:
            await consumer.stop()

    asyncio.run(run())
