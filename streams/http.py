"""The worker's own web server: `/metrics`, `/healthz`, `/readyz` and whatever pages it is given.

Asks, and changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from schemas.sections import HttpSettings
from sinks.metrics import PREFIX, Metrics

OF_QUEUES: Final = f"{PREFIX}_queue"
"""How the names of all series begin that queues are shown by."""


class State(Protocol):
    """How the worker is."""

    def not_ready(self) -> str:
        """Why it is not ready; "" if it is."""
        ...

    def failure(self) -> str:
        """Why it works no more; "" if it does."""
        ...

    def show_queues(self) -> None:
        """Lay out what a scrape that begins now shows of queues."""
        ...


@asynccontextmanager
async def serving(
    settings: HttpSettings,
    state: State,
    metrics: Metrics,
    pages: Sequence[web.RouteDef] = (),
) -> AsyncIterator[str]:
    """Serve until the context ends; gives `host:port`.

    `/healthz` answers 200 while the process works, and 503 once it has failed for good: then it
    should be started anew. `/readyz` answers 200 while the worker holds what it was assigned, has
    recovered it, stores what it reads and does not stand still; else 503 and why. `/metrics` is
    Prometheus' text format; with `?name[]=` once or more, only those metrics, by the names of their
    series.
    """

    async def healthz(_: web.Request) -> web.Response:
        why = state.failure()
        return web.Response(status=503 if why else 200, text=f"{why or 'ok'}\n")

    async def readyz(_: web.Request) -> web.Response:
        why = state.not_ready()
        return web.Response(status=503 if why else 200, text=f"{why or 'ready'}\n")

    async def exposition(request: web.Request) -> web.Response:
        names = request.query.getall("name[]", [])
        asked: Any = metrics.registry.restricted_registry(names) if names else metrics.registry
        # What is laid out costs most of a scrape where there are many queues.
        if not names or any(name.startswith(OF_QUEUES) for name in names):
            state.show_queues()
        body = await asyncio.to_thread(generate_latest, asked)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    server = web.Application()
    server.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", exposition),
            *pages,
        ]
    )
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()
