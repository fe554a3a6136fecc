"""Delivers breaches to one webhook: tries again, sets aside after the last try, loses nothing.

Each webhook has a consumer group of its own, so a slow one holds up nobody else. An offset is
committed once its record was delivered or is acknowledged on `queue.breaches.undelivered`: after a
crash a webhook may get a message again, under the same id, and never misses one.

I/O: the broker, through aiokafka, and the webhook, through aiohttp.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from schemas.topics import QUEUE_BREACHES, QUEUE_BREACHES_UNDELIVERED
from streams.webhooks.message import Message, UnreadableNotice, message_of, signed_headers

logger = logging.getLogger(__name__)

GONE: Final = 410
"""The answer of a receiver that wants nothing any more, by the specification."""
POLL_MS: Final = 500
WEBHOOK: Final = "webhook"
"""The header that says for whom a record was set aside."""
SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One webhook. `retry_seconds` are the pauses between attempts, one more of which there are.

    `tenants` are those whose breaches it gets; empty for all.
    """

    name: str
    url: str
    secret: str
    timeout_seconds: float
    retry_seconds: tuple[float, ...]
    tenants: tuple[str, ...] = ()

    @property
    def longest_seconds(self) -> float:
        """How long one message can take until it is delivered or given up."""
        attempts = len(self.retry_seconds) + 1
        return sum(self.retry_seconds) + attempts * self.timeout_seconds


class Delivery:
    """Delivers to one webhook until `stop` is set.

    Args:
        endpoint: to whom.
        bootstrap: `host:port` of the broker, several with commas between.
        group: consumer group of the installation; the webhook's is made from it.
        stop: set it to end; the message in hand is left to the next run, unless it is done.
        counted: called with `delivered`, `retried` or `set_aside` whenever that happens.
        options: further arguments of aiokafka's clients, such as those of its security.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        bootstrap: str,
        group: str,
        stop: asyncio.Event,
        options: Mapping[str, Any] | None = None,
        counted: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._endpoint = endpoint
        self._bootstrap = bootstrap
        self._group = f"{group}-webhook-{endpoint.name}"
        self._stop = stop
        self._options = dict(options or {})
        self._counted = counted
        self.delivered = 0
        self.set_aside = 0

    async def run(self) -> None:
        """Deliver. A new webhook begins with the oldest breach that the broker still has.

        Raises:
            aiokafka.errors.KafkaError: the broker refuses us, or is gone for long.
        """
        async with self._connected(self._group, QUEUE_BREACHES) as parts:
            while not self._stop.is_set():
                if not await self._one(*parts):
                    return

    async def run_again(self) -> None:
        """Deliver what was set aside for this webhook up to now, and return.

        What cannot be delivered now either is set aside once more. Of its own group: what was
        delivered this way is not delivered so again.

        Raises:
            aiokafka.errors.KafkaError: the broker refuses us, or is gone for long.
        """
        async with self._connected(f"{self._group}-again") as (consumer, producer, session):
            numbers = await producer.partitions_for(QUEUE_BREACHES_UNDELIVERED)
            partitions = [TopicPartition(QUEUE_BREACHES_UNDELIVERED, n) for n in sorted(numbers)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            while not self._stop.is_set():
                reached = [await consumer.position(tp) >= ends[tp] for tp in partitions]
                if all(reached) or not await self._one(consumer, producer, session):
                    return

    @contextlib.asynccontextmanager
    async def _connected(
        self, group: str, *topics: str
    ) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaProducer, ClientSession]]:
        consumer = AIOKafkaConsumer(
            *topics,
            bootstrap_servers=self._bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # One message may be tried for minutes; the group must not take that for death.
            max_poll_interval_ms=round(self._endpoint.longest_seconds * 1000) + 60_000,
            **self._options,
        )
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", **self._options)
        timeout = ClientTimeout(total=self._endpoint.timeout_seconds)
        async with producer, consumer, ClientSession(timeout=timeout) as session:
            yield consumer, producer, session

    async def _one(
        self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, session: ClientSession
    ) -> bool:
        """Settle the next record, if one comes; False where we were stopped before."""
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=1)
        for partition, records in fetched.items():
            for record in records:
                if self._is_ours(record) and not await self._settled(record, session, producer):
                    return False
                await _commit(consumer, partition, record.offset + 1)
        return True

    def _is_ours(self, record: ConsumerRecord) -> bool:
        """Whether a record was set aside for this webhook, or was told to all."""
        whose = dict(record.headers).get(WEBHOOK)
        return whose is None or whose == self._endpoint.name.encode()

    async def _settled(
        self, record: ConsumerRecord, session: ClientSession, producer: AIOKafkaProducer
    ) -> bool:
        """Whether the record was delivered or set aside; False where we were stopped before."""
        try:
            message = message_of(record.value or b"")
        except UnreadableNotice as error:
            why = f"not a breach notice: {error}"
        else:
            if self._endpoint.tenants and message.tenant not in self._endpoint.tenants:
                return True
            outcome = await self._deliver(message, session)
            if outcome is None:
                return False
            if not outcome:
                self.delivered += 1
                self._counted("delivered")
                return True
            why = outcome
        logger.error("%s: set aside after the last try: %s", self._endpoint.name, why)
        headers = [(WEBHOOK, self._endpoint.name.encode()), ("reason", why.encode())]
        await producer.send_and_wait(
            QUEUE_BREACHES_UNDELIVERED, record.value, key=record.key, headers=headers
        )
        self.set_aside += 1
        self._counted("set_aside")
        return True

    async def _deliver(self, message: Message, session: ClientSession) -> str | None:
        """Why it could not be delivered; "" if it was, None if we were stopped before."""
        why = ""
        for number, pause in enumerate((*self._endpoint.retry_seconds, None), 1):
            why, final = await self._attempt(message, session)
            if not why:
                return ""
            logger.warning("%s: try %d of %s: %s", self._endpoint.name, number, message.id, why)
            if final or pause is None:
                break
            self._counted("retried")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()
            if self._stop.is_set():
                return None
        return why

    async def _attempt(self, message: Message, session: ClientSession) -> tuple[str, bool]:
        """What went wrong ("": nothing), and whether it is of no use to try again."""
        headers = signed_headers(message, self._endpoint.secret, datetime.now(UTC))
        body = message.body.encode()
        try:
            async with session.post(
                self._endpoint.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                if 200 <= answer.status < 300:
                    return "", True
                said = (await answer.text(errors="replace"))[:SHOWN_CHARACTERS]
                return f"status {answer.status}: {said}", answer.status == GONE
        except TimeoutError:
            return f"no answer within {self._endpoint.timeout_seconds:g} s", False
        except ClientError as error:
            return f"{type(error).__name__}: {error}", False


async def _commit(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
    try:
        await consumer.commit({partition: offset})
    except (CommitFailedError, IllegalStateError) as error:
        # The partition went to another while this was delivered; it will be delivered again there.
        logger.info("%s went to another consumer (%s)", partition, error)
