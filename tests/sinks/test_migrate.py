import pytest

from schemas.rows import CustomerInteractionRow, EventRow, QueueSettingRow, Row
from schemas.tables import TABLES
from sinks.migrate import (
    RETAINED_BY,
    Migration,
    MigrationError,
    migrate,
    packaged_migrations,
    pending,
    render,
)
from sinks.store import Store
from tests.support.rows import row

SMALL_GRANULES = 10
"""The migration that gives contacts their granules."""


def setting(queue: str, target_ms: int = 20_000) -> QueueSettingRow:
    return QueueSettingRow(
        tenant="t",
        queue=queue,
        target_ms=target_ms,
        target_ratio=0.8,
        short_abandon_ms=5_000,
        service_level_preset="offered",
        timezone="Europe/Berlin",
        business_minutes=[480, 1080],
        version=0,
        is_deleted=0,
    )


def targets(store: Store) -> dict[str, int]:
    rows = store.query("SELECT queue, target_ms FROM queue_settings FINAL")
    return {found["queue"]: found["target_ms"] for found in rows}


def next_migration(name: str) -> Migration:
    """A migration that follows those of the program, and makes a table of that name."""
    number = len(packaged_migrations()) + 1
    text = f"CREATE TABLE IF NOT EXISTS {name} (a UInt8) ORDER BY a;\n"
    return Migration(number, f"{number:04d}_{name}", text)


def engine_of(store: Store, table: str) -> str:
    (found,) = store.query(
        "SELECT engine_full FROM system.tables"
        " WHERE database = currentDatabase() AND name = {table:String}",
        {"table": table},
    )
    return str(found["engine_full"])


@pytest.mark.parametrize("row_type", TABLES, ids=lambda row_type: row_type.TABLE)
def test_a_table_is_exactly_what_its_row_model_says(store: Store, row_type: type[Row]) -> None:
    columns = store.query(
        "SELECT name, type FROM system.columns"
        " WHERE database = currentDatabase() AND table = {table:String} ORDER BY position",
        {"table": row_type.TABLE},
    )
    assert [(column["name"], column["type"]) for column in columns] == list(
        zip(row_type.columns(), row_type.types(), strict=True)
    )


@pytest.mark.parametrize("row_type", TABLES, ids=lambda row_type: row_type.TABLE)
def test_a_row_is_replaced_by_key_and_version(store: Store, row_type: type[Row]) -> None:
    (table,) = store.query(
        "SELECT sorting_key, engine_full FROM system.tables"
        " WHERE database = currentDatabase() AND name = {table:String}",
        {"table": row_type.TABLE},
    )
    assert table["sorting_key"] == ", ".join(row_type.KEY)
    replacing = [name for name in ("version", "is_deleted") if name in row_type.columns()]
    engine = "ReplacingMergeTree" + (f"({', '.join(replacing)})" if replacing else "")
    assert table["engine_full"].split(" ORDER BY")[0].split(" PARTITION BY")[0] == engine


def test_the_second_run_changes_nothing(empty_store: Store) -> None:
    arguments = {"retention_days": {"events": 30}, "queue_settings": [setting("")]}
    assert migrate(empty_store, **arguments) == [  # type: ignore[arg-type]
        *(f"migration {found.name}" for found in packaged_migrations()),
        "retention of events: 30 days",
        "settings of queue (default)",
    ]
    assert migrate(empty_store, **arguments) == []  # type: ignore[arg-type]
    assert pending(empty_store) == []


def test_data_survives_a_new_migration(store: Store) -> None:
    store.insert(EventRow, [row(EventRow)])
    later = next_migration("more")
    assert pending(store, [*packaged_migrations(), later]) == [later.name]
    changed = migrate(store, migrations=[*packaged_migrations(), later])
    assert changed == [f"migration {later.name}"]
    assert store.query("SELECT event_id FROM events") == [{"event_id": "e-1"}]


def test_an_edited_migration_is_refused_by_name(store: Store) -> None:
    (first, *rest) = packaged_migrations()
    edited = Migration(first.number, first.name, first.text + "-- a later thought\n")
    with pytest.raises(MigrationError, match="0001_tables was edited"):
        migrate(store, migrations=[edited, *rest])


def test_line_ends_of_the_checkout_are_not_an_edit(store: Store) -> None:
    converted = [
        Migration(found.number, found.name, found.text.replace("\n", "\r\n"))
        for found in packaged_migrations()
    ]
    assert migrate(store, migrations=converted) == []
    assert render(converted[0].text, None) == render(packaged_migrations()[0].text, None)


