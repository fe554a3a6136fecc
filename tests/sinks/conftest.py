"""ClickHouse for the tests of what reads and writes it: each runs on both engines."""

from collections.abc import Iterator

import pytest

from sinks.store import EMBEDDED, Store, open_store
from tests.support.clickhouse import ClickHouseServer, embedded_path, migrated, unused_database


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """The engine behind HTTP, for the whole run."""
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture
def server(clickhouse_server: ClickHouseServer) -> Iterator[ClickHouseServer]:
    """The same, with no faults set, before and after."""
    clickhouse_server.clear()
    yield clickhouse_server
    clickhouse_server.clear()


@pytest.fixture
def embedded_store() -> Iterator[Store]:
    """A store on the embedded engine; its database does not exist yet."""
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        yield store
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)


@pytest.fixture
def http_store(server: ClickHouseServer) -> Iterator[Store]:
    """A store over HTTP; its database does not exist yet."""
    with server.open(unused_database()) as store:
        yield store
        server.clear()
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)


@pytest.fixture(params=["embedded", "http"])
def empty_store(request: pytest.FixtureRequest) -> Store:
    """Each engine in turn, without the database."""
    store: Store = request.getfixturevalue(f"{request.param}_store")
    return store


@pytest.fixture
def store(empty_store: Store) -> Store:
    """Each engine in turn, migrated."""
    migrated(empty_store)
    return empty_store


@pytest.fixture
def migrated_http_store(http_store: Store) -> Store:
    """The store over HTTP, migrated; for tests of faults on the way."""
    migrated(http_store)
    return http_store
