"""What `switchboard ingest ticket-csv` and `switchboard process ticket-csv` are told."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from gateway.ticket_csv import STATUSES, CsvColumns
from schemas.events import Channel

DEFAULT_SOURCE = "helpdesk"

TicketFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A CSV file with a head, a row for each step of a ticket, in any order.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
StatusOption = Annotated[
    list[str],
    typer.Option(
        "--status",
        metavar="STEP=STATUS",
        help=f"What a step makes of the ticket: {', '.join(STATUSES)}. Once for every step.",
        show_default=False,
    ),
]
TicketOption = Annotated[str, typer.Option(metavar="COLUMN", help="The column of the ticket.")]
TimeOption = Annotated[str, typer.Option(metavar="COLUMN", help="The column of the time.")]
StepOption = Annotated[str, typer.Option(metavar="COLUMN", help="The column of the step.")]
AgentOption = Annotated[
    str, typer.Option(metavar="COLUMN", help="The column of the agent, if there is one.")
]
ZoneOption = Annotated[str, typer.Option("--timezone", help="Timezone of times without an offset.")]
TicketChannelOption = Annotated[Channel, typer.Option(help="The channel that tickets count for.")]
TicketSourceOption = Annotated[
    str, typer.Option(help="Name of the help desk. Its tables are read under one name.")
]


def columns_of(
    ticket: str, time: str, step: str, agent: str, zone: str, statuses: list[str]
) -> CsvColumns:
    """How the table is to be read. Raises `typer.BadParameter`."""
    told = {}
    for pair in statuses:
        name, equals, word = pair.rpartition("=")
        status = next((known for known in STATUSES if known == word), None)
        if not equals or status is None:
            raise typer.BadParameter(
                f"{pair!r}: write STEP=STATUS, with one of {', '.join(STATUSES)}",
                param_hint="--status",
            )
        told[name] = status
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        words = f"timezone {zone!r} is not known: use a name like Europe/Rome"
        raise typer.BadParameter(words, param_hint="--timezone") from error
    return CsvColumns(ticket, time, step, told, agent, zone)
