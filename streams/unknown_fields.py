"""Fields of events that the contract does not know, told once for each source.

A source that has fields of its own has them in all its events, so a few samples a second find them:
never an event on the fast way. Pure but for the clock and the log.
"""

import logging
import time
from collections.abc import Sequence
from typing import Final, Protocol

from schemas.decode import Rejected, decode, shortcut, unknown_fields

logger = logging.getLogger(__name__)

SAMPLE_SECONDS: Final = 0.1
MAX_SOURCES: Final = 1_000
MAX_FIELDS: Final = 50
"""A source that puts data into names has no end of them."""


class Record(Protocol):
    """What is looked at of a record."""

    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class UnknownFields:
    """Looks at a record now and then."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}
        self._next_at = 0.0

    def sample(self, record: Record) -> dict[str, int]:
        """Look at a record if it is time.

        Returns:
            The number of unknown fields of its source by now, if there are new ones; else nothing.
        """
        now = time.monotonic()
        if now < self._next_at:
            return {}
        self._next_at = now + SAMPLE_SECONDS
        return self.look(record)

    def look(self, record: Record) -> dict[str, int]:
        """Look at a record, whatever the time."""
        if record.value is not None and not record.headers and shortcut(record.value) is not None:
            return {}
        event = decode(record.value, record.headers)
        if isinstance(event, Rejected):
            return {}
        known = self._known.get(event.source, set())
        found = unknown_fields(record.value, record.headers)
        new = [path for path in found if path not in known][: MAX_FIELDS - len(known)]
        if not new or (not known and len(self._known) >= MAX_SOURCES):
            return {}
        self._known[event.source] = known | set(new)
        logger.warning(
            "source %r has fields that are not in the contract and are not used: %s (seen in an"
            " event of type %s; they stay in the stored payload)",
            event.source,
            ", ".join(new),
            event.type,
        )
        return {event.source: len(known) + len(new)}
