"""The command `switchboard`: its commands put together, and how its errors reach a person."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from streams.cli import config, doctor, ingest, kpis, process, run, schema, topics
from streams.cli.errors import FORESEEN
from streams.cli.interaction import interaction
from streams.cli.migrate import migrate
from streams.cli.options import out

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="One timeline per customer, exact KPIs and alerts for a contact centre.\n\n"
    "Try it: `switchboard process asterisk-queue-log FILE`, then `switchboard kpis`.",
)
app.add_typer(process.app, name="process")
app.add_typer(kpis.app, name="kpis")
app.command("interaction")(interaction)
app.command("run")(run.run)
app.add_typer(ingest.app, name="ingest")
app.add_typer(topics.app, name="topics")
app.command("migrate")(migrate)
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")
app.add_typer(schema.app, name="schema")


def _print_version(asked: bool) -> None:
    if asked:
        out.print(f"switchboard {version('switchboard')}")
        raise typer.Exit


@app.callback()
def switchboard(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """See the help above: a callback only carries the options before a command."""


def main() -> None:
    """Run the command line; exit 1 with a message where a person can do something about it."""
    try:
        app()
    except FORESEEN as error:
        # Messages name keys and partitions in brackets, which must not be taken for markup.
        Console(stderr=True, highlight=False).print(f"[bold red]Error:[/] {escape(str(error))}")
        sys.exit(1)
