"""Stores blocks of rows, then the checkpoints that vouch for them.

One `Writer` in one background thread: `write` blocks until everything is stored. Touches the store
it is given. Nothing is ever given up silently: while ClickHouse is away the writer waits, and a row
that ClickHouse cannot take becomes a dead letter.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any, Final

from schemas.identity_rows import IdentityLinkRow, IdentityMessage
from schemas.live import BreachRecord, PartialRecord
from schemas.rows import CheckpointRow, DeadLetterRow, LateEventRow, Row
from schemas.tables import ROWS
from sinks.errors import StoreError, StoreMisconfigured, StoreRefused, StoreUnavailable
from sinks.failpoints import failpoint
from sinks.metrics import Metrics
from sinks.refused import REASON, dead_letter
from sinks.store import Store

logger = logging.getLogger(__name__)

RowTuple = tuple[Any, ...]
Block = Mapping[type[Row], Sequence[RowTuple]]
"""Tuples in column order, by the model of their table."""
Announce = Callable[[Block], None]
"""Tells the world of the rows in `ANNOUNCED`; returns once they are known for good. Called from the
writing thread; raises `WriteAbandoned` when it is stopped while it waits."""
ANNOUNCED: Final = (
    DeadLetterRow,
    LateEventRow,
    IdentityLinkRow,
    IdentityMessage,
    PartialRecord,
    BreachRecord,
)
"""What is published before it is stored; the last three are stored nowhere."""

FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 10.0
NO_ROW_AT_FAULT: Final = 32
"""When so many rows in a row are refused and none of their table was taken, the rows are not to
blame (a column is missing, say): the writer waits for a person rather than set everything aside."""

CHECKPOINTS_AT_ONCE_BYTES: Final = 16 << 20
"""States in one insert, which holds each of them some times over while it is made. An insert costs
some milliseconds whatever its size, and every row of it vouches for its own partition alone: if
some of them are stored and others are not, all that are there are right."""
_STATE: Final = CheckpointRow.columns().index("state")


class WriteAbandoned(Exception):
    """The writer was told to stop while it waited.

    Some rows of the block may be stored; a checkpoint only if all of them are.
    """


@dataclass
class WriteReport:
    """What became of a block."""

    rows: dict[str, int] = field(default_factory=dict)
    """Table -> rows stored."""
    dead_letters: list[RowTuple] = field(default_factory=list)
    """Rows of `DeadLetterRow` for what was refused. They are announced and stored."""
    retries: int = 0
    seconds: float = 0.0


class _RowsNotAtFault(StoreMisconfigured):
    """Every row that was tried was refused."""


def _to_nobody(_: Block) -> None:
    """For writers whose rows are told to nobody."""


class Writer:
    """Writes blocks to a store.

    `stop` ends waiting (not an insert under way): `write` then raises `WriteAbandoned`.
    `on_retry(error, delay_seconds)` is called from the writing thread before each wait,
    `announce(block)` with rows of the tables in `ANNOUNCED` before they are stored.
    """

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        stop: Event,
        on_retry: Callable[[StoreError, float], None] | None = None,
        announce: Announce = _to_nobody,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._stop = stop
        self._on_retry = on_retry
        self._announce = announce

    def write(self, block: Block) -> WriteReport:
        """Store a block. In this order:

        1. its dead letters, late events, links, partials and breaches are announced;
        2. the rows are stored, table by table in the order of `schemas.tables.ROWS`;
        3. dead letters for rows that were refused are announced, then stored;
        4. the checkpoints are stored, in as few inserts as `CHECKPOINTS_AT_ONCE_BYTES` allows.

        So a checkpoint is stored only after every row it vouches for, and a table holds no dead
        letter that was not announced. Doing a block again, in part or as a whole, changes no
        table; what was announced is announced again. Raises `WriteAbandoned`; `ValueError` on a
        table that is not in `ROWS`.
        """
        if unknown := block.keys() - {*ROWS, *ANNOUNCED}:
            tables = ", ".join(sorted(row_type.TABLE for row_type in unknown))
            raise ValueError(f"a flush does not write {tables}: see schemas.tables.ROWS")
        started = time.monotonic()
        report = WriteReport()
        refused: list[RowTuple] = []
        self._announced({table: block[table] for table in ANNOUNCED if block.get(table)})
        for row_type in ROWS:
            rows = block.get(row_type)
            if not rows or row_type is CheckpointRow:
                continue
            failpoint(f"before_rows:{row_type.TABLE}")
            refused += self._store_rows(row_type, rows, report)
            failpoint(f"after_rows:{row_type.TABLE}")
        if refused:
            failpoint("before_refused")
            self._announced({DeadLetterRow: refused})
            self._insert_whole(DeadLetterRow, refused, report)
            report.dead_letters = refused
            self._metrics.dead_letters.labels(REASON).inc(len(refused))
            failpoint("after_refused")
        failpoint("after_rows")
        for checkpoints in _of_some_size(block.get(CheckpointRow, ())):
            failpoint("before_checkpoint")
            self._insert_whole(CheckpointRow, checkpoints, report)
            failpoint("after_checkpoint")
        report.seconds = time.monotonic() - started
        self._metrics.sink_flush.observe(report.seconds)
        failpoint("after_block")
        return report

    def _announced(self, rows: Block) -> None:
        if rows:
            failpoint("before_announced")
            self._announce(rows)
            failpoint("after_announced")

    def _store_rows(
        self, row_type: type[Row], rows: Sequence[RowTuple], report: WriteReport
    ) -> list[RowTuple]:
        """Store what can be stored; dead letters for the rest. Waits while no row is at fault."""
        letters: list[RowTuple] = []

        def attempt() -> None:
            letters.clear()
            self._bisect(row_type, rows, report, letters)

        self._until_stored(attempt, report)
        if letters:
            logger.error(
                "%s: %d of %d rows were refused and become dead letters; the first: %s",
                row_type.TABLE,
                len(letters),
                len(rows),
                letters[0][DeadLetterRow.columns().index("error")],
            )
        return letters

    def _bisect(
        self,
        row_type: type[Row],
        rows: Sequence[RowTuple],
        report: WriteReport,
        letters: list[RowTuple],
    ) -> None:
        """Insert; on refusal insert the halves, down to single rows."""
        pending = [rows]
        taken = False
        while pending:
            part = pending.pop()
            try:
                self._until_stored(partial(self._store.insert, row_type, part), report)
            except StoreRefused as error:
                if len(part) > 1:
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
                    continue
                letters.append(dead_letter(row_type, part[0], error.words))
                if not taken and len(letters) >= NO_ROW_AT_FAULT:
                    raise _RowsNotAtFault(error.place, error.words, error.code) from error
            else:
                taken = True
                self._count(row_type, len(part), report)

    def _insert_whole(
        self, row_type: type[Row], rows: Sequence[RowTuple], report: WriteReport
    ) -> None:
        """Insert rows that may not be set aside: a refusal, too, is waited out."""

        def attempt() -> None:
            try:
                self._store.insert(row_type, rows)
            except StoreRefused as error:
                raise StoreMisconfigured(error.place, error.words, error.code) from error

        self._until_stored(attempt, report)
        self._count(row_type, len(rows), report)

    def _until_stored(self, attempt: Callable[[], None], report: WriteReport) -> None:
        """Repeat `attempt` until it succeeds or is refused. Waits with full jitter, for ever."""
        delay = FIRST_DELAY_SECONDS
        failing_since: float | None = None
        while True:
            try:
                attempt()
            except (StoreUnavailable, StoreMisconfigured) as error:
                now = time.monotonic()
                failing_since = failing_since or now
                self._metrics.sink_waiting.set(now - failing_since)
                self._wait(error, delay, report)
                delay = min(delay * 2, LONGEST_DELAY_SECONDS)
            else:
                if failing_since is not None:
                    self._metrics.sink_waiting.set(0)
                    logger.warning(
                        "%s answers again after %.1f s",
                        self._store.place,
                        time.monotonic() - failing_since,
                    )
                return

    def _wait(self, error: StoreError, longest: float, report: WriteReport) -> None:
        if self._stop.is_set():  # most likely the store was closed under the insert
            raise WriteAbandoned(f"stopped as {self._store.place} failed: {error.words}")
        report.retries += 1
        reason = "unavailable" if isinstance(error, StoreUnavailable) else "misconfigured"
        self._metrics.sink_retries.labels(reason).inc()
        delay = random.uniform(0, longest)  # noqa: S311 -- spreads workers, guards nothing
        level = logging.WARNING if reason == "unavailable" else logging.ERROR
        logger.log(level, "rows wait: %s (again in %.1f s)", error, delay)
        if self._on_retry is not None:
            self._on_retry(error, delay)
        if self._stop.wait(delay):
            raise WriteAbandoned(f"stopped while waiting for {self._store.place}: {error.words}")

    def _count(self, row_type: type[Row], rows: int, report: WriteReport) -> None:
        report.rows[row_type.TABLE] = report.rows.get(row_type.TABLE, 0) + rows
        self._metrics.sink_rows.labels(row_type.TABLE).inc(rows)


def _of_some_size(checkpoints: Sequence[RowTuple]) -> Iterator[list[RowTuple]]:
    """Rows of checkpoints in parts of about `CHECKPOINTS_AT_ONCE_BYTES`."""
    part: list[RowTuple] = []
    size = 0
    for checkpoint in checkpoints:
        part.append(checkpoint)
        size += len(checkpoint[_STATE] or b"")
        if size >= CHECKPOINTS_AT_ONCE_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
