"""The summary that `switchboard process` ends with: what was read, and a line for each queue."""

import json

from rich.console import Console
from rich.table import Table

from gateway.ingest import IngestReport
from schemas.settings import Settings
from sinks.kpis.query import KpiResult, kpi_table
from sinks.store import Store
from streams.cli.options import Format


def print_summary(
    out: Console, store: Store, settings: Settings, report: IngestReport, output: Format
) -> None:
    """Print what `report` counts and the KPIs of every queue over all time."""
    results = kpi_table(store, settings.tenant)
    if output is Format.JSON:
        found = {
            "lines": report.lines,
            "events": report.events,
            "unreadable": report.unreadable_count,
            "skipped": dict(report.skipped),
            "queues": [result.to_json() for result in results],
        }
        out.print_json(json.dumps(found, default=str))
        return
    out.print(
        f"{report.lines} lines, {report.events} events"
        + (f", {report.unreadable_count} unreadable" if report.unreadable_count else "")
        + ("" if report.events else " (nothing new since the last run)")
    )
    out.print(_table(results, settings))


def _table(results: list[KpiResult], settings: Settings) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("queue", "offered", "answered", "abandoned", "open", "service level", "ASA"):
        table.add_column(heading, justify="left" if heading == "queue" else "right")
    for result in results:
        row = result.to_json()
        name = str(row["queue"])
        queue = settings.queue(name)
        level = row["service_level_ratio"][queue.service_level_preset]
        speed = row["average_speed_of_answer_seconds"]
        table.add_row(
            name,
            *(str(row[key]) for key in ("offered", "answered", "abandoned", "open")),
            "–" if level is None else f"{level:.1%} in {queue.target_seconds:g} s",
            "–" if speed is None else f"{speed:.1f} s",
        )
    return table
