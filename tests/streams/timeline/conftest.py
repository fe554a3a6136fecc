"""A store that all of these tests share: each has tenants of its own."""

import itertools
from collections.abc import Iterator

import pytest

from sinks.store import EMBEDDED, Store, open_store
from streams.identity.normalise import Identifiers
from streams.timeline.reader import TimelineReader
from tests.support.clickhouse import embedded_path, migrated, unused_database

_tenants = itertools.count()


@pytest.fixture(scope="session")
def timeline_store() -> Iterator[Store]:
    """Migrated, and empty at first."""
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrated(store)
        yield store


@pytest.fixture
def reader(timeline_store: Store) -> TimelineReader:
    """Reads it, writing identifiers as they are."""
    return TimelineReader(timeline_store, Identifiers())


@pytest.fixture
def tenant() -> str:
    """One that no other test has."""
    return f"timeline-{next(_tenants)}"
