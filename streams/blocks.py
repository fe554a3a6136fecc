"""What a worker hands to its sink at once, and when. Pure, but for the time that it takes."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Self

from faust.types import TP

from schemas.encoded import joined
from schemas.live import PartialRecord
from schemas.rows import Row
from schemas.settings import Settings
from streams.fold.partition import PartitionFold
from streams.progress import Progress
from streams.takeover import Held

ROW_BYTES: Final = 512
"""What a buffered row takes beside its payload until it is stored, about: measured as the growth of
a process with the rows of a block (docs/decisions/0026)."""

REST: Final = 9.0
"""Blocks that are not full follow each other after so many times what storing the last one took: a
tenth of the time goes into storing at most, while nothing waits for it. Who is behind then fills
whole blocks, which cost less an event."""
LONGEST_REST_SECONDS: Final = 5.0
"""What storing a block took may be the hour that ClickHouse was away: no reason to rest longer."""

_key, _value, _headers = (attrgetter(name) for name in ("key", "value", "headers"))


@dataclass(frozen=True, slots=True)
class Pace:
    """When a block is stored and a checkpoint written.

    A block goes out when it has `flush_rows` rows, `buffer_bytes / 2` bytes (one block is filled
    while another is stored) or `flush_seconds` have passed; a checkpoint follows after
    `checkpoint_seconds` or `checkpoint_events`. `revoke_seconds` bounds the last one when
    partitions are given up.
    """

    flush_rows: int = 200_000
    flush_seconds: float = 1.0
    checkpoint_seconds: float = 10.0
    checkpoint_events: int = 500_000
    buffer_bytes: int = 256 << 20
    revoke_seconds: float = 10.0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The pace that is configured."""
        processing = settings.processing
        return cls(
            flush_rows=processing.flush_rows,
            flush_seconds=processing.flush_seconds,
            checkpoint_seconds=processing.checkpoint_seconds,
            checkpoint_events=processing.checkpoint_events,
            buffer_bytes=processing.buffer_bytes,
            revoke_seconds=settings.broker.session_seconds / 2,
        )


@dataclass(slots=True)
class Block:
    """Rows on their way to the store, and the states that its checkpoints are made of.

    `parts` has the rows of one partition after the other, by table; `states` has (partition, its
    fold's next offset, its state); `positions` the next offset of every partition whose checkpoint
    the block ends with; `logs` the log of each topic; `latest` the latest time (milliseconds) that
    its events say, by source; `serialising_seconds` is the processor time that making the states
    took.
    """

    parts: dict[type[Row], list[Sequence[tuple[Any, ...]]]] = field(default_factory=dict)
    latest: dict[str, int] = field(default_factory=dict)
    states: list[tuple[TP, Held, int, bytes]] = field(default_factory=list)
    positions: dict[TP, int] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    serialising_seconds: float = 0.0

    def rows(self) -> dict[type[Row], Sequence[tuple[Any, ...]]]:
        """The rows of all partitions, by table."""
        return {table: joined(parts) for table, parts in self.parts.items()}


def rest_after(stored_seconds: float) -> float:
    """Seconds between a block that took so long to store and the next that is not full."""
    return min(REST * stored_seconds, LONGEST_REST_SECONDS)


def fill(block: Block, tp: TP, held: Held, progress: Progress, *, checkpoint: bool) -> None:
    """Add what changed in one partition; with its state, if a `checkpoint` is to follow."""
    fold = held.fold
    block.logs[tp.topic] = fold.log
    with progress.cpu_of("rows"):
        # A block may be long on its way. What stage 2 is to know goes with it only where a
        # checkpoint vouches for that, too.
        if isinstance(fold, PartitionFold):
            output = fold.drain(partials=checkpoint)
        else:
            output = fold.drain()
    progress.counted(tp, output.counts)
    if PartialRecord in output.rows:
        held.untold = True
    for table, rows in output.rows.items():
        block.parts.setdefault(table, []).append(rows)
    for source, at in output.latest.items():
        block.latest[source] = max(at, block.latest.get(source, at))
    if not checkpoint:
        return
    offset = fold.next_offset
    block.positions[tp] = offset
    if offset != held.checkpointed:
        began = time.thread_time()
        with progress.cpu_of("checkpoint"):
            block.states.append((tp, held, offset, fold.snapshot()))
        block.serialising_seconds += time.thread_time() - began


def parts_of(records: Sequence[Any], limit: int) -> Iterator[tuple[Sequence[Any], int]]:
    """Records in parts of about `limit` bytes, each with its size: compressed, all fit a fetch."""
    size = _plain_size(records)
    if size and size < limit:
        yield records, size
        return
    begin = size = 0
    for end, record in enumerate(records, 1):
        size += len(record.value or b"") + len(record.key or b"") + _of_headers(record.headers)
        if size >= limit:
            yield records[begin:end], size
            begin, size = end, 0
    if begin < len(records):
        yield records[begin:] if begin else records, size


def _plain_size(records: Sequence[Any]) -> int | None:
    """The bytes of keys and values, where every record has both and none has headers, as nearly
    all have: without a step of the interpreter for each.
    """
    if any(map(_headers, records)):
        return None
    try:
        return sum(map(len, map(_value, records))) + sum(map(len, map(_key, records)))
    except TypeError:  # a record without a key, or one that deletes
        return None


def _of_headers(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(len(name) + len(value or b"") for name, value in headers)
