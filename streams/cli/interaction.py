"""`switchboard interaction`: one contact, its facts and its events in order."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.settings import Settings
from sinks.interactions import StoredInteraction, find_interaction, similar_interactions
from streams.cli.options import (
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    NothingFound,
    TenantOption,
    log_to_stderr,
    out,
    settings_of,
)
from streams.cli.reading import store_to_read
from streams.cli.values import NOTHING, clock, duration, iso, local

_SECONDS: Final = "_seconds"
_FACTS: Final = (
    ("customer_name", "customer"),
    ("identifiers", "known by"),
    ("agents", "agents"),
    ("purpose", "purpose"),
    ("language", "language"),
    ("site", "site"),
    ("topic", "topic"),
    ("disposition", "disposition"),
    ("linked_to", "continues"),
    ("transfers", "transferred"),
)
"""Facts that are shown where they are known, and what they are called."""
_VISIT_COLUMNS: Final = (
    ("wait_seconds", "waited"),
    ("agent", "agent"),
    ("ring_seconds", "rang"),
    ("talk_seconds", "talked"),
    ("hold_seconds", "on hold"),
    ("wrapup_seconds", "wrap-up"),
    ("missed_rings", "missed"),
    ("transfer", "transfer"),
)


def interaction(
    interaction_id: Annotated[
        str, typer.Argument(metavar="ID", help="The contact's id (Asterisk: its unique id).")
    ],
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show one contact: what is known of it, its visits to queues, and every event in order.

    `switchboard interaction 1772544711.2718`

    Exits with 1 where there is no such contact.
    """
    log_to_stderr(verbose=False)
    settings = settings_of(config, data, tenant)
    with store_to_read(settings) as store:
        found = find_interaction(store, settings.tenant, interaction_id)
        if found is None:
            near = similar_interactions(store, settings.tenant, interaction_id)
            there = f"There are, among others: {', '.join(near)}" if near else "There are none"
            raise NothingFound(
                f"there is no interaction {interaction_id!r} of tenant {settings.tenant!r}. {there}"
            )
    if output is Format.JSON:
        shape = {
            **found.facts,
            "visits": found.visits,
            "responses": found.responses,
            "events": [asdict(e) for e in found.events],
        }
        out.print_json(json.dumps(shape, default=_for_json))
    else:
        _print(out, found, settings)


def _for_json(value: object) -> str:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(f"{type(value).__name__} in an interaction")


def _print(console: Console, found: StoredInteraction, settings: Settings) -> None:
    facts = found.facts
    zone = settings.queue(found.visits[0]["queue"] if found.visits else "").timezone
    kind = ", ".join(part for part in (facts["channel"], facts["direction"]) if part)
    console.print(Text.assemble((facts["interaction_id"], "bold"), f"  {kind}"))
    console.print(Text(_lifetime(facts, zone)))
    for name, title in _FACTS:
        value = facts[name]
        if value:
            text = ", ".join(value) if isinstance(value, list) else str(value)
            console.print(Text.assemble((f"{title} ", "dim"), text))
    if found.visits:
        console.print()
        console.print(_visits(found.visits, facts["started_at"]))
    console.print()
    console.print(_events(found, facts["started_at"]))


def _lifetime(facts: dict[str, Any], zone: str) -> str:
    start, end = facts["started_at"], facts["ended_at"]
    began = f"{local(start, zone, seconds=True)} ({zone})"
    if end is None:
        return f"{facts['status']} since {began}"
    by = f" by {facts['ended_by']}" if facts["ended_by"] else ""
    return f"{facts['status']}{by} after {duration((end - start).total_seconds())}, from {began}"


def _visits(visits: tuple[dict[str, Any], ...], start: datetime) -> Table:
    """A row a visit; a column that says nothing of any visit is left out."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("after", justify="right")
    table.add_column("queue")
    table.add_column("outcome")
    said = [pair for pair in _VISIT_COLUMNS if any(visit[pair[0]] for visit in visits)]
    for name, heading in said:
        text = name in ("agent", "transfer")
        table.add_column(heading, justify="left" if text else "right")
    for visit in visits:
        table.add_row(
            _after(visit["entered_at"], start),
            Text(visit["queue"]),
            visit["outcome"],
            *(Text(_told(name, visit[name])) for name, _ in said),
        )
    return table


def _told(name: str, value: Any) -> str:
    if value in (None, ""):
        return NOTHING
    return clock(value) if name.endswith(_SECONDS) else str(value)


def _after(at: datetime, start: datetime) -> str:
    return clock((at - start).total_seconds())


def _events(found: StoredInteraction, start: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("event", no_wrap=True)
    table.add_column("what it says", overflow="fold")
    for event in found.events:
        said = ", ".join(_sayings(event.data))
        table.add_row(_after(event.occurred_at, start), event.type, Text(said))
    return table


def _sayings(data: dict[str, Any]) -> list[str]:
    """`queue sales`, `wait 7 s`, …: one text a field."""
    said = []
    for name, value in data.items():
        if value in (None, "", [], {}):
            continue
        if name == "customer" and isinstance(value, dict):
            known = [f"{i.get('kind')} {i.get('value')}" for i in value.get("identifiers", [])]
            said.append(" ".join(["customer", *filter(None, [value.get("name")]), *known]))
        elif name.endswith(_SECONDS) and isinstance(value, int | float):
            said.append(f"{name.removesuffix(_SECONDS)} {clock(value)}")
        elif isinstance(value, dict | list):
            said.append(f"{name} {json.dumps(value, ensure_ascii=False)}")
        else:
            said.append(f"{name} {value}")
    return said
