"""The command `switchboard`: its commands put together, and how its errors reach a person."""

import sys
from typing import Final

import typer
from rich.console import Console

from gateway.publish import PublishError
from schemas.settings import SettingsError
from sinks.errors import StoreError
from sinks.kpis.query import KpiQueryError
from sinks.migrate import MigrationError
from streams.broker_admin import TopicAdminError
from streams.cli import ingest, process, run
from streams.embedded import EmbeddedBrokerError

FORESEEN: Final = (
    SettingsError,
    StoreError,
    MigrationError,
    TopicAdminError,
    EmbeddedBrokerError,
    PublishError,
    KpiQueryError,
    FileNotFoundError,
)
"""Errors whose message tells a person what to do. Anything else is a bug: it shows its traceback."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="One timeline per customer, exact KPIs and alerts for a contact centre.\n\n"
    "Try it: `switchboard process asterisk-queue-log FILE`, then `switchboard kpis`.",
)
app.add_typer(process.app, name="process")
app.add_typer(ingest.app, name="ingest")
app.command("run")(run.run)


def main() -> None:
    """Run the command line; exit 1 with a message where a person can do something about it."""
    try:
        app()
    except FORESEEN as error:
        Console(stderr=True, highlight=False).print(f"[bold red]Error:[/] {error}", markup=True)
        sys.exit(1)
