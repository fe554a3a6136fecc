"""The API behind a real socket."""

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from schemas.api import ApiSettings
from schemas.settings import Settings
from sinks.store import Store
from streams.api.server import ApiNotServed, serving_api
from streams.api.tokens import digest_of
from tests.support.fold import happening
from tests.support.timeline import tell

WHO = {"kind": "phone", "value": "+4930901820"}


def settings(tenant: str, port: int = 0) -> Settings:
    return Settings(api=ApiSettings(port=port, tokens={digest_of("secret"): tenant}))


def ask(address: str, token: str) -> int:
    url = f"http://{address}/customers/%2B4930901820"
    request = Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_it_answers_many_at_once_until_its_context_ends(api_store: Store, tenant: str) -> None:
    tell(api_store, tenant, [happening(0, "interaction.started", customer={"identifiers": [WHO]})])
    with serving_api(settings(tenant), api_store) as address:
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: ask(address, "secret"), range(24)))
        assert statuses == [200] * 24
        assert ask(address, "wrong") == 401
    host, port = address.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


def test_an_address_that_is_taken_is_told(api_store: Store, tenant: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ApiNotServed, match=rf"127.0.0.1:{port} .* api.port"),
            serving_api(settings(tenant, port), api_store),
        ):
            pass