def test_a_database_newer_than_the_program_is_left_alone(store: Store) -> None:
    later = next_migration("later")
    migrate(store, migrations=[*packaged_migrations(), later])
    with pytest.raises(MigrationError, match=rf"{later.name}.*database is newer"):
        migrate(store)


def test_a_migration_that_was_cut_off_is_finished_by_the_next_run(empty_store: Store) -> None:
    first_half = packaged_migrations()[0].text.split(";\n")[0] + ";\n"
    empty_store.create_database()
    for statement in render(first_half, None):
        empty_store.command(statement)
    assert migrate(empty_store) == [f"migration {found.name}" for found in packaged_migrations()]


@pytest.mark.parametrize("migration", packaged_migrations(), ids=lambda found: found.name)
@pytest.mark.parametrize("cluster", [None, "main"])
def test_every_statement_is_repeatable_and_parses(
    embedded_store: Store, migration: Migration, cluster: str | None
) -> None:
    embedded_store.create_database()
    statements = render(migration.text, cluster)
    assert statements
    for statement in statements:
        # What changes one table for another is shown to be repeatable as a whole, below.
        changes = statement.startswith("EXCHANGE TABLES") or " ATTACH PARTITION ALL " in statement
        # To a value, or of what is there: the same again.
        sets = " MODIFY SETTING " in statement or " MATERIALIZE INDEX " in statement
        assert changes or sets or " IF NOT EXISTS " in statement or " IF EXISTS " in statement
        assert embedded_store.query(f"EXPLAIN AST {statement}")


@pytest.mark.parametrize("done", range(1, 5))
def test_a_change_of_tables_that_was_cut_off_loses_no_event(empty_store: Store, done: int) -> None:
    first, second, change, *later = packaged_migrations()
    statements = render(change.text, None)
    assert (change.name, len(statements)) == ("0003_events_by_contact", 4)
    migrate(empty_store, migrations=[first, second])
    ids = [f"e-{month}" for month in range(1, 5)]
    months = [1_700_000_000_000 + 2_678_400_000 * month for month in range(4)]
    events = zip(ids, months, strict=True)
    empty_store.insert(EventRow, [row(EventRow, event_id=i, occurred_at=at) for i, at in events])
    for statement in statements[:done]:
        empty_store.command(statement)
    between = row(EventRow, event_id="between", occurred_at=months[0])
    empty_store.insert(EventRow, [between])
    migrate(empty_store, migrations=[first, second, change, *later])
    kept = empty_store.query("SELECT event_id FROM events FINAL ORDER BY event_id")
    assert [found["event_id"] for found in kept] == ["between", *ids]
    tables = empty_store.query("SHOW TABLES LIKE 'events_by_contact%'")
    assert tables == []


@pytest.mark.parametrize("done", range(1, 5))
def test_small_granules_that_were_cut_off_lose_no_contact(empty_store: Store, done: int) -> None:
    before = [m for m in packaged_migrations() if m.number < SMALL_GRANULES]
    (change,) = [m for m in packaged_migrations() if m.number == SMALL_GRANULES]
    migrate(empty_store, migrations=before)
    contacts = [row(CustomerInteractionRow, interaction_id=f"i-{n}", version=n) for n in range(4)]
    empty_store.insert(CustomerInteractionRow, contacts)
    for statement in render(change.text, None)[:done]:
        empty_store.command(statement)
    empty_store.insert(CustomerInteractionRow, [row(CustomerInteractionRow, interaction_id="new")])
    migrate(empty_store)
    kept = empty_store.query(
        "SELECT interaction_id AS i FROM customer_interactions FINAL ORDER BY i"
    )
    assert [found["i"] for found in kept] == ["i-0", "i-1", "i-2", "i-3", "new"]
    assert empty_store.query("SHOW TABLES LIKE 'customer_interactions_small%'") == []


def test_a_customers_page_reads_small_granules(store: Store) -> None:
    assert "index_granularity = 256" in engine_of(store, "customer_interactions")


def test_events_lie_in_small_granules_that_say_whose_they_are(store: Store) -> None:
    assert "index_granularity = 512" in engine_of(store, "events")
    indexes = store.query(
        "SELECT name, expr FROM system.data_skipping_indices"
        " WHERE database = currentDatabase() AND table = 'events'"
    )
    assert indexes == [{"name": "by_contact", "expr": "subject"}]


def name_of(statement: str) -> str:
    return statement.partition("CREATE TABLE IF NOT EXISTS ")[2].split()[0]


