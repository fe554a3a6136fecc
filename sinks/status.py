"""What an operator asks of a store: its clock, who may write, how far processing is. Only reads."""

from dataclasses import dataclass
from datetime import datetime

from schemas.tables import TABLES
from sinks.errors import StoreMisconfigured, StoreRefused
from sinks.store import Store


@dataclass(frozen=True, slots=True)
class StoredProgress:
    """The newest checkpoint of a source partition.

    `produced_at` is when the broker took the last record whose rows are stored (aware, UTC); None
    where no record had come.
    """

    topic: str
    partition: int
    log: str
    next_offset: int
    produced_at: datetime | None


def server_time(store: Store) -> datetime:
    """The store's clock, aware, in UTC. Raises `sinks.errors.StoreError`."""
    now: datetime = store.query("SELECT now64(3, 'UTC') AS now")[0]["now"]
    return now


def not_writable(store: Store) -> dict[str, str]:
    """Tables that this user may not write into, and why. Inserts no row.

    Raises `sinks.errors.StoreUnavailable` when the store does not answer.
    """
    refused = {}
    for row_type in TABLES:
        table = row_type.TABLE
        try:
            store.command(f"INSERT INTO {table} SELECT * FROM {table} WHERE 0")  # noqa: S608
        except (StoreMisconfigured, StoreRefused) as error:
            refused[table] = error.words
    return refused


def stored_progress(store: Store, pipeline: str) -> list[StoredProgress]:
    """How far each source partition is processed for good. Raises `sinks.errors.StoreError`."""
    rows = store.query(
        "SELECT c.topic AS topic, c.source_partition AS partition, c.newest_log AS log,"
        " c.newest_offset AS next_offset, w.last_at AS produced_at"
        " FROM (SELECT topic, source_partition, argMax(log, version) AS newest_log,"
        " argMax(next_offset, version) AS newest_offset"
        " FROM checkpoints WHERE pipeline = {pipeline:String} GROUP BY topic, source_partition)"
        " AS c LEFT JOIN (SELECT topic, source_partition,"
        " toNullable(argMax(produced_at, version)) AS last_at"
        " FROM watermarks GROUP BY topic, source_partition) AS w"
        " ON w.topic = c.topic AND w.source_partition = c.source_partition"
        " ORDER BY topic, partition",
        {"pipeline": pipeline},
    )
    return [StoredProgress(**row) for row in rows]
