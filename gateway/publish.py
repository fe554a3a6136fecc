"""Publishes records to Kafka, and returns only when every one is acknowledged by all replicas.

Touches the broker through aiokafka. Records are laid into batches here, one set per partition:
handing them to the driver one at a time would cost more than reading and encoding them.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError, KafkaError
from aiokafka.partitioner import murmur2

from gateway.record import Record

log = logging.getLogger(__name__)

# Whatever keeps a broker from giving out producer ids is raised to us, and told with what follows.
logging.getLogger("aiokafka.producer.sender").addFilter(
    lambda record: "InitProducerIdRequest" not in str(record.msg)
)

BATCH_BYTES: Final = 512 * 1024
"""Half of what a Kafka topic takes in one batch by default, in case other producers share it."""
MAX_REQUEST_BYTES: Final = 16 * 1024 * 1024


class PublishError(RuntimeError):
    """Records were not acknowledged. They may or may not be in the log: publish them again."""


class Publisher:
    """A producer that waits for `acks=all`. One per process; used from one event loop.

    Args:
        bootstrap: `host:port`, or several with commas between them.
        options: further arguments of `AIOKafkaProducer`, such as those of its security.
        idempotent: let the broker drop what a retry repeats, if it can. Where it cannot, a retry
            may repeat events, which keep their ids and so stay harmless.
        compression: None, `gzip`, `lz4`, `snappy` or `zstd`.

    Attributes:
        ends: by (topic, partition), the offset after the last record of ours that was acknowledged.
            A worker that has come so far has seen all of them.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        options: Mapping[str, Any] | None = None,
        idempotent: bool = True,
        compression: str | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._arguments: dict[str, Any] = {
            "acks": "all",
            "enable_idempotence": idempotent,
            "compression_type": compression,
            "max_batch_size": BATCH_BYTES,
            "max_request_size": MAX_REQUEST_BYTES,
            **(options or {}),
        }
        self._producer: Any = None
        self._submitting = asyncio.Lock()
        self.ends: dict[tuple[str, int], int] = {}

    async def __aenter__(self) -> Self:
        """Connects.

        Raises:
            PublishError: no broker answers, or it refuses us.
        """
        try:
            self._producer = await self._connected()
        except KafkaError as error:
            raise PublishError(
                f"The broker at {self._bootstrap} cannot be used ({type(error).__name__}: {error})."
                " Check that it runs, and the address and credentials under [broker]."
            ) from error
        return self

    async def _connected(self) -> Any:
        try:
            return await _started(self._bootstrap, self._arguments)
        except (KafkaConnectionError, AuthenticationFailedError):
            raise
        except KafkaError as error:
            if not self._arguments["enable_idempotence"]:
                raise
            # Tansu knows no producer ids when it keeps its topics in memory; others may forbid
            # them to us. Whatever else is wrong shows again at the second attempt.
            log.info(
                "%s gives out no producer ids (%s): what has to be sent twice lies on its topic"
                " twice, and counts once",
                *(self._bootstrap, error),
            )
            arguments = {**self._arguments, "enable_idempotence": False}
            return await _started(self._bootstrap, arguments)

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnects, after what was submitted has been sent."""
        await self._producer.stop()

    async def publish(self, records: Iterable[Record]) -> None:
        """Publishes the records; returns once all are acknowledged.

        Records of one key keep their order, also across calls that overlap.

        Raises:
            PublishError: some were not acknowledged within the driver's deadline.
        """
        try:
            async with self._submitting:
                batches = await self._submit(records)
            results = await asyncio.gather(
                *(acknowledged for _, acknowledged in batches), return_exceptions=True
            )
        except KafkaError as error:
            raise self._failure(error) from error
        for (count, _), result in zip(batches, results, strict=True):
            if isinstance(result, BaseException):
                raise self._failure(result) from result
            place = result.topic, result.partition
            self.ends[place] = max(self.ends.get(place, 0), result.offset + count)

    async def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic.

        Raises:
            PublishError: the broker does not say.
        """
        try:
            return sorted(await self._producer.partitions_for(topic))
        except KafkaError as error:
            raise self._failure(error) from error

    def _failure(self, error: BaseException) -> PublishError:
        return PublishError(
            f"The broker at {self._bootstrap} did not acknowledge all events "
            f"({type(error).__name__}: {error}). Start again when it is well: what was not "
            "acknowledged is published again, and what was is recognised by its id. If a topic is "
            "missing, `switchboard topics create` makes it."
        )

    async def _submit(self, records: Iterable[Record]) -> "list[tuple[int, asyncio.Future[Any]]]":
        """Hands the records to the driver; returns, by batch, their number and what will come."""
        now = time.time_ns() // 1_000_000
        partitions: dict[str, list[int]] = {}
        filling: dict[tuple[str, int], Any] = {}
        submitted: list[tuple[int, asyncio.Future[Any]]] = []
        for record in records:
            topic, key, value, _, headers, partition = record
            known = partitions.get(topic)
            if known is None:
                known = partitions[topic] = sorted(await self._producer.partitions_for(topic))
            if partition is None:
                partition = known[_hash(key) % len(known)]
            place = topic, partition
            batch = filling.get(place)
            if batch is None:
                batch = filling[place] = self._producer.create_batch()
            if batch.append(timestamp=now, key=key, value=value, headers=headers) is None:
                submitted.append(await self._send(place, batch))
                batch = filling[place] = self._producer.create_batch()
                # An empty batch takes any.
                batch.append(timestamp=now, key=key, value=value, headers=headers)
        for place, batch in filling.items():
            submitted.append(await self._send(place, batch))
        return submitted

    async def _send(self, place: tuple[str, int], batch: Any) -> "tuple[int, asyncio.Future[Any]]":
        topic, partition = place
        count = batch.record_count()
        batch.close()  # or the driver may add to it
        return count, await self._producer.send_batch(batch, topic, partition=partition)


async def _started(bootstrap: str, arguments: Mapping[str, Any]) -> Any:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, **arguments)
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


@lru_cache(maxsize=1 << 16)
def _hash(key: bytes) -> int:
    """Kafka's own: every client puts a key on the same partition. An interaction has many events,
    hence the cache.
    """
    return int(murmur2(key)) & 0x7FFFFFFF
