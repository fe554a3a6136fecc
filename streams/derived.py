"""Publishes dead letters, late events and links on their topics, before their rows are stored.

`announce` belongs to the writer (`sinks.writer.Announce`), so whatever stands in `dead_letters`,
`late_events` and `identity_links` was acknowledged on its topic by all replicas, and no checkpoint
covers what was not. While a topic cannot be written it waits: the block in hand is not stored, the
next one fills, and reading pauses. `schemas.derived` says what dead letters and late notices look
like and how repeats are recognised, `streams.identity.messages` what lies on `identity.links`.

Called from the sink's thread; the producer lives on the event loop. It is started when there is
something to publish for the first time. May touch: the broker.
"""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from faust.types import TP

from gateway.publish import Publisher, PublishError
from gateway.record import Record
from schemas.derived import (
    X_ERROR,
    X_ERROR_PATH,
    X_LOG,
    X_OFFSET,
    X_PARTITION,
    X_REASON,
    X_TOPIC,
    LateNotice,
)
from schemas.identity_rows import IdentityLinkRow, IdentityMessage
from schemas.live import BreachRecord, PartialRecord
from schemas.rows import DeadLetterRow, LateEventRow, Row
from schemas.topics import (
    EVENTS_DEAD_LETTER,
    EVENTS_LATE,
    IDENTITY_LINKS,
    KPI_PANES,
    QUEUE_BREACHES,
)
from sinks.metrics import Metrics
from sinks.writer import Block, RowTuple, WriteAbandoned
from streams.identity.messages import Message, rendered
from streams.identity.publishing import PublishedLinks
from streams.monitor.messages import Tick
from streams.monitor.messages import rendered as rendered_tick

logger = logging.getLogger(__name__)

ATTEMPT_SECONDS: Final = 5.0
"""How long the broker has to acknowledge, and so how long giving up can take."""
FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.05
"""How often a waiting thread looks whether it is to give up."""


