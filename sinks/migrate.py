"""Brings a ClickHouse database to the schema of this program.

Numbered SQL files in `sinks/migrations`, applied in order, once, never edited afterwards (a
checksum holds them); then what follows settings and may be repeated: retention, queue settings,
views. Touches the store it is given, nothing else. One migrator at a time; a run that was cut off
is simply run again, because every statement is written to be repeatable.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from schemas.fact_rows import AgentStateRow, EventFactRow
from schemas.rows import (
    AgentPaneRow,
    ConversationPaneRow,
    CustomerInteractionRow,
    DeadLetterRow,
    EventRow,
    InteractionRow,
    KpiPaneRow,
    LateEventRow,
    QueueSettingRow,
    Row,
)
from sinks.store import Store

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_CLUSTER_ONLY: Final = "-- cluster only"

RETAINED_BY: Final[dict[type[Row], str]] = {
    EventRow: "occurred_at",
    EventFactRow: "occurred_at",
    AgentStateRow: "occurred_at",
    InteractionRow: "opened_at",
    CustomerInteractionRow: "started_at",
    KpiPaneRow: "pane_at",
    AgentPaneRow: "pane_at",
    ConversationPaneRow: "pane_at",
    DeadLetterRow: "produced_at",
    LateEventRow: "occurred_at",
}
"""The tables whose rows may expire, and the column from which their age counts."""

_LEDGER: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations{local}{on_cluster}
(
    number UInt32,
    name String,
    checksum String,
    applied_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY number;

-- cluster only
CREATE TABLE IF NOT EXISTS schema_migrations{on_cluster} AS schema_migrations{local}
ENGINE = Distributed('{cluster}', currentDatabase(), schema_migrations{local}, number);
"""


class MigrationError(Exception):
    """The database and the migrations of this program do not fit together."""


@dataclass(frozen=True)
class Migration:
    """One numbered file. `text` is a template: see `render`."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, whatever the line ends of the checkout."""
        return hashlib.sha256("\n".join(self.text.splitlines()).encode()).hexdigest()


def packaged_migrations() -> list[Migration]:
    """The migrations of this program, in order. Raises `MigrationError` on a gap or a bad name."""
    found = []
    for entry in files("sinks").joinpath("migrations").iterdir():
        if not entry.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(entry.name)
        if match is None:
            raise MigrationError(f"{entry.name}: a migration is named like 0001_what_it_does.sql")
        found.append(Migration(int(match[1]), entry.name[:-4], entry.read_text("utf-8")))
    found.sort(key=lambda migration: migration.number)
    for position, migration in enumerate(found, start=1):
        if migration.number != position:
            raise MigrationError(f"migration {position:04d} is missing or there twice")
    return found


def render(text: str, cluster: str | None) -> list[str]:
    """The statements of a migration, for one server or for a cluster.

    `{on_cluster}`, `{local}`, `{replicated}` and `{cluster}` are filled in; a statement whose
    first line is `-- cluster only` is left out on a single server. Statements end with `;` at
    the end of a line.
    """
    if cluster is not None and not _NAME.fullmatch(cluster):
        raise MigrationError(f"cluster {cluster!r} must be letters, digits, - and _")
    values = {
        "{on_cluster}": f" ON CLUSTER `{cluster}`" if cluster else "",
        "{local}": "_local" if cluster else "",
        "{replicated}": "Replicated" if cluster else "",
        "{cluster}": cluster or "",
    }
    statements = []
    for part in re.split(r";[ \t]*(?:\n|\Z)", "\n".join(text.splitlines())):
        lines = part.strip().splitlines()
        if _CLUSTER_ONLY in lines and cluster is None:
            continue
        statement = "\n".join(line for line in lines if not line.startswith("--")).strip()
        for token, value in values.items():
            statement = statement.replace(token, value)
        if statement:
            statements.append(statement)
    return statements


def migrate(
    store: Store,
    *,
    retention_days: Mapping[str, int | None] | None = None,
    queue_settings: Sequence[QueueSettingRow] | None = None,
    views: Sequence[tuple[str, str]] = (),
    cluster: str | None = None,
    migrations: Sequence[Migration] | None = None,
) -> list[str]:
    """Apply what is missing; return what was changed, one line each (nothing on a second run).

    1. Create the database and the ledger, `schema_migrations`.
    2. Check that applied migrations are unedited and known; apply the rest, in order.
    3. Set each table's time to live from `retention_days` (table -> days; None keeps for ever;
       a table not named keeps what it has).
    4. Store `queue_settings` (their `version` and `is_deleted` are set here); queues of the same
       tenants that are no longer named are removed. None leaves the table alone.
    5. Create or replace the views, `(name, SELECT …)`, in the order given; on a single server
       those alone that are not as they should be.

    Raises `MigrationError` when the database is newer than this program or a migration was
    edited, `sinks.errors.StoreError` when a statement fails.
    """
    if migrations is None:
        migrations = packaged_migrations()
    on_cluster = f" ON CLUSTER `{cluster}`" if cluster else ""
    ledger = render(_LEDGER, cluster)
    store.create_database(on_cluster)
    for statement in ledger:
        store.command(statement)
    changed = _apply(store, migrations, cluster)
    changed += _set_retention(store, retention_days or {}, cluster)
    if queue_settings is not None:
        changed += _store_queue_settings(store, queue_settings)
    _make_views(store, views, migrations, cluster)
    return changed


