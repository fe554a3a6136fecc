"""A TCP proxy that can fail like a network: refuse, hang, cut. Threads and sockets of the loopback
interface.

In front of a broker it also rewrites the address that the broker tells its clients, so that they
stay on this side: in every answer the broker's `host:port` is replaced by the proxy's. Both are the
same length in Kafka's protocol (a string and four bytes), so nothing else has to be understood.
"""

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Final, Self

HOST: Final = "127.0.0.1"
PIECE: Final = 1 << 16


class Proxy:
    """Forwards `port` to `upstream` (`host:port`) from construction until `close`."""

    def __init__(self, upstream: str, *, rewrites: bool = False) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._moving = threading.Event()
        self._moving.set()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self._refusing = self._bound()
        self.port = self._refusing.getsockname()[1]
        self._listen()
        self._told = host.encode() + struct.pack(">i", int(port))
        self._instead = host.encode() + struct.pack(">i", self.port)
        self._rewrites = rewrites

    @property
    def address(self) -> str:
        """`host:port` of this side."""
        return f"{HOST}:{self.port}"

    def refuse(self) -> None:
        """Reset every connection and accept no new one, as when a process has gone."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):  # wakes the thread that accepts
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            self._refusing = self._bound()
        self.cut()

    def hang(self) -> None:
        """Move no more bytes, in either direction; connections stay, as in a network that is
        parted."""
        self._moving.clear()

    def cut(self) -> None:
        """Reset every connection; new ones are served."""
        with self._lock:
            held, self._sockets = self._sockets, set()
        for end in held:
            _reset(end)

    def heal(self) -> None:
        """Serve again; what hung goes on where it was."""
        self._moving.set()
        if self._listener is None:
            self._listen()

    def close(self) -> None:
        """End everything."""
        self.refuse()
        self._refusing.close()
        self._moving.set()

    def _bound(self) -> socket.socket:
        """Not listening yet: who connects is refused, and the port is nobody else's."""
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, self.port))
        return bound

    def _listen(self) -> None:
        self._listener = self._refusing
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._moving.wait()
        try:
            server = socket.create_connection(self._upstream, 10)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets |= {client, server}
        threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
        self._pump(server, client, self._rewrites)

    def _pump(self, source: socket.socket, target: socket.socket, rewrites: bool) -> None:
        try:
            while piece := _frame(source) if rewrites else source.recv(PIECE):
                self._moving.wait()
                if rewrites:
                    piece = piece.replace(self._told, self._instead)
                target.sendall(piece)
        except OSError:
            pass  # one side has gone; so does the other
        with self._lock:
            self._sockets -= {source, target}
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _frame(source: socket.socket) -> bytes:
    """One message of Kafka's protocol: four bytes of length, and so many bytes; b"" at the end."""
    head = _exactly(source, 4)
    if len(head) < 4:
        return b""
    length = struct.unpack(">i", head)[0]
    body = _exactly(source, length)
    return head + body if len(body) == length else b""


def _exactly(source: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        piece = source.recv(min(length - len(parts), 1 << 20))
        if not piece:
            break
        parts += piece
    return bytes(parts)


def _reset(end: socket.socket) -> None:
    """Close with RST, as a machine does that knows nothing of the connection."""
    with contextlib.suppress(OSError):  # the other thread was faster
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RD)
        end.close()
