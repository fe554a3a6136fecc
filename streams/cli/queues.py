"""`switchboard queues`: every queue as it is now, as table or JSON."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from schemas.live import WINDOWS
from sinks.queues import OpenBreach, live_queues, open_breaches
from sinks.store import Store
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
from streams.cli.values import NOTHING, clock, iso, shown

STALE_SECONDS: Final = 15
SHOWN_WINDOWS: Final = ("5m", "30m", "day")


def queues(
    queue: Annotated[
        str | None, typer.Option("--queue", "-q", help="Only this queue [default: every queue].")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew every second until Ctrl-C.")
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show every queue now: who waits and for how long, agents, service level, open breaches.

    What a running worker stores each second. A queue whose worker is behind, or gone, is marked
    `old`: its values are of the time that is shown, not of now. Needs a ClickHouse server: the
    embedded engine belongs to the worker that runs.
    """
    log_to_stderr(verbose=False)
    settings = settings_of(config, data, tenant)
    with store_to_read(settings) as store:
        rows, breaches = _asked(store, settings.tenant, queue)
        if output is Format.JSON:
            out.print_json(json.dumps([_document(row, breaches) for row in rows], default=iso))
            return
        if not watch:
            out.print(table(rows, breaches))
            return
        with Live(table(rows, breaches), console=out, auto_refresh=False) as screen:
            while True:
                time.sleep(1)
                screen.update(table(*_asked(store, settings.tenant, queue)), refresh=True)


def _asked(
    store: Store, tenant: str, queue: str | None
) -> tuple[list[dict[str, Any]], list[OpenBreach]]:
    rows = [row for row in live_queues(store, tenant) if queue in (None, row["queue"])]
    if not rows:
        raise NothingFound(
            "no queue was watched yet: `switchboard run` watches every queue that has contacts"
            if queue is None
            else f"queue {queue!r} was not watched yet; its name is case-sensitive"
        )
    return rows, [b for b in open_breaches(store, tenant) if queue in (None, b.queue)]


def table(rows: Sequence[Mapping[str, Any]], breaches: Sequence[OpenBreach]) -> Group:
    """Queues as people read them at a glance."""
    found = Table(box=None, header_style="bold", pad_edge=False)
    found.add_column("queue")
    found.add_column("")
    for name in ("waiting", "longest", "expected", "active", "free", "on contact", "paused"):
        found.add_column(name, justify="right")
    for window in SHOWN_WINDOWS:
        found.add_column(f"SL {window}", justify="right")
    for row in rows:
        found.add_row(*_cells(row, [b for b in breaches if b.queue == row["queue"]]))
    if not rows:
        return Group(found)
    presets = sorted({row["service_level_preset"] for row in rows})
    note = f"SL: service level, preset {', '.join(presets)}; at {_hour(rows[0]['asked_at'])} UTC"
    lines = [Text(note, style="dim")]
    for breach in breaches:
        style = "bold red" if breach.severity == "critical" else "yellow"
        said = f"{breach.severity}: {breach.queue}: {breach.kpi} {breach.value:g} (threshold"
        since = f" {breach.threshold:g}) since {_hour(breach.opened_at)} UTC"
        lines.append(Text(said + since, style=style))
    return Group(found, *lines)


def _cells(row: Mapping[str, Any], breaches: Sequence[OpenBreach]) -> list[str]:
    mark = "!" if breaches else ""
    if not row["current"] or (row["asked_at"] - row["at"]).total_seconds() > STALE_SECONDS:
        mark = f"old, {_hour(row['at'])}"
    oldest = row["oldest_enqueued_at"]
    longest = NOTHING if oldest is None else clock((row["at"] - oldest).total_seconds())
    expected = row["estimated_wait_ms"]
    agents = [row[f"agents_{state}"] for state in ("available", "on_contact", "paused")]
    at = list(WINDOWS)
    return [
        row["queue"],
        mark,
        str(row["waiting"]),
        longest,
        NOTHING if expected is None else clock(expected / 1000),
        str(row["active"]),
        *(NOTHING if n is None else str(n) for n in agents),
        *(shown(row["service_level"][at.index(window)], "ratio") for window in SHOWN_WINDOWS),
    ]


def _document(row: Mapping[str, Any], breaches: Sequence[OpenBreach]) -> dict[str, Any]:
    found = dict(row)
    found["current"] = bool(row["current"])
    found["breaches"] = [
        {"kpi": b.kpi, "severity": b.severity, "opened_at": b.opened_at, "value": b.value}
        for b in breaches
        if b.queue == row["queue"]
    ]
    return found


def _hour(at: datetime) -> str:
    return at.strftime("%H:%M:%S")
