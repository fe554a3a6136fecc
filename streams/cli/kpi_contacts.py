"""The contacts behind a figure, for people and as JSON. Prints on the console it is given."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sinks.kpis.contacts import MOST, Behind
from streams.cli.options import Format
from streams.cli.values import iso


def print_contacts(out: Console, behind: Sequence[Behind], output: Format) -> None:
    """One row a contact: when it counted, where, and what it adds to the KPI's counts."""
    if output is Format.JSON:
        rows = [{**row._asdict(), "at": iso(row.at)} for row in behind]
        out.print_json(json.dumps(rows, default=str))
        return
    if not behind:
        out.print("Nothing adds to it in that time.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("contact", "at", "of", "adds"):
        table.add_column(heading, overflow="fold")
    for row in behind:
        of = ", ".join(f"{name} {value}" for name, value in row.dimensions.items())
        adds = ", ".join(f"{name} {value}" for name, value in row.adds.items())
        table.add_row(*(Text(cell) for cell in (row.interaction_id, iso(row.at), of, adds)))
    out.print(table)
    if len(behind) == MOST:
        out.print(f"The first {MOST}: ask for less time (--from, --to) for the rest.", style="dim")
