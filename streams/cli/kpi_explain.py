"""What KPIs are, from the catalogue, for people and as JSON. Prints on the console it is given."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sinks.kpis.catalogue import KPIS, explain
from sinks.kpis.definition import Kpi
from sinks.kpis.definitions.service_level import PRESETS
from streams.cli.options import Format

SERVICE_LEVEL = "service_level_ratio"


def print_catalogue(out: Console, output: Format) -> None:
    """List every KPI: id, unit, title."""
    if output is Format.JSON:
        out.print_json(json.dumps([_described(kpi) for kpi in KPIS.values()]))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", no_wrap=True)
    for heading in ("unit", "meaning"):
        table.add_column(heading, overflow="fold")
    for kpi in KPIS.values():
        table.add_row(kpi.id, kpi.unit, kpi.title)
    out.print(table)


def print_explanation(out: Console, name: str, output: Format) -> None:
    """Explain one KPI, or compare the presets of the service level.

    Raises:
        UnknownKpi: there is none of that name.
    """
    if name == SERVICE_LEVEL:
        _print_presets(out, output)
        return
    text = explain(name)
    if output is Format.JSON:
        out.print_json(json.dumps(_described(KPIS[name])))
        return
    title, *lines = text.splitlines()
    out.print(Text(title, style="bold"))
    for line in lines:
        out.print(Text(line))


def _print_presets(out: Console, output: Format) -> None:
    presets = [
        {"id": p.id, "rule": p.rule, "source": p.source, "pitfalls": p.pitfalls} for p in PRESETS
    ]
    if output is Format.JSON:
        out.print_json(json.dumps(presets))
        return
    out.print(
        "A answered, B abandoned, F flowed out, ended answered and concluded; X_T those of X that"
        " waited at most the target T, B_S those that hung up within the short-abandon limit S."
        " The same contacts differ by ten points between presets."
    )
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("id", no_wrap=True)
    for heading in ("rule", "source"):
        table.add_column(heading, overflow="fold")
    for preset in presets:
        table.add_row(Text(preset["id"]), Text(preset["rule"]), Text(preset["source"]))
    out.print(table)
    out.print(f"More on one: switchboard kpis explain {SERVICE_LEVEL}.{PRESETS[0].id}", style="dim")


def _described(kpi: Kpi) -> dict[str, Any]:
    return {
        "id": kpi.id,
        "unit": kpi.unit,
        "title": kpi.title,
        "explanation": kpi.explanation,
        "pitfalls": kpi.pitfalls,
        "formula": kpi.expression,
        "events": list(kpi.events),
        "source": kpi.source,
    }
