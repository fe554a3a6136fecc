"""`switchboard process`: one shot. A file in, results in the store, and nothing left running."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final

import typer
from faust.types import TP
from rich.progress import Progress

from gateway.bookmark import Bookmark
from gateway.ingest import IngestReport, ingest
from gateway.mail import DEFAULT_SOURCE as MAIL_SOURCE
from gateway.mail_ingest import ingest_mail
from gateway.publish import Publisher
from gateway.tail import Position
from schemas.settings import Settings
from schemas.topics import EVENTS_AGENT, EVENTS_CALL, SOURCE_TOPICS
from sinks.metrics import Metrics
from sinks.store import Store
from sinks.unfinished import UnfinishedRun
from streams.app import Pipeline
from streams.broker_admin import Security
from streams.cli.mail import MailPaths, MailSourceOption, OursOption
from streams.cli.options import (
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    TenantOption,
    VerboseOption,
    err,
    log_to_stderr,
    out,
    settings_of,
)
from streams.cli.summary import print_summary
from streams.cli.tickets import TicketTable, of_tickets
from streams.parts import create_all_topics, migrate_all, opened_broker, opened_store
from streams.topic_admin import topic_logs

app = typer.Typer(
    no_args_is_help=True,
    help="Read a file, process all of it, print a summary. Nothing keeps running.",
)

TOPICS: Final = (EVENTS_CALL, EVENTS_AGENT)
SETTLED: Final = {"settled": "in the store"}
"""What a bookmark of this command is bound to: not to a broker's log, but to stored results."""


class _SettledBookmark(Bookmark):
    """Moves when results are stored, not when events are published: the embedded broker forgets."""

    reached: Position | None = None

    def save(self, position: Position) -> None:
        """Remember how far publishing is."""
        self.reached = position

    def settle(self) -> None:
        """Everything published is stored: write it down."""
        if self.reached is not None:
            super().save(self.reached)


@app.command("asterisk-queue-log")
def asterisk_queue_log(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Asterisk's queue_log.", show_default=False)
    ],
    source: Annotated[
        str | None,
        typer.Option(
            help="Name of the exchange the file is from [default: asterisk/FILENAME]. Files of one"
            " exchange are read under one name, oldest first."
        ),
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Process an Asterisk queue_log from where the last run ended, and print a line per queue.

    Running it again changes nothing; after the file has grown it reads what is new.
    """
    log_to_stderr(verbose)
    settings = settings_of(config, data, tenant)
    name = source or f"asterisk/{file.name}"
    bookmark = _SettledBookmark(
        settings.data_dir / "bookmarks", file, tenant=settings.tenant, source=name, logs=SETTLED
    )

    async def publish(publisher: Publisher, shown: Callable[[int], None]) -> IngestReport:
        return await ingest(
            file,
            publisher,
            tenant=settings.tenant,
            source=name,
            bookmark=bookmark,
            progress=lambda so_far: shown(so_far.events),
        )

    _run(settings, publish, bookmark.settle, output)


@app.command("mail")
def mail(
    paths: MailPaths,
    ours: OursOption,
    source: MailSourceOption = MAIL_SOURCE,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Process mailboxes: mbox files, maildirs, single mails, Postmark's inbound JSON.

    `switchboard process mail support.mbox --ours support@example.org --ours example.com`

    Each is read whole; running it again, with mails added, counts none twice.
    """
    log_to_stderr(verbose)
    settings = settings_of(config, data, tenant)

    async def publish(publisher: Publisher, shown: Callable[[int], None]) -> IngestReport:
        return await ingest_mail(
            paths,
            publisher,
            ours,
            tenant=settings.tenant,
            source=source,
            progress=lambda so_far: shown(so_far.events),
        )

    _run(settings, publish, lambda: None, output, of_mails=True)


@app.command("ticket-csv")
@of_tickets
def ticket_csv(
    table: TicketTable,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Process a table of ticket events: a row a step, each with its ticket and its time.

    `switchboard process ticket-csv log.csv --ticket Case --time At --step Activity --status 1=open`

    It is read whole; running it again, with rows added, counts none twice.
    """
    log_to_stderr(verbose)
    settings = settings_of(config, data, tenant)

    async def publish(publisher: Publisher, shown: Callable[[int], None]) -> IngestReport:
        return await table.publish(publisher, settings.tenant, lambda so_far: shown(so_far.events))

    _run(settings, publish, lambda: None, output)


_Publish = Callable[[Publisher, Callable[[int], None]], Awaitable[IngestReport]]
"""Publishes a source, and says how many events there were so far."""


def _run(
    settings: Settings,
    publish: _Publish,
    settle: Callable[[], None],
    output: Format,
    *,
    of_mails: bool = False,
) -> None:
    """Everything from the source to the summary; `settle` once all results are stored."""
    with opened_store(settings) as store, Progress(console=err, transient=True) as progress:
        steps = _Steps(progress)
        steps.begin("Preparing the store")
        migrate_all(store, settings)
        report = asyncio.run(_process(publish, settle, settings, store, steps))
        steps.end()
        for path, line, reason in report.unreadable:
            err.print(f"{path}:{line}: not read: {reason}", markup=False)
        print_summary(out, store, settings, report, output, of_mails=of_mails)


class _Steps:
    """What is being done, for whoever waits."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def begin(self, what: str, total: int | None = None) -> Callable[[int], None]:
        """Show `what`; the function returned shows how far it is."""
        self._progress.reset(self._task, description=what, total=total)
        return lambda done: self._progress.update(self._task, completed=done)

    def end(self) -> None:
        """Show nothing any more."""
        self._progress.update(self._task, visible=False)


async def _process(
    publish: _Publish,
    settle: Callable[[], None],
    settings: Settings,
    store: Store,
    steps: _Steps,
) -> IngestReport:
    """Publish the source's events to a broker and run the worker until all are stored."""
    steps.begin("Starting the broker")
    with opened_broker(settings) as bootstrap:
        security = Security.of(settings.broker)
        unfinished = UnfinishedRun(settings.data_dir)
        if settings.broker.embedded:
            create_all_topics(settings, bootstrap, security)
            if unfinished.take_back(store):
                err.print("An earlier run was cut off: its results are taken back and made anew.")
            unfinished.begin(topic_logs(bootstrap, SOURCE_TOPICS, security=security))
        shown = steps.begin("Publishing events")
        async with Publisher(bootstrap, options=security.producer_options()) as publisher:
            report = await publish(publisher, shown)
        if report.events:
            # A file is complete: whatever its disorder, no event of it is late.
            patient = _with_lateness(settings, report.greatest_disorder_seconds)
            ends = {TP(*at): end for at, end in publisher.ends.items()}
            shown = steps.begin("Processing events", report.events)
            await Pipeline(patient, bootstrap, store, Metrics()).run_until(ends, shown)
        settle()
        unfinished.end()
    return report


def _with_lateness(settings: Settings, seconds: float) -> Settings:
    processing = settings.processing
    lateness = max(processing.lateness_seconds, seconds)
    patient = processing.model_copy(update={"lateness_seconds": lateness})
    return settings.model_copy(update={"processing": patient})
