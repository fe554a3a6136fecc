"""The API over a real store, asked without a socket."""

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from sinks.store import EMBEDDED, Store, open_store
from streams.api.app import create_app
from streams.api.rate_limit import RateLimit
from streams.api.tokens import Tokens, digest_of
from streams.identity.normalise import Identifiers
from streams.timeline.happenings import instant
from streams.timeline.reader import TimelineReader
from tests.support.clickhouse import embedded_path, migrated, unused_database
from tests.support.fold import MONDAY_MS

_tenants = itertools.count()
NOW = instant(MONDAY_MS) + timedelta(days=1)

Client = Callable[..., TestClient]


@pytest.fixture(scope="session")
def api_store() -> Iterator[Store]:
    """Migrated, and empty at first."""
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrated(store)
        yield store


@pytest.fixture
def tenant() -> str:
    """One that no other test has."""
    return f"api-{next(_tenants)}"


@pytest.fixture
def client_of(api_store: Store) -> Client:
    """Clients of an API that knows these tokens, by tenant; each sends the first unless told."""

    def make(
        tokens: dict[str, str], *, store: Store = api_store, limit: RateLimit | None = None
    ) -> TestClient:
        known = Tokens({digest_of(token): of for token, of in tokens.items()})
        app = create_app(
            TimelineReader(store, Identifiers()),
            known,
            limit or RateLimit(1_000, 1_000, lambda: 0.0),
            lambda: NOW,
        )
        headers = {"Authorization": f"Bearer {next(iter(tokens))}"} if tokens else {}
        return TestClient(app, headers=headers, raise_server_exceptions=False)

    return make