def test_a_cluster_gets_replicated_local_tables_behind_distributed_ones() -> None:
    statements = [text for found in packaged_migrations() for text in render(found.text, "main")]
    dropped = {t.split()[4] for t in statements if t.startswith("DROP TABLE IF EXISTS ")}
    made_by = {name_of(text): text for text in statements if "Replicated" in text}
    made_by = {name: text for name, text in made_by.items() if name not in dropped}
    front_of = {name_of(text): text for text in statements if "Distributed('main'" in text}
    assert made_by.keys() == {f"{row_type.TABLE}_local" for row_type in TABLES}
    assert front_of.keys() == {row_type.TABLE for row_type in TABLES}
    for row_type in TABLES:
        made, front = made_by[f"{row_type.TABLE}_local"], front_of[row_type.TABLE]
        assert f"{row_type.TABLE}_local ON CLUSTER `main`" in made
        assert f" {row_type.TABLE} ON CLUSTER `main` AS {row_type.TABLE}_local" in front
        shard = front.rpartition("cityHash64(")[2].partition(")")[0].split(", ")
        assert set(shard) <= set(row_type.KEY), "versions of one row must meet on one shard"


def test_a_cluster_name_is_never_sql() -> None:
    with pytest.raises(MigrationError, match="cluster"):
        render("SELECT 1;", "a` SYNC; DROP DATABASE b")


def test_retention_follows_the_settings(store: Store) -> None:
    every = dict.fromkeys((row_type.TABLE for row_type in RETAINED_BY), 400)
    assert len(migrate(store, retention_days=every)) == len(every)
    for row_type, column in RETAINED_BY.items():
        ttl = f"TTL toDateTime({column}) + toIntervalDay(400)"
        assert ttl in engine_of(store, row_type.TABLE)
    assert migrate(store, retention_days=every) == []
    assert migrate(store, retention_days={"events": None}) == ["retention of events: for ever"]
    assert "TTL" not in engine_of(store, "events")
    assert "TTL" in engine_of(store, "interactions")


def test_retention_of_a_table_that_does_not_expire_is_refused(store: Store) -> None:
    with pytest.raises(MigrationError, match="checkpoints"):
        migrate(store, retention_days={"checkpoints": 1})


def test_queue_settings_are_replaced_as_a_whole(store: Store) -> None:
    migrate(store, queue_settings=[setting(""), setting("support"), setting("sales")])
    changed = migrate(store, queue_settings=[setting(""), setting("support", 30_000)])
    assert sorted(changed) == ["settings of queue sales removed", "settings of queue support"]
    assert targets(store) == {"": 20_000, "support": 30_000}
    migrate(store, queue_settings=[setting(""), setting("sales", 10_000)])
    assert targets(store) == {"": 20_000, "sales": 10_000}
    assert migrate(store) == []
    assert targets(store) == {"": 20_000, "sales": 10_000}


def test_settings_of_another_tenant_are_left_alone(store: Store) -> None:
    mine = setting("support", 10_000)
    theirs = setting("sales", 30_000).model_copy(update={"tenant": "other"})
    migrate(store, queue_settings=[mine])
    assert migrate(store, queue_settings=[theirs]) == ["settings of queue sales"]
    assert targets(store) == {"support": 10_000, "sales": 30_000}


def test_views_are_made_in_order_and_replaced(store: Store) -> None:
    views = [("one", "SELECT 1 AS a"), ("two", "SELECT a + {b:UInt8} AS c FROM one")]
    migrate(store, views=views)
    assert store.query("SELECT c FROM two(b=2)") == [{"c": 3}]
    migrate(store, views=[("one", "SELECT 10 AS a"), views[1]])
    assert store.query("SELECT c FROM two(b={b:UInt8})", {"b": 5}) == [{"c": 15}]


def test_views_that_are_as_they_should_be_are_left_alone(store: Store) -> None:
    views = [(name, f"SELECT {n} AS a") for n, name in enumerate(("one", "two", "three"))]
    migrate(store, views=views)
    before = made_at(store)
    migrate(store, views=views)
    assert made_at(store) == before
    # Those behind one that changed may read it.
    views[1] = ("two", "SELECT 'text' AS a")
    migrate(store, views=views)
    changed = {name for name, at in made_at(store).items() if at != before[name]}
    assert changed == {"two", "three"}
    store.command("DROP VIEW three")
    migrate(store, views=views)
    assert store.query("SELECT a FROM three") == [{"a": 2}]
    # A migration may change what they read.
    before = made_at(store)
    migrate(store, views=views, migrations=[*packaged_migrations(), next_migration("more")])
    assert not before.items() & made_at(store).items()


def made_at(store: Store) -> dict[str, str]:
    """Each view, and by what it is known: another one each time it is made."""
    rows = store.query(
        "SELECT name, toString(uuid) AS uuid FROM system.tables"
        " WHERE database = currentDatabase() AND engine = 'View'"
    )
    return {row["name"]: row["uuid"] for row in rows}
