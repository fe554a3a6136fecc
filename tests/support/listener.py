"""A port that refuses connections on order, and accepts them again under the same number."""

import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """Knows its open connections; says nothing of clients that have gone: tests kill them."""

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; known here already, so that none is overlooked whose thread has not begun."""
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close at the handler's end."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of faults of the handler's own."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Listener:
    """Where a server listens, or refuses."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int) -> None:
        self._handler = handler
        self._server: Server | None = None
        self._closed: socket.socket | None = None
        self.port = port
        self.accept()

    def accept(self) -> None:
        """Accept connections, if they were refused."""
        if self._server is None:
            if self._closed is not None:
                self._closed.close()
                self._closed = None
            self._server = Server(self.port, self._handler)
            self.port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections and cut the open ones, which `Server.connections` knows no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            # Bound and not listening: who connects is refused, and the port is nobody else's.
            self._closed = socket.socket()
            self._closed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._closed.bind(("127.0.0.1", self.port))
            cut = list(self._server.connections)
            self._server.connections.clear()
            for connection in cut:
                reset(connection)
            self._server = None


def reset(connection: socket.socket) -> None:
    """Close with RST, as a killed machine or a firewall does.

    The descriptor is closed when the handler's thread ends, which reading the end of the stream
    wakes. A request that came before it woke is read all the same: the handler has to ask whether
    its connection is still in `Server.connections`.
    """
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()
    except OSError:
        return  # the client was faster
