"""The worker's own web server: `/metrics`, `/healthz` and `/readyz`. Reads the pipeline, changes
nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from schemas.sections import HttpSettings
from sinks.metrics import Metrics
from streams.app import Pipeline


@asynccontextmanager
async def serving(
    settings: HttpSettings, pipeline: Pipeline, metrics: Metrics
) -> AsyncIterator[str]:
    """Serve until the context ends; gives `host:port`.

    `/healthz` answers 200 while the process works (503 once the pipeline has failed), `/readyz`
    200 once partitions are assigned and recovered, `/metrics` in Prometheus' text format.
    """

    async def healthz(_: web.Request) -> web.Response:
        if pipeline.failed.done():
            return web.Response(status=503, text=f"failed: {pipeline.failed.exception()}\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why = pipeline.not_ready()
        return web.Response(status=503 if why else 200, text=f"{why or 'ready'}\n")

    async def exposition(_: web.Request) -> web.Response:
        body = await asyncio.to_thread(generate_latest, metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    server = web.Application()
    server.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", exposition),
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
