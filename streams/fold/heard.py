"""Records as the broker gives them, and events as the fold goes on with them. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
from mypy_extensions import mypyc_attr

from schemas.decode import Event
from streams.fold.rules import DAY_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_as_tuple: Final[Callable[[Event], tuple[Any, ...]]] = msgspec.structs.astuple
_PLACES: Final = {name: at for at, name in enumerate(Event.__struct_fields__)}
_TENANT: Final = _PLACES["tenant"]
_SUBJECT: Final = _PLACES["subject"]
_SOURCE: Final = _PLACES["source"]
_ID: Final = _PLACES["id"]
_TIME: Final = _PLACES["time"]
_DATA: Final = _PLACES["data"]


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
class Parsed:
    """A record of which no more is kept than is read of it.

    The collector does not look at it: of a parser's own records it looks at each.
    """

    __slots__ = ("headers", "key", "offset", "timestamp", "value")

    def __init__(
        self,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> None:
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers


def as_parsed(records: Iterable[Record]) -> list[Parsed]:
    """The same records, each as `Parsed`."""
    return [Parsed(r.offset, r.timestamp, r.key, r.value, r.headers) for r in records]


@mypyc_attr(acyclic=True)
class Heard:
    """An event and the record that told it. Instants in milliseconds.

    `happened_at` is the time that the event says, `at` the one that counts: no more than
    `max_skew_ms` ahead of `produced_at`, the broker's time of the record (negative for none). What
    is asked for often is read off the event once, all at once: its struct is not compiled, and each
    look at it is a look into a dictionary. Every event's struct has its attributes in one order.
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

    def __init__(
        self, record: Record, offset: int, produced_at: int, event: Event, max_skew_ms: int
    ) -> None:
        self.record = record
        self.event = event
        said = _as_tuple(event)
        self.tenant: str = said[_TENANT]
        self.subject: str = said[_SUBJECT]
        self.source: str = said[_SOURCE]
        self.id: str = said[_ID]
        self.type: str = event.type
        self.data: Any = said[_DATA]
        self.offset = offset
        self.produced_at = produced_at
        time: datetime = said[_TIME]
        since = time - _EPOCH
        self.happened_at = since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000
        latest = self.produced_at + max_skew_ms
        ahead = self.happened_at > latest and self.produced_at >= 0
        self.at = latest if ahead else self.happened_at
