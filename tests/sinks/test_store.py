import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.rows import EventRow, InteractionRow, KpiPaneRow, Row
from schemas.tables import TABLES
from sinks.errors import StoreMisconfigured, StoreRefused, StoreUnavailable
from sinks.migrate import migrate
from sinks.store import EMBEDDED, ENGINE_SETTINGS, Store, open_store
from tests.support.clickhouse import PROJECT, ClickHouseServer, embedded_path
from tests.support.clickhouse_http import Fault
from tests.support.rows import NOON, row

MILLISECONDS = st.integers(631_152_000_000, 4_102_444_799_999)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "LowCardinality(String)": TEXT,
    "String": TEXT,
    "DateTime64(3, 'UTC')": MILLISECONDS,
    "DateTime('UTC')": st.integers(0, 2**32 - 1),
    "UInt8": st.integers(0, 2**8 - 1),
    "UInt16": st.integers(0, 2**16 - 1),
    "UInt32": st.integers(0, 2**32 - 1),
    "UInt64": st.integers(0, 2**64 - 1),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Int32": st.integers(-(2**31), 2**31 - 1),
    "Float64": st.floats(allow_nan=False),
}


def values(name: str, kind: str, row_type: type[Row]) -> st.SearchStrategy[Any]:
    if name == "is_deleted":
        return st.integers(0, 1)  # the engine's own rule
    if row_type.model_fields[name].annotation is bytes:
        return st.binary(max_size=20)
    if kind.startswith("Array(Tuple"):
        return st.lists(st.tuples(TEXT, st.binary(max_size=5)), max_size=3)
    if kind.startswith("Nullable("):
        return st.none() | VALUES[kind[9:-1]]
    if kind.startswith("Array("):
        return st.lists(values(name, kind[6:-1], row_type), max_size=3)
    if kind.startswith("Map("):
        key, _, value = kind[4:-1].partition(", ")
        return st.dictionaries(VALUES[key], VALUES[value], max_size=3)
    return VALUES[kind]


def rows_of(row_type: type[Row]) -> st.SearchStrategy[tuple[Any, ...]]:
    columns = zip(row_type.columns(), row_type.types(), strict=True)
    return st.tuples(*(values(name, kind, row_type) for name, kind in columns))


