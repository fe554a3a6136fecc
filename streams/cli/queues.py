"""`switchboard queues`: every queue as it is now, as table or JSON."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from schemas.settings import Settings
from sinks.live import queues_now
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

Rows = Sequence[Mapping[str, Any]]
"""Queues as `sinks.live.queues_now` gives them."""
Ask = Callable[[], list[dict[str, Any]]]

ANSWER_SECONDS: Final = 10.0
STALE_SECONDS: Final = 15
SHOWN_WINDOWS: Final = ("5m", "30m", "day")


def queues(
    queue: Annotated[
        str | None, typer.Option("--queue", "-q", help="Only this queue [default: every queue].")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew every second until Ctrl-C.")
    ] = False,
    worker: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="With the embedded engine: where `switchboard run` says that live queues are"
            " [default: http.host and http.port].",
        ),
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show every queue now: who waits and for how long, agents, service level, open breaches.

    What running workers store each second. A queue whose worker is behind, or gone, is marked
    `old`: its values are of the time that is shown, not of now. A ClickHouse server is asked
    itself; the embedded engine belongs to the worker that runs, so that worker is asked.
    """
    log_to_stderr(verbose=False)
    settings = settings_of(config, data, tenant)
    with _source(settings, worker) as ask:
        rows = _asked(ask, queue)
        if output is Format.JSON:
            out.print_json(json.dumps(rows, default=iso))
            return
        if not watch:
            out.print(table(rows, datetime.now(UTC)))
            return
        with Live(table(rows, datetime.now(UTC)), console=out, auto_refresh=False) as screen:
            while True:
                time.sleep(1)
                screen.update(table(_asked(ask, queue), datetime.now(UTC)), refresh=True)


def _source(settings: Settings, worker: str | None) -> AbstractContextManager[Ask]:
    if worker is None and not settings.clickhouse.embedded:
        return _of_store(settings)
    http = settings.http
    host = "127.0.0.1" if http.host == "0.0.0.0" else http.host  # noqa: S104 -- where to ask
    return nullcontext(partial(of_worker, worker or f"{host}:{http.port}", settings.tenant))


@contextmanager
def _of_store(settings: Settings) -> Iterator[Ask]:
    with store_to_read(settings) as store:
        yield partial(queues_now, store, settings.tenant)


def of_worker(address: str, tenant: str) -> list[dict[str, Any]]:
    """The queues that the worker at `host:port` shows on its wallboard.

    Raises:
        NothingFound: no worker answers there, or it cannot tell. Says what to do.
    """
    connection = HTTPConnection(address, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"/wallboard/queues.json?tenant={quote(tenant, safe='')}")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException) as error:
        raise NothingFound(
            f"no worker answers at http://{address} ({error}): queues are live while `switchboard"
            " run` runs. It prints where its live queues are; give that as --worker HOST:PORT"
        ) from error
    finally:
        connection.close()
    if answer.status != 200:
        words = body.decode(errors="replace").strip()
        raise NothingFound(f"the worker at http://{address} cannot tell now: {words}")
    found: list[dict[str, Any]] = json.loads(body)["queues"]
    for row in found:
        for place in (row, *row["alerts"]):
            for name, value in place.items():
                if name.endswith("at") and value is not None:
                    place[name] = datetime.fromisoformat(value)
    return found


def _asked(ask: Ask, queue: str | None) -> list[dict[str, Any]]:
    rows = [row for row in ask() if queue in (None, row["queue"])]
    if not rows:
        raise NothingFound(
            "no queue was watched yet: `switchboard run` watches every queue that has contacts"
            if queue is None
            else f"queue {queue!r} was not watched yet; its name is case-sensitive"
        )
    return rows


def table(rows: Rows, now: datetime) -> Group:
    """Queues as people read them at a glance."""
    found = Table(box=None, header_style="bold", pad_edge=False)
    found.add_column("queue")
    found.add_column("")
    for name in ("waiting", "longest", "expected", "active", "free", "on contact", "paused"):
        found.add_column(name, justify="right")
    for window in SHOWN_WINDOWS:
        found.add_column(f"SL {window}", justify="right")
    for row in rows:
        found.add_row(*_cells(row, now))
    presets = sorted({row["service_level_preset"] for row in rows})
    note = f"SL: service level, preset {', '.join(presets)}; at {_hour(now)} UTC"
    lines = [Text(note, style="dim")]
    for row in rows:
        for alert in row["alerts"]:
            style = "bold red" if alert["severity"] == "critical" else "yellow"
            said = f"{alert['severity']}: {row['queue']}: {alert['kpi']} {alert['value']:g}"
            since = f" (threshold {alert['threshold']:g}) since {_hour(alert['opened_at'])} UTC"
            lines.append(Text(said + since, style=style))
    return Group(found, *lines)


def _cells(row: Mapping[str, Any], now: datetime) -> list[str]:
    mark = "!" if row["alerts"] else ""
    if not row["current"] or (now - row["at"]).total_seconds() > STALE_SECONDS:
        mark = f"old, {_hour(row['at'])}"
    oldest, expected = row["oldest_enqueued_at"], row["estimated_wait_seconds"]
    agents = [row[f"agents_{state}"] for state in ("available", "on_contact", "paused")]
    service_level = row["service_level_ratio"]
    return [
        row["queue"],
        mark,
        str(row["waiting"]),
        NOTHING if oldest is None else clock((row["at"] - oldest).total_seconds()),
        NOTHING if expected is None else clock(expected),
        str(row["active"]),
        *(NOTHING if n is None else str(n) for n in agents),
        *(shown(service_level[window], "ratio") for window in SHOWN_WINDOWS),
    ]


def _hour(at: datetime) -> str:
    return at.strftime("%H:%M:%S")
