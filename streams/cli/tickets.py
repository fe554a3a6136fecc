"""What `switchboard ingest ticket-csv` and `switchboard process ticket-csv` are told."""

from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from gateway.ingest import IngestReport
from gateway.publish import Publisher
from gateway.ticket_csv import STATUSES, CsvColumns
from gateway.ticket_ingest import ingest_tickets
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


class TicketTable(NamedTuple):
    """A table of tickets, and how it is to be read."""

    file: Path
    columns: CsvColumns
    channel: Channel
    source: str

    async def publish(
        self,
        publisher: Publisher,
        tenant: str,
        progress: Callable[[IngestReport], None] = lambda _: None,
    ) -> IngestReport:
        """Publish the events of its rows."""
        return await ingest_tickets(
            self.file,
            publisher,
            self.columns,
            tenant=tenant,
            source=self.source,
            channel=self.channel,
            progress=progress,
        )


def _table(
    file: TicketFile,
    status: StatusOption,
    ticket: TicketOption = "ticket",
    time: TimeOption = "time",
    step: StepOption = "status",
    agent: AgentOption = "",
    timezone: ZoneOption = "UTC",
    channel: TicketChannelOption = "email",
    source: TicketSourceOption = DEFAULT_SOURCE,
) -> TicketTable:
    columns = _columns_of(ticket, time, step, agent, timezone, status)
    return TicketTable(file, columns, channel, source)


def of_tickets(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter is a `TicketTable`: typer is told of the options of one."""
    of_table = signature(_table).parameters.values()
    _, *own = signature(command).parameters.values()
    names = [parameter.name for parameter in of_table]

    def run(**given: Any) -> None:
        command(_table(**{name: given.pop(name) for name in names}), **given)

    parameters = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in (*of_table, *own)]
    run.__signature__ = signature(run).replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__doc__ = command.__doc__
    return run


def _columns_of(
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
