"""The proxy fails as a network does, and heals."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy

DEADLINE_SECONDS = 10.0


class Echo:
    """A server that sends back what it gets, or what it was told to say, as frames of Kafka."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    @staticmethod
    def _serve(client: socket.socket) -> None:
        try:
            while piece := client.recv(1 << 16):
                client.sendall(piece)
        except ConnectionError:
            return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), DEADLINE_SECONDS)


def has_ended(client: socket.socket) -> bool:
    """Whether the other side has closed or reset the connection."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def test_bytes_pass(echo: Echo) -> None:
    with Proxy(echo.address) as proxy, connect(proxy) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"


def test_a_refusing_proxy_resets_and_refuses_until_it_heals(echo: Echo) -> None:
    with Proxy(echo.address) as proxy:
        client = connect(proxy)
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        proxy.refuse()
        assert has_ended(client)
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        proxy.heal()
        with connect(proxy) as again:
            again.sendall(b"y")
            assert again.recv(1) == b"y"


def test_what_hung_arrives_after_all(echo: Echo) -> None:
    with Proxy(echo.address) as proxy, connect(proxy) as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
        proxy.hang()
        client.sendall(b"2")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(DEADLINE_SECONDS)
        proxy.heal()
        assert client.recv(1) == b"2"


def test_a_cut_connection_ends_and_a_new_one_is_served(echo: Echo) -> None:
    with Proxy(echo.address) as proxy:
        client = connect(proxy)
        client.sendall(b"1")
        assert client.recv(1) == b"1"
        proxy.cut()
        assert has_ended(client)
        with connect(proxy) as again:
            again.sendall(b"2")
            assert again.recv(1) == b"2"


def test_the_brokers_address_is_told_as_the_proxys(echo: Echo) -> None:
    _, _, port = echo.address.rpartition(":")
    told = b"\x00\x00\x00\x01" + b"127.0.0.1" + struct.pack(">i", int(port)) + b"rest"
    with Proxy(echo.address, rewrites=True) as proxy, connect(proxy) as client:
        client.sendall(struct.pack(">i", len(told)) + told)
        answer = client.recv(1 << 10)
        assert answer[4:] == told.replace(
            struct.pack(">i", int(port)), struct.pack(">i", proxy.port)
        )