def pending(store: Store, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Names of the migrations that are not applied. Raises as `migrate` does."""
    if migrations is None:
        migrations = packaged_migrations()
    return [migration.name for migration in _unapplied(store, migrations)]


def _unapplied(store: Store, migrations: Sequence[Migration]) -> list[Migration]:
    rows = store.query("SELECT number, name, checksum FROM schema_migrations FINAL ORDER BY number")
    known = {migration.number: migration for migration in migrations}
    for row in rows:
        migration = known.pop(row["number"], None)
        if migration is None:
            raise MigrationError(
                f"{store.database} has migration {row['name']}, which this program does not know:"
                " the database is newer; run the program's version that made it, or a later one"
            )
        if migration.checksum != row["checksum"]:
            raise MigrationError(
                f"migration {migration.name} was edited after {store.database} had applied it:"
                " put the file back and write the change as a new migration"
            )
    unapplied = sorted(known.values(), key=lambda migration: migration.number)
    if rows and unapplied and unapplied[0].number < rows[-1]["number"]:
        raise MigrationError(
            f"migration {unapplied[0].name} is older than the newest one in {store.database}:"
            " migrations go forward only; give it the next free number"
        )
    return unapplied


def _apply(store: Store, migrations: Sequence[Migration], cluster: str | None) -> list[str]:
    applied = []
    for migration in _unapplied(store, migrations):
        for statement in render(migration.text, cluster):
            store.command(statement)
        store.command(
            "INSERT INTO schema_migrations (number, name, checksum)"
            " SELECT {number:UInt32}, {name:String}, {checksum:String}",
            {
                "number": migration.number,
                "name": migration.name,
                "checksum": migration.checksum,
            },
            {"async_insert": 0},
        )
        applied.append(f"migration {migration.name}")
    return applied


def _set_retention(
    store: Store, retention_days: Mapping[str, int | None], cluster: str | None
) -> list[str]:
    columns = {row_type.TABLE: column for row_type, column in RETAINED_BY.items()}
    changed: list[str] = []
    if not retention_days:
        return changed
    rows = store.query(
        "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
    )
    engines = {row["name"]: row["engine_full"] for row in rows}
    for table, days in retention_days.items():
        if table not in columns:
            raise MigrationError(
                f"retention is set for {table!r}; it can be set for {', '.join(sorted(columns))}"
            )
        name = table + ("_local" if cluster else "")
        engine = engines[name]
        wanted = f"toDateTime({columns[table]}) + toIntervalDay({days})"
        has_one = " TTL " in engine
        on_cluster = f" ON CLUSTER `{cluster}`" if cluster else ""
        if days is None and has_one:
            store.command(f"ALTER TABLE {name}{on_cluster} REMOVE TTL")
            changed.append(f"retention of {table}: for ever")
        elif days is not None and f" TTL {wanted}" not in engine:
            store.command(f"ALTER TABLE {name}{on_cluster} MODIFY TTL {wanted}")
            changed.append(f"retention of {table}: {days} days")
    return changed


def _make_views(
    store: Store,
    views: Sequence[tuple[str, str]],
    migrations: Sequence[Migration],
    cluster: str | None,
) -> None:
    """Create or replace the views.

    Making them takes most of a second, at every start of a worker that migrates. So each has a
    comment that says what it was made of: itself, the views before it, which it may read, and the
    tables. In a cluster this server's say nothing of those of others, and all are made.
    """
    there: dict[str, str] = {}
    if cluster is None:
        rows = store.query(
            "SELECT name, comment FROM system.tables"
            " WHERE database = currentDatabase() AND engine = 'View'"
        )
        there = {row["name"]: row["comment"] for row in rows}
    on_cluster = f" ON CLUSTER `{cluster}`" if cluster else ""
    made_of = hashlib.sha256("".join(each.checksum for each in migrations).encode())
    for name, select in views:
        made_of.update(f"{name}\0{select}\0".encode())
        comment = f"made of {made_of.hexdigest()}"
        if there.get(name) != comment:
            store.command(
                f"CREATE OR REPLACE VIEW `{name}`{on_cluster} AS {select} COMMENT '{comment}'"
            )


def queue_setting_changes(store: Store, wanted: Sequence[QueueSettingRow]) -> list[str]:
    """How `wanted` differs from the queue settings stored, one line each. Changes nothing."""
    return _queue_setting_changes(store, wanted)[1]


def _store_queue_settings(store: Store, wanted: Sequence[QueueSettingRow]) -> list[str]:
    rows, changed = _queue_setting_changes(store, wanted)
    store.insert(QueueSettingRow, rows)
    return changed


def _queue_setting_changes(
    store: Store, wanted: Sequence[QueueSettingRow]
) -> tuple[list[tuple[Any, ...]], list[str]]:
    """The rows to store, and what they change."""
    stored = {
        (row["tenant"], row["queue"]): row
        for row in store.query("SELECT * FROM queue_settings FINAL WHERE NOT is_deleted")
    }
    newest = store.query("SELECT max(version) AS version FROM queue_settings")[0]["version"]
    version = newest + 1
    rows: list[tuple[Any, ...]] = []
    changed: list[str] = []
    named = set()
    tenants = {setting.tenant for setting in wanted}
    for setting in wanted:
        key = (setting.tenant, setting.queue)
        named.add(key)
        row = setting.model_copy(update={"version": version, "is_deleted": 0})
        old = stored.get(key)
        if old is None or any(
            old[name] != value for name, value in row.model_dump(exclude={"version"}).items()
        ):
            rows.append(tuple(row.model_dump().values()))
            changed.append(f"settings of queue {setting.queue or '(default)'}")
    for key, old in stored.items():
        # What other tenants have is theirs: each is configured by a file of its own.
        if key[0] in tenants and key not in named:
            rows.append(tuple({**old, "version": version, "is_deleted": 1}.values()))
            changed.append(f"settings of queue {key[1] or '(default)'} removed")
    return rows, changed
