"""`switchboard timeline`: who a customer is, and their contacts, newest first."""

import json
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from schemas.timeline import TimelinePage
from streams.cli.options import (
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    TenantOption,
    log_to_stderr,
    out,
    settings_of,
)
from streams.cli.reading import store_to_read
from streams.cli.timeline_report import print_timeline
from streams.cli.values import instant
from streams.parts import identifiers_of
from streams.timeline.reader import MOST_A_PAGE, TimelineReader

CONTACTS: Final = 20


def timeline(
    identifier: Annotated[
        str,
        typer.Argument(
            help="A phone number, e-mail address or customer number in any usual form; or"
            " `kind:value`, for handles `handle:network:value`."
        ),
    ],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only contacts from this time on: 2026-01-31, 2026-01-31T09:30 or"
            " 2026-01-31T09:30:00Z.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many contacts at most.")] = CONTACTS,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show who a customer is and what happened with them, on all channels, newest first.

    `switchboard timeline "+49 30 901820"`

    `switchboard timeline anna@example.com --since 2026-01-01 --format json`

    Whatever a customer is known by leads to the same timeline, as soon as it is known to be theirs.
    Exits with 1 where nothing is known of them. JSON is an object of `customer` and `contacts`, as
    in the HTTP API.
    """
    log_to_stderr(verbose=False)
    settings = settings_of(config, data, tenant)
    zone = settings.queue("").timezone
    from_ = instant(since, zone, "--since")
    with store_to_read(settings) as store:
        reader = TimelineReader(
            store,
            identifiers_of(settings),
            max_skew_seconds=settings.processing.max_skew_seconds,
        )
        customer = reader.customer(settings.tenant, identifier, datetime.now(UTC))
        page = _whole(reader, settings.tenant, identifier, limit, from_)
    if output is Format.JSON:
        shape = {
            "customer": customer.model_dump(mode="json"),
            "contacts": [contact.model_dump(mode="json") for contact in page.contacts],
        }
        out.print_json(json.dumps(shape))
    else:
        print_timeline(out, customer, page, zone)


def _whole(
    reader: TimelineReader, tenant: str, identifier: str, limit: int, since: datetime | None
) -> TimelinePage:
    """Pages in a row until there are `limit` contacts."""
    page = reader.page(tenant, identifier, limit=min(limit, MOST_A_PAGE), since=since)
    contacts = list(page.contacts)
    while page.next_cursor is not None and len(contacts) < limit:
        many = min(limit - len(contacts), MOST_A_PAGE)
        page = reader.page(tenant, identifier, limit=many, since=since, cursor=page.next_cursor)
        contacts += page.contacts
    return page.model_copy(update={"contacts": contacts})
