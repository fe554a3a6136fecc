"""`switchboard ingest`: only the source. A file's events onto the broker."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.asterisk_queue_log import DEFAULT_SOURCE
from gateway.bookmark import Bookmark
from gateway.ingest import IngestReport, ingest
from gateway.mail import DEFAULT_SOURCE as MAIL_SOURCE
from gateway.mail_ingest import ingest_mail
from gateway.publish import Publisher
from schemas.settings import Settings
from streams.broker_admin import Security
from streams.cli.mail import MailPaths, MailSourceOption, OursOption
from streams.cli.options import (
    BrokerOption,
    ConfigOption,
    DataOption,
    TenantOption,
    VerboseOption,
    err,
    log_to_stderr,
    out,
    settings_with_broker,
)
from streams.cli.process import TOPICS
from streams.cli.tickets import TicketTable, of_tickets
from streams.topic_admin import topic_logs

app = typer.Typer(no_args_is_help=True, help="Publish a source's events to the broker.")


@app.command("asterisk-queue-log")
def asterisk_queue_log(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Asterisk's queue_log.", show_default=False)
    ],
    follow: Annotated[
        bool, typer.Option(help="Go on as the file grows, through rotations, until stopped.")
    ] = False,
    source: Annotated[
        str, typer.Option(help="Name of the exchange the file is from.")
    ] = DEFAULT_SOURCE,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Publish the events of an Asterisk queue_log, from where the last run ended.

    What the broker has acknowledged is remembered below `--data`; after a crash some events may be
    published again, under the same ids, and change nothing.
    """
    log_to_stderr(verbose, level=logging.INFO)
    settings = settings_with_broker(broker, config, data, tenant)
    _print(asyncio.run(_ingest(file, source, settings, follow=follow)), "lines")


@app.command("mail")
def mail(
    paths: MailPaths,
    ours: OursOption,
    source: MailSourceOption = MAIL_SOURCE,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Publish the mails of mbox files, maildirs, single mails and Postmark's inbound JSON.

    Each is read whole: events that were published before have the same ids, and change nothing.
    """
    log_to_stderr(verbose, level=logging.INFO)
    settings = settings_with_broker(broker, config, data, tenant)
    _print(asyncio.run(_ingest_mail(paths, ours, source, settings)), "mails")


@app.command("ticket-csv")
@of_tickets
def ticket_csv(
    table: TicketTable,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Publish a table of ticket events: a row a step, each with its ticket and its time.

    It is read whole: events that were published before have the same ids, and change nothing.
    """
    log_to_stderr(verbose, level=logging.INFO)
    settings = settings_with_broker(broker, config, data, tenant)

    async def publish() -> IngestReport:
        options = Security.of(settings.broker).producer_options()
        async with Publisher(settings.broker.url, options=options) as publisher:
            return await table.publish(publisher, settings.tenant)

    _print(asyncio.run(publish()), "lines")


def _print(report: IngestReport, what: str) -> None:
    out.print(f"{report.lines} {what}, {report.events} events published")
    if report.unreadable_count:
        err.print(f"{report.unreadable_count} {what} could not be read:")
        for path, line, reason in report.unreadable:
            err.print(f"{path}:{line}: {reason}", markup=False)


async def _ingest_mail(
    paths: list[Path], ours: list[str], source: str, settings: Settings
) -> IngestReport:
    options = Security.of(settings.broker).producer_options()
    async with Publisher(settings.broker.url, options=options) as publisher:
        return await ingest_mail(paths, publisher, ours, tenant=settings.tenant, source=source)


async def _ingest(file: Path, source: str, settings: Settings, *, follow: bool) -> IngestReport:
    security = Security.of(settings.broker)
    bookmark = Bookmark(
        settings.data_dir / "bookmarks",
        file,
        tenant=settings.tenant,
        source=source,
        logs=topic_logs(settings.broker.url, TOPICS, security=security),
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    columns = SpinnerColumn(), TextColumn("{task.completed} events"), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)
        async with Publisher(settings.broker.url, options=security.producer_options()) as publisher:
            return await ingest(
                file,
                publisher,
                tenant=settings.tenant,
                source=source,
                bookmark=bookmark,
                follow=follow,
                stop=stop,
                progress=lambda report: progress.update(task, completed=report.events),
            )