def in_milliseconds(value: Any, kind: str) -> Any:
    if isinstance(value, datetime):
        unit = 1 if kind.startswith("DateTime(") else 1000
        whole = (value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
        return round(whole * unit)
    if isinstance(value, list):
        inner = kind[6:-1]
        return [in_milliseconds(item, inner.removeprefix("Nullable(")) for item in value]
    return value


@pytest.mark.parametrize("row_type", TABLES, ids=lambda row_type: row_type.TABLE)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_value_of_a_row_comes_back_as_it_was_written(
    store: Store, row_type: type[Row], data: st.DataObject
) -> None:
    written = data.draw(rows_of(row_type))
    row_type.model_validate(dict(zip(row_type.columns(), written, strict=True)))
    store.command(f"TRUNCATE TABLE {row_type.TABLE}")
    store.insert(row_type, [written])
    binary = [name for name, f in row_type.model_fields.items() if f.annotation is bytes]
    columns = [
        f"arrayMap(h -> (h.1, hex(h.2)), {name}) AS {name}" if "Tuple" in kind else name
        for name, kind in zip(row_type.columns(), row_type.types(), strict=True)
    ]
    (found,) = store.query(
        f"SELECT {', '.join(columns)} FROM {row_type.TABLE}", bytes_columns=binary
    )
    for name, kind, value in zip(row_type.columns(), row_type.types(), written, strict=True):
        expected = [(k, v.hex().upper()) for k, v in value] if "Tuple" in kind else value
        assert in_milliseconds(found[name], kind.removeprefix("Nullable(")) == expected, name


def test_times_are_aware_and_in_utc_whatever_the_hosts_zone(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sinks.store import open_store\n"
        "s = open_store('embedded', path=Path(sys.argv[1]), database='default')\n"
        "print(s.query(\"SELECT toDateTime('2024-01-01 00:00:00', 'UTC') AS a,"
        " toDateTime('2024-01-01 00:00:00') AS b\"))\n"
        "s.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    midnight = "datetime.datetime(2024, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)"
    assert done.stdout.strip() == f"[{{'a': {midnight}, 'b': {midnight}}}]"


def test_parameters_are_values_never_sql(store: Store) -> None:
    hostile = "'; DROP TABLE events; -- \\ {x:String} %s é \n\t"
    assert store.query("SELECT {x:String} AS x", {"x": hostile}) == [{"x": hostile}]
    many = [hostile] * 3000  # more than fits a URL
    (found,) = store.query("SELECT {x:Array(String)} AS x", {"x": many})
    assert found["x"] == many


def test_a_newer_version_replaces_and_an_older_one_does_not(store: Store) -> None:
    for version, status in ((5, "open"), (9, "ended"), (7, "open")):
        store.insert(InteractionRow, [row(InteractionRow, version=version, status=status)])
    found = store.query("SELECT status, version FROM interactions FINAL")
    assert found == [{"status": "ended", "version": 9}]


def test_one_block_may_spread_over_more_months_than_the_servers_limit(store: Store) -> None:
    month = 31 * 86_400_000
    rows = [row(EventRow, event_id=str(n), occurred_at=NOON - n * month) for n in range(150)]
    store.insert(EventRow, rows)
    assert store.query("SELECT count() AS n FROM events")[0]["n"] == 150


@pytest.mark.parametrize(
    "bad",
    [
        {"source_partition": 2**32},
        {"source_offset": -1},
        {"occurred_at": 2**63},
        {"subject": "\ud800"},
        {"subject": None},
        {"subject": 5},
        {"occurred_at": None},
    ],
    ids=repr,
)
def test_a_value_that_does_not_fit_its_column_is_refused_and_nothing_stored(
    store: Store, bad: dict[str, Any]
) -> None:
    with pytest.raises(StoreRefused):
        store.insert(EventRow, [row(EventRow), row(EventRow, **bad)])
    assert store.query("SELECT count() AS n FROM events")[0]["n"] == 0
    store.insert(EventRow, [row(EventRow)])


def test_a_missing_table_names_the_remedy(empty_store: Store) -> None:
    empty_store.create_database()
    with pytest.raises(StoreMisconfigured, match="switchboard migrate") as caught:
        empty_store.insert(KpiPaneRow, [row(KpiPaneRow)])
    assert caught.value.code == 60


def test_a_missing_database_names_the_remedy(empty_store: Store) -> None:
    with pytest.raises(StoreMisconfigured, match="switchboard migrate") as caught:
        empty_store.query("SELECT * FROM events")
    assert caught.value.code in {60, 81}


def test_a_faulty_statement_is_refused_with_its_code(store: Store) -> None:
    with pytest.raises(StoreRefused) as caught:
        store.query("SELEC 1")
    assert caught.value.code == 62
    assert "Code: 62" in caught.value.words


@pytest.mark.parametrize("code", [159, 202, 209, 210, 241, 242, 252, 425, 243])
def test_overload_is_unavailability(
    migrated_http_store: Store, server: ClickHouseServer, code: int
) -> None:
    server.fault(Fault("error", code=code))
    with pytest.raises(StoreUnavailable) as caught:
        migrated_http_store.insert(EventRow, [row(EventRow)])
    assert caught.value.code == code


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_proxys_refusal_is_unavailability(
    migrated_http_store: Store, server: ClickHouseServer, status: int
) -> None:
    server.fault(Fault("status", status=status, times=None))
    with pytest.raises(StoreUnavailable, match=f"HTTP status {status}"):
        migrated_http_store.insert(EventRow, [row(EventRow)])


@pytest.mark.parametrize("action", ["cut_before", "cut_after"])
def test_a_cut_connection_is_unavailability(
    migrated_http_store: Store, server: ClickHouseServer, action: Any
) -> None:
    server.fault(Fault(action, times=None, inserts=True))
    with pytest.raises(StoreUnavailable, match="no answer"):
        migrated_http_store.insert(EventRow, [row(EventRow)])
    server.clear()
    stored = migrated_http_store.query("SELECT count() > 0 AS stored FROM events")[0]["stored"]
    assert bool(stored) is (action == "cut_after")


def test_refused_connections_are_unavailability_and_the_store_recovers(
    migrated_http_store: Store, server: ClickHouseServer
) -> None:
    server.refuse()
    with pytest.raises(StoreUnavailable, match="refused"):
        migrated_http_store.query("SELECT 1")
    assert not migrated_http_store.ping()
    with pytest.raises(StoreUnavailable):
        server.open("anything")
    server.clear()
    assert migrated_http_store.ping()
    assert migrated_http_store.query("SELECT 1 AS one") == [{"one": 1}]


def test_an_answer_that_takes_too_long_is_unavailability(server: ClickHouseServer) -> None:
    with open_store(server.url, database="default", timeout_seconds=5) as store:
        server.fault(Fault("delay", seconds=60, times=None))
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="no answer"):
            store.command("SELECT 1")
        assert time.monotonic() - started < 20


def test_a_wrong_password_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with ClickHouseServer(tmp_path, user="ingest", password="right") as server:
        with pytest.raises(StoreMisconfigured, match="user and password") as caught:
            server.open("sw", user="ingest", password="wrong")
        assert caught.value.code == 516
        with server.open("sw", user="ingest", password="right") as store:
            assert store.ping()


@pytest.mark.parametrize("url", ["", "localhost:8123", "tcp://host:9000", "http://"])
def test_an_unusable_url_is_said_to_be(url: str) -> None:
    with pytest.raises(StoreMisconfigured, match="http://host:8123"):
        open_store(url)


def test_a_database_name_is_an_identifier() -> None:
    with pytest.raises(StoreMisconfigured, match="letters, digits"):
        open_store(EMBEDDED, path=embedded_path(), database="a`; DROP DATABASE default")


def test_a_second_embedded_path_in_one_process_is_refused(
    embedded_store: Store, tmp_path: Path
) -> None:
    with pytest.raises(StoreMisconfigured, match="one path at a time"):
        open_store(EMBEDDED, path=tmp_path)
    with open_store(EMBEDDED, path=embedded_path(), database="default") as second:
        assert second.query("SELECT 1 AS one") == [{"one": 1}]


def test_an_embedded_path_that_another_process_holds_is_refused(embedded_store: Store) -> None:
    program = (
        "import sys; from pathlib import Path; from sinks.store import open_store\n"
        "open_store('embedded', path=Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(embedded_path())],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "another process may hold it" in done.stderr


def test_two_stores_share_the_embedded_engine(embedded_store: Store) -> None:
    migrate(embedded_store)
    embedded_store.insert(EventRow, [row(EventRow)])
    with open_store(EMBEDDED, path=embedded_path(), database=embedded_store.database) as reader:
        assert reader.query("SELECT event_id FROM events") == [{"event_id": "e-1"}]
    assert embedded_store.ping()


def test_the_embedded_engine_goes_by_the_settings_of_a_server(embedded_store: Store) -> None:
    embedded_store.create_database()
    told = embedded_store.query(
        "SELECT name, value FROM system.server_settings WHERE name IN {names:Array(String)}",
        {"names": list(ENGINE_SETTINGS)},
    )
    assert {row["name"]: int(row["value"]) for row in told} == ENGINE_SETTINGS
