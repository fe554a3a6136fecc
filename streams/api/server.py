"""Serving the API, in a thread beside whatever else a process does. I/O: a socket."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import uvicorn
from fastapi import FastAPI

from schemas.settings import Settings
from sinks.store import Store
from streams.api.app import create_app
from streams.api.rate_limit import RateLimit
from streams.api.tokens import Tokens
from streams.parts import identifiers_of
from streams.timeline.reader import TimelineReader

START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0


class ApiNotServed(Exception):
    """The API cannot be served; the message says why and what to do."""


def app_of(settings: Settings, store: Store) -> FastAPI:
    """The application as it is configured."""
    api = settings.api
    reader = TimelineReader(
        store,
        identifiers_of(settings),
        max_skew_seconds=settings.processing.max_skew_seconds,
    )
    limit = RateLimit(api.requests_per_second, api.burst, time.monotonic)
    return create_app(reader, Tokens(api.tokens), limit, lambda: datetime.now(UTC))


class _Server(uvicorn.Server):
    """Says when it has started: its own flag could only be polled."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()


@contextmanager
def serving_api(settings: Settings, store: Store) -> Iterator[str]:
    """Serve in a thread, with an event loop of its own, until the context ends; gives `host:port`.

    Raises `ApiNotServed`.
    """
    with _listening(settings) as listener:
        server = _server(app_of(settings, store))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="api", daemon=True
        )
        thread.start()
        try:
            if not server.has_started.wait(START_SECONDS):
                raise ApiNotServed(f"the API did not start within {START_SECONDS:g} s")
            yield _address(listener)
        finally:
            server.should_exit = True
            thread.join(STOP_SECONDS + 1)


def _server(app: FastAPI) -> _Server:
    config = uvicorn.Config(
        app,
        # Paths hold identifiers of people: they are in no log.
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=round(STOP_SECONDS),
    )
    return _Server(config)


def _listening(settings: Settings) -> socket.socket:
    host, port = settings.api.host, settings.api.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, reuse_port=False)
    except OSError as error:
        raise ApiNotServed(
            f"the API cannot listen on {host}:{port} ({error.strerror}): set api.host and api.port"
            " to an address of this machine that is free"
        ) from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