class DerivedTopics:
    """The topics that a worker writes.

    `announce` is for threads of writers, links for one of them alone; the rest for the event loop.

    Args:
        bootstrap: the broker's `host:port`, or several with commas between them.
        options: further arguments of the producer, such as those of its security.
        abandon: set to end waiting: `announce` then raises `WriteAbandoned`.
        metrics: what is published and how long it waits is counted there.

    Attributes:
        waiting_for: why publication waits, for a person; "" while it does not.
    """

    def __init__(
        self,
        bootstrap: str,
        options: Mapping[str, Any],
        abandon: threading.Event,
        metrics: Metrics,
    ) -> None:
        self._bootstrap = bootstrap
        self._options = {**options, "request_timeout_ms": round(ATTEMPT_SECONDS * 1000)}
        self._abandon = abandon
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._publisher: Publisher | None = None
        self._starting = asyncio.Lock()
        self._links = PublishedLinks()
        self.waiting_for = ""

    def announce(self, block: Block) -> None:
        """Publish what is to be known of a block; returns once all of it is acknowledged.

        Tries for ever, all of them again each time: what was acknowledged already is repeated, and
        recognised by its name. Blocks; not for the event loop's thread.

        Raises:
            WriteAbandoned: `abandon` was set meanwhile. Some records may be on their topics.
        """
        links = self._links.new(block.get(IdentityLinkRow, ()))
        records = [*derived_records(block), *map(_message, chain.from_iterable(links.values()))]
        if not records:
            return
        delay = FIRST_DELAY_SECONDS
        failing_since: float | None = None
        while (error := self._attempt(records)) is not None:
            failing_since = failing_since or time.monotonic()
            self._metrics.announce_waiting.set(time.monotonic() - failing_since)
            self.waiting_for = _why(records, error)
            logger.warning("rows wait: %s (again in %.1f s)", self.waiting_for, delay)
            if self._abandon.wait(delay):
                self._waits_no_more()
                raise WriteAbandoned(f"stopped while {self.waiting_for or 'publishing'}")
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)
        if failing_since is not None:
            logger.warning("published after %.1f s", time.monotonic() - failing_since)
            self._waits_no_more()
        self._links.published(links.values())
        self._count(records)

    async def say(self, messages: Iterable[Message]) -> bool:
        """Publish messages for `identity.links` at once; whether all were acknowledged.

        On the event loop. Those that were not are the caller's to announce with its next block.
        """
        return await self._said(list(map(_message, messages)))

    async def tell(self, partials: Sequence[RowTuple]) -> bool:
        """Publish rows of `PartialRecord` at once, likewise."""
        return await self._said([Record(KPI_PANES, key, value, 0) for key, value in partials])

    async def _said(self, records: list[Record]) -> bool:
        try:
            await self._publish(records)
        except PublishError as error:
            logger.info("messages go with the next rows: %s", error)
            return False
        self._count(records)
        return True

    async def tell_time(self, tick: Tick) -> None:
        """Publish a tick on every partition of `kpi.panes`. On the event loop.

        Raises:
            PublishError: it was not acknowledged; the next one will do.
        """
        publisher = await self._started()
        value = rendered_tick(tick)
        at = tick.at // 1000
        await publisher.publish(
            Record(KPI_PANES, b"", value, at, None, partition)
            for partition in await publisher.partitions(KPI_PANES)
        )

    def _count(self, records: list[Record]) -> None:
        for topic, count in Counter(record.topic for record in records).items():
            self._metrics.announced.labels(topic).inc(count)

    def ends(self, topic: str) -> dict[TP, int]:
        """By partition of a topic, the offset after the last record published on it from here."""
        ends = {} if self._publisher is None else self._publisher.ends
        return {TP(*at): end for at, end in ends.items() if at[0] == topic}

    async def close(self) -> None:
        """Disconnect. What is not acknowledged belongs to no checkpoint."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.__aexit__(None, None, None)

    def _attempt(self, records: list[Record]) -> PublishError | None:
        """Publish on the event loop and wait for it; the error if that failed."""
        published = asyncio.run_coroutine_threadsafe(self._publish(records), self._loop)
        while True:
            try:
                published.result(_LOOK_SECONDS)
            except PublishError as error:
                return error
            except CancelledError as error:
                raise WriteAbandoned("the event loop is ending") from error
            except TimeoutError as error:
                if not self._abandon.is_set():
                    continue
                published.cancel()
                self._waits_no_more()
                raise WriteAbandoned("stopped while publishing") from error
            else:
                return None

    async def _publish(self, records: list[Record]) -> None:
        await (await self._started()).publish(records)

    async def _started(self) -> Publisher:
        async with self._starting:  # whoever comes meanwhile would start another one
            if self._publisher is None:
                # Repeats are recognised anyway; a producer id would be lost with its topic, or with
                # a batch that came to nothing.
                publisher = Publisher(self._bootstrap, options=self._options, idempotent=False)
                self._publisher = await publisher.__aenter__()
            return self._publisher

    def _waits_no_more(self) -> None:
        self.waiting_for = ""
        self._metrics.announce_waiting.set(0)


def derived_records(block: Block) -> Iterator[Record]:
    """The records for topics among the rows of a block, all but those of links."""
    for row in block.get(DeadLetterRow, ()):
        yield _dead_letter(row)
    for row in block.get(LateEventRow, ()):
        yield _late_event(row)
    for key, value in block.get(IdentityMessage, ()):
        yield Record(IDENTITY_LINKS, key, value, 0)
    for key, value in block.get(PartialRecord, ()):
        yield Record(KPI_PANES, key, value, 0)
    for key, value in block.get(BreachRecord, ()):
        yield Record(QUEUE_BREACHES, key, value, 0)


def _message(message: Message) -> Record:
    key, value = rendered(message)
    return Record(IDENTITY_LINKS, key, value, 0)


def _dead_letter(row: RowTuple) -> Record:
    said = _named(DeadLetterRow, row)
    headers = [
        *said["headers"],
        *_place(said),
        (X_REASON, said["reason"].encode()),
        (X_ERROR_PATH, said["error_path"].encode()),
        (X_ERROR, said["error"].encode()),
    ]
    at = said["produced_at"] // 1000
    return Record(EVENTS_DEAD_LETTER, said["key"], said["value"], at, headers)


def _late_event(row: RowTuple) -> Record:
    said = _named(LateEventRow, row)
    notice = LateNotice(
        topic=said["topic"],
        partition=said["source_partition"],
        offset=said["source_offset"],
        log=said["log"],
        tenant=said["tenant"],
        subject=said["subject"],
        type=said["type"],
        occurred_at=_instant(said["occurred_at"]),
        watermark_at=_instant(said["watermark_at"]),
        applied=bool(said["applied"]),
    )
    value = notice.model_dump_json().encode()
    at = said["occurred_at"] // 1000
    return Record(EVENTS_LATE, notice.subject.encode(), value, at, _place(said))


def _place(said: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    return [
        (X_TOPIC, said["topic"].encode()),
        (X_PARTITION, b"%d" % said["source_partition"]),
        (X_OFFSET, b"%d" % said["source_offset"]),
        (X_LOG, said["log"].encode()),
    ]


def _named(row_type: type[Row], row: RowTuple) -> dict[str, Any]:
    return dict(zip(row_type.columns(), row, strict=True))


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _why(records: list[Record], error: PublishError) -> str:
    topics = " and ".join(sorted({record.topic for record in records}))
    return (
        f"waiting for {topics}, which cannot be written ({error.__cause__!r}). If a topic is"
        " missing, `switchboard topics create` makes it; if it is refused, it takes too small"
        " records (max.message.bytes) or gives this user no right to write"
    )
