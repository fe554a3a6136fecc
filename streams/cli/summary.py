"""The summary that `switchboard process` ends with: what was read, and a line for each queue."""

import json

from rich.console import Console

from gateway.ingest import IngestReport
from schemas.settings import Settings
from sinks.kpis.query import kpi_table
from sinks.store import Store
from streams.cli.kpi_report import by_row
from streams.cli.options import Format


def print_summary(
    out: Console,
    store: Store,
    settings: Settings,
    report: IngestReport,
    output: Format,
    *,
    of_mails: bool = False,
) -> None:
    """Print what `report` counts (lines, or mails) and the KPIs over all time, of every queue; of
    mails, which meet none, of the channel.
    """
    first = "channel" if of_mails else "queue"
    results = kpi_table(store, settings.tenant, split=(first,))
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
        f"{report.lines} {'mails' if of_mails else 'lines'}, {report.events} events"
        + (f", {report.unreadable_count} unreadable" if report.unreadable_count else "")
        + ("" if report.events else " (nothing new since the last run)")
    )
    if results:
        out.print(by_row(out, results, settings, "queue"))
