"""A table of ticket events in CSV: one row in, one canonical event out. Pure: no file, no clock.

Help desks export a row for each step of a ticket: which ticket, when, and what was done. What a
step means for the ticket's status differs from desk to desk, so it is told (`CsvColumns.statuses`);
a step that is not told is refused with its line, because a guess would move figures unseen.

A ticket's earliest row also says that its contact began. An event's id is made of what the row
says, and of how many rows before it said the same: reading a file again, or a longer one of the
same table, gives the same ids, in whatever order its rows are.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError
from xxhash import xxh3_128_hexdigest

from gateway.record import Record
from schemas.cloudevents import encode
from schemas.events import (
    Channel,
    Data,
    Id,
    InteractionStarted,
    TicketStatus,
    TicketStatusChanged,
)
from schemas.topics import CHANNEL_OF

STATUSES: Final[tuple[TicketStatus, ...]] = get_args(TicketStatus)
_SUBJECT: Final = TypeAdapter(Id)
_TOPIC_OF: Final = {channel: topic for topic, channel in CHANNEL_OF.items()}


class TicketCsvError(ValueError):
    """The table cannot be read at all; the message says what is missing."""


class Unreadable(NamedTuple):
    """A row that could not be read: its line in the file, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """How a table is to be read.

    `ticket`, `time` and `step` name its columns, `agent` one that may be empty or missing.
    `statuses` tells a step's status. Times are ISO 8601 or `YYYY-MM-DD HH:MM:SS`; those without an
    offset are of `timezone`, an IANA name.
    """

    ticket: str
    time: str
    step: str
    statuses: Mapping[str, TicketStatus]
    agent: str = ""
    timezone: str = "UTC"


def ticket_events(
    lines: Iterable[str],
    columns: CsvColumns,
    *,
    source: str,
    tenant: str = "default",
    channel: Channel = "email",
) -> Iterator[Record | Unreadable]:
    """The events of a table with a head, in its order; the whole table is read first.

    Raises:
        TicketCsvError: the head lacks a column that is named.
    """
    table = csv.DictReader(lines, strict=True)
    try:
        head = table.fieldnames or ()
    except UnicodeDecodeError as error:
        raise TicketCsvError(f"this is no table in UTF-8: {error}") from error
    named = [columns.ticket, columns.time, columns.step]
    if columns.agent:
        named.append(columns.agent)
    if missing := [name for name in named if name not in head]:
        there = ", ".join(head) or "nothing"
        raise TicketCsvError(f"there is no column {', '.join(missing)}; the head has {there}")
    try:
        steps = list(_steps(table, columns))
    except UnicodeDecodeError as error:
        raise TicketCsvError(f"line {table.line_num + 1} is not UTF-8: {error}") from error
    began: dict[str, datetime] = {}
    for step in steps:
        if isinstance(step, _Step):
            began[step.ticket] = min(step.at, began.get(step.ticket, step.at))
    told = _Teller(source, tenant, _TOPIC_OF[channel])
    said: Counter[_Step] = Counter()
    for step in steps:
        if isinstance(step, Unreadable):
            yield step
            continue
        if step.ticket in began:
            at = began.pop(step.ticket)
            started = InteractionStarted()
            yield told.record("interaction.started", step.ticket, at, started, "began")
        said[step] += 1
        data = TicketStatusChanged(status=columns.statuses[step.name], agent=step.agent)
        words = (step.name, step.agent, str(said[step]))
        yield told.record("ticket.status_changed", step.ticket, step.at, data, *words)


class _Step(NamedTuple):
    """What a row says."""

    ticket: str
    at: datetime
    name: str
    agent: str


def _steps(table: "csv.DictReader[str]", columns: CsvColumns) -> Iterator[_Step | Unreadable]:
    zone = ZoneInfo(columns.timezone)
    while True:
        try:
            yield _step(next(table), columns, zone)
        except StopIteration:
            return
        except UnicodeDecodeError:
            raise  # it is a ValueError; the rest of the file would be read from its middle
        except (csv.Error, ValueError) as error:
            yield Unreadable(table.line_num, _words(error))


def _step(row: Mapping[str, str | None], columns: CsvColumns, zone: ZoneInfo) -> _Step:
    ticket, time, name = (
        (row[column] or "").strip() for column in (columns.ticket, columns.time, columns.step)
    )
    if name not in columns.statuses:
        known = ", ".join(sorted(columns.statuses))
        raise ValueError(f"{columns.step} {name!r} has no status; there is one for {known}")
    try:
        at = datetime.fromisoformat(time)
    except ValueError as error:
        raise ValueError(f"{columns.time} {time!r} is no ISO 8601 time") from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    agent = (row[columns.agent] or "").strip() if columns.agent else ""
    _SUBJECT.validate_python(ticket)
    return _Step(ticket, at, name, agent)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Makes records of one source."""

    source: str
    tenant: str
    topic: str

    def record(self, event_type: str, ticket: str, at: datetime, data: Data, *words: str) -> Record:
        """One event; `words` tell it from others of its ticket, type and time."""
        value = encode(
            event_type,
            id=xxh3_128_hexdigest("\0".join((ticket, at.isoformat(), *words))),
            source=self.source,
            time=at,
            subject=ticket,
            data=data,
            tenant=self.tenant,
        )
        return Record(self.topic, ticket.encode(), value, int(at.timestamp()))


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"ticket: {error.errors()[0]['msg']}"
    return str(error)
