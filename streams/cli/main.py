"""The command `switchboard`: finds its commands, and brings their errors to a person.

Each command's module is imported when it is used: a question to the store should not wait for
Kafka's clients and Faust.
"""

import importlib
import sys
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup
from typer.main import get_command, get_group

COMMANDS: Final = (
    "process",
    "kpis",
    "queues",
    "timeline",
    "customer",
    "interaction",
    "run",
    "api",
    "ingest",
    "simulate",
    "topics",
    "dead-letters",
    "alerts",
    "forget",
    "recompute",
    "migrate",
    "doctor",
    "config",
    "schema",
)
"""Modules of this package, in the order of the help. One has either an `app`, or a function of its
own name that is the command."""

_MARKUP: Final = "markdown"


class _Commands(TyperGroup):
    """The commands of `COMMANDS`, each imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 -- click's signature
        """Every command, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command of that name; None where there is none, which click reports."""
        return _command(cmd_name) if cmd_name in COMMANDS else None


def _command(name: str) -> Any:
    module = importlib.import_module(f"streams.cli.{name.replace('-', '_')}")
    found = getattr(module, "app", None)
    if found is not None:
        found.rich_markup_mode = _MARKUP
        group = get_group(found)
        group.name = name
        return group
    single = typer.Typer(add_completion=False, rich_markup_mode=_MARKUP)
    single.command(name)(getattr(module, name))
    return get_command(single)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=_MARKUP,
    help="One timeline per customer, exact KPIs and alerts for a contact centre.\n\n"
    "Try it: `switchboard process asterisk-queue-log FILE`, then `switchboard kpis`.",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"switchboard {version('switchboard')}")
        raise typer.Exit


@app.callback()
def switchboard(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Carry the options that stand before a command."""


def main() -> None:
    """Run the command line; exit 1 with a message where a person can do something about it."""
    try:
        app()
    except Exception as error:
        from streams.cli.errors import FORESEEN  # it knows every part: not before it is needed

        if not isinstance(error, FORESEEN):
            raise
        # Messages name keys and partitions in brackets, which must not be taken for markup.
        Console(stderr=True, highlight=False).print(f"[bold red]Error:[/] {escape(str(error))}")
        sys.exit(1)
