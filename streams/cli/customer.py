"""`switchboard customer`: why identifiers are one customer; saying that they are, or are not."""

import asyncio
import json
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from gateway.publish import Publisher
from gateway.record import Record
from schemas.cloudevents import encode
from schemas.events import CustomerLinked, Identifier
from schemas.settings import Settings
from schemas.topics import EVENTS_CUSTOMER
from sinks.identity import LinkedPair, pairs_of, quarantined_pairs
from sinks.timeline import customer_of
from streams.cli.options import (
    BrokerOption,
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    NothingFound,
    TenantOption,
    out,
    settings_of,
    settings_with_broker,
)
from streams.cli.reading import store_to_read
from streams.cli.values import iso
from streams.fold.customers import customer_key
from streams.identity.edges import LINKED, UNLINKED
from streams.identity.normalise import guessed

app = typer.Typer(
    no_args_is_help=True,
    help="Which identifiers are one customer: why, and saying that they are, or are not.",
)

SOURCE: Final = "switchboard/customer"
_A_HELP: Final = "A phone number, an e-mail address, a customer number, or KIND:VALUE."
OneArgument = Annotated[str, typer.Argument(metavar="IDENTIFIER", help=_A_HELP)]
OtherArgument = Annotated[str, typer.Argument(metavar="OTHER", help="Another one.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept with the evidence.")]


@app.command()
def why(
    identifier: OneArgument,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show what connects a customer's identifiers, and what was kept apart."""
    from streams.parts import identifiers_of

    settings = settings_of(config, data, tenant)
    text = identifiers_of(settings).one(settings.tenant, identifier)
    with store_to_read(settings) as store:
        known = customer_of(store, settings.tenant, customer_key(settings.tenant, text))
        pairs = pairs_of(store, settings.tenant, known.keys)
    if not pairs:
        raise NothingFound(
            f"{text or identifier} was never seen together with another identifier"
            f" (tenant {settings.tenant})"
        )
    _show(pairs, output)


@app.command()
def quarantine(
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List evidence that is kept apart: it would make one customer of too many."""
    settings = settings_of(config, data, tenant)
    with store_to_read(settings) as store:
        pairs = quarantined_pairs(store, settings.tenant, limit)
    _show(pairs, output)


@app.command()
def link(
    identifier: OneArgument,
    other: OtherArgument,
    reason: ReasonOption = "",
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
) -> None:
    """Say that two identifiers are one customer's."""
    settings = settings_with_broker(broker, config, data, tenant)
    _say(LINKED, identifier, other, reason, settings)


@app.command()
def unlink(
    identifier: OneArgument,
    other: OtherArgument,
    reason: ReasonOption = "",
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
) -> None:
    """Say that two identifiers are not one customer's, whatever was or will be seen.

    It takes back what connects the two directly: `switchboard customer why` shows it. Only `link`
    brings it back.
    """
    settings = settings_with_broker(broker, config, data, tenant)
    _say(UNLINKED, identifier, other, reason, settings)


def _say(event_type: str, one: str, other: str, reason: str, settings: Settings) -> None:
    from streams.broker_admin import Security
    from streams.parts import identifiers_of

    how = identifiers_of(settings)
    if len({how.one(settings.tenant, one), how.one(settings.tenant, other)} - {""}) < 2:
        raise typer.BadParameter("two different identifiers are needed, each of somebody")
    event = encode(
        event_type,
        id=str(uuid.uuid4()),
        source=SOURCE,
        time=datetime.now(UTC),
        subject=one,
        tenant=settings.tenant,
        data=CustomerLinked(a=_identifier(one), b=_identifier(other), rule=reason),
    )
    record = Record(EVENTS_CUSTOMER, one.encode(), event, 0)
    options = Security.of(settings.broker).producer_options()
    asyncio.run(_publish(settings.broker.url, options, record))
    out.print(f"published on {EVENTS_CUSTOMER}; it holds as soon as a worker has read it")


async def _publish(bootstrap: str, options: dict[str, Any], record: Record) -> None:
    async with Publisher(bootstrap, options=options) as publisher:
        await publisher.publish([record])


def _identifier(text: str) -> Identifier:
    kind, _, rest = guessed(text).partition(":")
    network, _, name = rest.partition(":") if kind == "handle" else ("", "", rest)
    return Identifier.model_validate({"kind": kind, "value": name, "network": network})


def _show(pairs: list[LinkedPair], output: Format) -> None:
    if output is Format.JSON:
        out.print_json(json.dumps([asdict(pair) for pair in pairs], default=str))
    elif pairs:
        out.print(_table(pairs))
    else:
        out.print("Nothing is quarantined.")


def _table(pairs: list[LinkedPair]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("identifier", "and", "is", "because of", "since", "times"):
        table.add_column(column, overflow="fold")
    for pair in pairs:
        state = pair.state + (f" ({pair.reason.replace('_', ' ')})" if pair.reason else "")
        since = "" if pair.state == "unlinked" and not pair.rule else iso(pair.seen_at)
        row = (pair.identifier, pair.other, state, f"{pair.rule} {pair.evidence}", since)
        table.add_row(*map(Text, row), str(pair.times))
    return table
