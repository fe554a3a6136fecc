"""`switchboard run`: the worker, until it is told to stop."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import ExitStack
from typing import Annotated, Any, Final, NoReturn

import typer

from dashboards.wallboard import routes
from schemas.settings import Settings
from sinks.errors import StoreError, StoreUnavailable
from sinks.live import queues_now
from sinks.metrics import Metrics
from sinks.store import Store
from sinks.unfinished import UnfinishedRun
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
from streams.lanes import RETRY_SECONDS
from streams.parts import create_all_topics, migrate_all, opened_broker, opened_store

logger = logging.getLogger(__name__)

SECOND_SIGNAL: Final = 130
STOPPED: Final = 0
FAILED: Final = 1


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
    with opened_broker(settings) as bootstrap, ExitStack() as parts:
        if settings.broker.embedded:
            create_all_topics(settings, bootstrap, Security.of(settings.broker))
            err.print(f"broker at {bootstrap}")
        asyncio.run(_run(settings, bootstrap, parts, migrate))


class _State:
    """What the web server tells: of the pipeline, once there is one."""

    def __init__(self) -> None:
        self.pipeline: Pipeline | None = None
        self.waiting = "starting"
        self.reader: Store | None = None

    def not_ready(self) -> str:
        """Why this worker is not ready; "" if it is."""
        return self.waiting if self.pipeline is None else self.pipeline.not_ready()

    def failure(self) -> str:
        """Why this worker works no more; "" if it does."""
        return "" if self.pipeline is None else self.pipeline.failure()

    def show_queues(self) -> None:
        """Lay out what a scrape that begins now shows of queues."""
        if self.pipeline is not None:
            self.pipeline.show_queues()

    async def queues(self, tenant: str) -> list[dict[str, Any]] | None:
        """The tenant's queues now, for the wallboard; None while the store does not tell."""
        if self.reader is None:
            return None
        try:
            return await asyncio.to_thread(queues_now, self.reader, tenant)
        except StoreError as error:
            logger.warning("the wallboard shows nothing new: %s", error)
            return None


async def _run(settings: Settings, bootstrap: str, parts: ExitStack, migrate: bool | None) -> None:
    tune_collector()
    metrics = Metrics()
    state = _State()
    asked = _told_to_stop()
    pages = routes(state.queues, settings.tenant)
    async with serving(settings.http, state, metrics, pages) as address:
        err.print(f"health and metrics at http://{address}")
        err.print(f"live queues at http://{address}/wallboard")
        store = await _opened(settings, parts, state, asked)
        if store is None:
            return
        if migrate or (migrate is None and store.embedded):
            migrate_all(store, settings)
        if settings.broker.embedded and UnfinishedRun(settings.data_dir).take_back(store):
            logger.warning("a run of `switchboard process` was cut off: its results are taken back")
        shows = parts.enter_context(opened_store(settings))
        pipeline = state.pipeline = Pipeline(settings, bootstrap, store, metrics, shows)
        pipeline.failed.add_done_callback(lambda _: asked.set())
        with ExitStack() as beside:
            if settings.api.tokens and store.embedded:
                _serve_api(settings, beside)
            # Its own store, here too.
            state.reader = beside.enter_context(opened_store(settings))
            pipeline.start()
            try:
                await asked.wait()
            finally:
                state.reader = None
                at_rest = await pipeline.stop()
    failed = pipeline.failed.done()
    if not at_rest:
        logger.error("%s", pipeline.failure() or "leaving what does not answer; nothing is lost")
        _end_at_once(FAILED if failed else STOPPED)
    if failed:
        pipeline.failed.result()


def _serve_api(settings: Settings, beside: ExitStack) -> None:
    """Answer about customers here: no other process can open the embedded engine's files."""
    from streams.api.server import serving_api

    # Its own store: questions do not wait for what the worker writes.
    store = beside.enter_context(opened_store(settings))
    err.print(f"API at http://{beside.enter_context(serving_api(settings, store))}")


async def _opened(
    settings: Settings, parts: ExitStack, state: _State, asked: asyncio.Event
) -> Store | None:
    """The store, as soon as it answers; None if this worker was told to stop before."""
    while not asked.is_set():
        try:
            return await asyncio.to_thread(parts.enter_context, opened_store(settings))
        except StoreUnavailable as error:
            if state.waiting != (words := f"waiting for ClickHouse: {error}"):
                logger.warning("%s", words)
                state.waiting = words
            await asyncio.wait([asyncio.ensure_future(asked.wait())], timeout=RETRY_SECONDS)
    return None


def _told_to_stop() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second one ends the process."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def handle(number: int, _frame: Any) -> None:
        # Not the loop's own handlers: a second signal must not wait for a loop that is busy.
        if received:
            _end_at_once(SECOND_SIGNAL)
        received.append(number)
        loop.call_soon_threadsafe(asked.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return asked


def _end_at_once(status: int) -> NoReturn:
    """Wait for nothing. Checkpoints make this safe at any moment: the rest is read again."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
