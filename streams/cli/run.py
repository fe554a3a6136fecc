"""`switchboard run`: the worker, until it is told to stop."""

import asyncio
import logging
import signal
import sys
from typing import Annotated

import typer

from schemas.settings import Settings
from sinks.metrics import Metrics
from sinks.store import Store
from streams.app import Pipeline
from streams.broker_admin import Security
from streams.cli.options import (
    ConfigOption,
    DataOption,
    VerboseOption,
    err,
    log_to_stderr,
    settings_of,
)
from streams.garbage import tune_collector
from streams.http import serving
from streams.parts import create_all_topics, migrate_all, opened_broker, opened_store

SECOND_SIGNAL = 130


def run(
    config: ConfigOption = None,
    data: DataOption = None,
    migrate: Annotated[
        bool | None,
        typer.Option(
            help="Bring the store's tables up to date first [default: only the embedded engine's]."
        ),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Run the worker until SIGTERM or Ctrl-C: read events, keep the store current.

    With the embedded broker and engine everything runs in this one command; the broker's address
    is printed for `switchboard ingest --broker`. A first signal stores what is under way and
    writes checkpoints; a second one ends at once, which loses nothing either.
    """
    log_to_stderr(verbose, level=logging.INFO)
    settings = settings_of(config, data)
    with opened_store(settings) as store, opened_broker(settings) as bootstrap:
        if migrate or (migrate is None and store.embedded):
            migrate_all(store, settings)
        if settings.broker.embedded:
            create_all_topics(settings, bootstrap, Security.of(settings.broker))
            err.print(f"broker at {bootstrap}")
        asyncio.run(_run(settings, bootstrap, store))


async def _run(settings: Settings, bootstrap: str, store: Store) -> None:
    tune_collector()
    metrics = Metrics()
    pipeline = Pipeline(settings, bootstrap, store, metrics)
    asked = asyncio.Event()

    def stop() -> None:
        if asked.is_set():
            # Checkpoints make this safe at any moment; only what is not stored is read again.
            sys.exit(SECOND_SIGNAL)
        asked.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with serving(settings.http, pipeline, metrics) as address:
        err.print(f"health and metrics at http://{address}")
        await pipeline.start()
        try:
            pipeline.failed.add_done_callback(lambda _: asked.set())
            await asked.wait()
        finally:
            await pipeline.stop()
        if pipeline.failed.done():
            pipeline.failed.result()
