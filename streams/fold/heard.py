"""Records as the broker gives them, and events as the fold goes on with them. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from mypy_extensions import mypyc_attr

from schemas.decode import Event
from streams.fold.rules import DAY_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Record(Protocol):
    """A record as the broker gives it; `timestamp` in milliseconds, negative for none."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@mypyc_attr(acyclic=True)
class Heard:
    """An event and the record that told it. Instants in milliseconds.

    `happened_at` is the time that the event says, `at` the one that counts: no more than
    `max_skew_ms` ahead of `produced_at`, the broker's time of the record (negative for none). What
    is asked for often is read off the event once: its struct is not compiled, and each look at it
    is a look into a dictionary.
    """

    __slots__ = (
        "at",
        "data",
        "event",
        "happened_at",
        "id",
        "offset",
        "produced_at",
        "record",
        "source",
        "subject",
        "tenant",
        "type",
    )

    def __init__(self, record: Record, event: Event, max_skew_ms: int) -> None:
        self.record = record
        self.event = event
        self.tenant: str = event.tenant
        self.subject: str = event.subject
        self.source: str = event.source
        self.id: str = event.id
        self.type: str = event.type
        self.data: Any = event.data
        self.offset: int = record.offset
        self.produced_at: int = record.timestamp
        since = event.time - _EPOCH
        self.happened_at = since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000
        latest = self.produced_at + max_skew_ms
        ahead = self.happened_at > latest and self.produced_at >= 0
        self.at = latest if ahead else self.happened_at
