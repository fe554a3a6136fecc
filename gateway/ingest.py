"""The way from a growing file to the broker: tail, parse, publish, then move the bookmark.

Wires the parts of this package together. Touches what they touch: the file, the broker, the
bookmark.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.asterisk_queue_log import DEFAULT_SOURCE, Parsed, Skipped, events_of_line
from gateway.bookmark import Bookmark
from gateway.publish import Publisher
from gateway.record import Record
from gateway.tail import Chunk, Position, Tail

log = logging.getLogger(__name__)

CHUNKS_IN_FLIGHT: Final = 3
"""Parsing goes on while so many chunks wait for their acknowledgement; it bounds memory."""
MOST_UNREADABLE_KEPT: Final = 1000
POLL_SECONDS: Final = 0.25


@dataclass(slots=True)
class IngestReport:
    """What became of a file, so far.

    `unreadable` holds (file, line number, reason) of the first thousand lines that could not be
    read; `unreadable_count` counts all. `greatest_disorder_seconds` is how far the time of an event
    lay behind the greatest time before it: a lateness of at least that makes no event late.
    `gaps` says where lines may be missing because the file was rotated or truncated under us.
    """

    lines: int = 0
    events: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[str, int, str]] = field(default_factory=list)
    unreadable_count: int = 0
    greatest_disorder_seconds: int = 0
    gaps: list[str] = field(default_factory=list)
    _first: int | None = None
    _last: int | None = None

    @property
    def first_at(self) -> datetime | None:
        """The earliest event time; None where there was no event."""
        return None if self._first is None else datetime.fromtimestamp(self._first, UTC)

    @property
    def last_at(self) -> datetime | None:
        """The latest event time; None where there was no event."""
        return None if self._last is None else datetime.fromtimestamp(self._last, UTC)

    def add_event(self, at: int) -> None:
        """Counts one event of that time, in seconds since the epoch."""
        self.events += 1
        if self._last is None or at > self._last:
            self._last = at
        elif self._last - at > self.greatest_disorder_seconds:
            self.greatest_disorder_seconds = self._last - at
        if self._first is None or at < self._first:
            self._first = at

    def add_unreadable(self, path: Path, line_number: int, reason: str) -> None:
        """Counts one line that could not be read, and keeps it if it is among the first."""
        self.unreadable_count += 1
        if len(self.unreadable) < MOST_UNREADABLE_KEPT:
            self.unreadable.append((str(path), line_number, reason))
            log.warning("%s:%d cannot be read: %s", path, line_number, reason)


async def ingest(
    path: Path,
    publisher: Publisher,
    *,
    tenant: str = "default",
    source: str = DEFAULT_SOURCE,
    bookmark: Bookmark | None = None,
    follow: bool = False,
    stop: asyncio.Event | None = None,
    poll_seconds: float = POLL_SECONDS,
    progress: Callable[[IngestReport], None] = lambda _: None,
) -> IngestReport:
    """Publishes the events of an Asterisk queue_log; returns what it found.

    Starts at the bookmark, if there is one that counts, and moves it only over what the broker has
    acknowledged: after a crash some events are published again, under the same ids, and none is
    missing. `progress` is called with the report after every chunk that was acknowledged.

    Without `follow` it ends with the file; a last line without a line feed is read as it is, but
    the bookmark stays before it. With `follow` it goes on, through rotations, until `stop` is set.

    Raises:
        FileNotFoundError: there is no such file (with `follow`, it waits for one).
        OSError: the file or the bookmark cannot be read or written.
        PublishError: the broker did not acknowledge; the bookmark is right for another try.
    """
    if not follow and not path.exists():
        raise FileNotFoundError(f"There is no file {path}. Give the path of a queue_log.")
    report = IngestReport()
    tail = Tail(path, bookmark.load() if bookmark else None)
    report.gaps = tail.gaps
    flight = _Flight(publisher, bookmark, lambda: progress(report))
    stopped = stop or asyncio.Event()
    try:
        while not stopped.is_set():
            chunk = tail.poll()
            if chunk is not None:
                await flight.add(_records(chunk, report, tenant, source), chunk.end)
                continue
            await flight.land()
            if not follow:
                last = tail.remainder()
                if last is not None:
                    await flight.add(_records(last, report, tenant, source), last.end)
                break
            await _wait(stopped, poll_seconds)
        await flight.land()
    finally:
        await flight.abandon()
        tail.close()
    return report


async def _wait(stopped: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        return  # time to look at the file again


def _records(chunk: Chunk, report: IngestReport, tenant: str, source: str) -> list[Record]:
    """The events of a chunk; what they are is noted in the report."""
    records: list[Record] = []
    for index, (line, offset) in enumerate(zip(chunk.lines, chunk.offsets, strict=True)):
        outcome = events_of_line(line, offset, tenant=tenant, source=source)
        if isinstance(outcome, Parsed):
            for record in outcome.records:
                report.add_event(record.at)
                records.append(record)
        elif isinstance(outcome, Skipped):
            report.skipped[outcome.name] += 1
        else:
            report.add_unreadable(chunk.path, chunk.first_number + index, outcome.reason)
    report.lines += len(chunk.lines)
    return records


class _Flight:
    """Chunks on their way to the broker, in order; the bookmark follows the acknowledged ones."""

    def __init__(
        self, publisher: Publisher, bookmark: Bookmark | None, landed: Callable[[], None]
    ) -> None:
        self._publisher = publisher
        self._bookmark = bookmark
        self._landed = landed
        self._chunks: deque[tuple[asyncio.Task[None], Position]] = deque()

    async def add(self, records: list[Record], end: Position) -> None:
        """Sends a chunk off, once there is room."""
        while len(self._chunks) >= CHUNKS_IN_FLIGHT:
            await self._land_first()
        self._chunks.append((asyncio.create_task(self._publisher.publish(records)), end))
        await asyncio.sleep(0)  # lets it go before the next chunk is parsed

    async def land(self) -> None:
        """Waits until all are acknowledged."""
        while self._chunks:
            await self._land_first()

    async def abandon(self) -> None:
        """Gives up what is still under way, after an error that says more than theirs would."""
        tasks = [task for task, _ in self._chunks]
        self._chunks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _land_first(self) -> None:
        task, end = self._chunks.popleft()
        await task
        if self._bookmark is not None:
            await asyncio.to_thread(self._bookmark.save, end)  # it waits for the disk
        self._landed()
