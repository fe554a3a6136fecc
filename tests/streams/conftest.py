"""Fixtures of the streams' tests."""

from collections.abc import Iterator

import pytest

from sinks.store import EMBEDDED, open_store
from tests.support.clickhouse import embedded_path, migrated, unused_database
from tests.support.worker_bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrated(store)
        yield Bench(store)
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)
