"""What the sources hand to the publisher: one canonical event, encoded. Pure; knows no I/O."""

from typing import NamedTuple


class Record(NamedTuple):
    """One event on its way to the broker.

    `key` is the event's subject, so that all events of one interaction or agent share a partition.
    `at` is the event's time in whole seconds since the epoch, UTC; the broker does not see it, the
    ingest report does. A record without `partition` lies on that of its key.
    """

    topic: str
    key: bytes
    value: bytes
    at: int
    headers: list[tuple[str, bytes]] | None = None
    partition: int | None = None
