"""`switchboard forget`: erase a customer, and prove it."""

import json
import time
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.table import Table

from sinks.erasure import Person
from streams.cli.options import (
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    NothingFound,
    TenantOption,
    err,
    log_to_stderr,
    out,
    settings_of,
)
from streams.cli.reading import store_to_read
from streams.erasure import Erasure, ErasureReport
from streams.parts import migrate_all

STILL_THERE: Final = 1


def forget(
    identifier: Annotated[
        str,
        typer.Argument(
            help="A phone number, an e-mail address, a customer number, or KIND:VALUE.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be erased.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Erase a customer: all that is stored under any of their identifiers, for good.

    Their events, contacts, links, dead letters and late events are deleted, checkpoints rewritten
    without them, and everything is searched afterwards. Numbers of queues and agents stay. Events
    that are read again do not bring them back. Topics keep what they have until their retention.
    Exits with 1 if anything was found after it.
    """
    from streams.rules import limits_of, rules_of

    log_to_stderr(verbose=False)
    settings = settings_of(config, data, tenant)
    with store_to_read(settings) as store:
        if store.embedded:
            migrate_all(store, settings)
        erasure = Erasure(store, settings, rules_of(settings), limits_of(settings))
        person = erasure.find(settings.tenant, identifier)
        rows = erasure.count(person)
        if not rows:
            raise NothingFound(f"nothing is stored of {identifier} (tenant {settings.tenant})")
        if dry_run:
            _show_plan(person, rows, output)
            return
        if not yes:
            _show_plan(person, rows, Format.TABLE)
            typer.confirm("Erase all of this for good?", abort=True, err=True)
        with err.status("Erasing"):
            report = erasure.run(person, time.time_ns() // 1_000_000)
    _show_report(report, output)
    if not report.nothing_left:
        raise typer.Exit(STILL_THERE)


def _show_plan(person: Person, rows: dict[str, int], output: Format) -> None:
    if output is Format.JSON:
        plan = {
            "identifiers": sorted(person.identifiers),
            "contacts": sorted(person.contacts),
            "rows": rows,
        }
        out.print_json(json.dumps(plan))
        return
    out.print(f"identifiers  {', '.join(sorted(person.identifiers))}", markup=False)
    out.print(f"contacts     {len(person.contacts)}")
    out.print(_table("rows", rows))


def _show_report(report: ErasureReport, output: Format) -> None:
    if output is Format.JSON:
        out.print_json(json.dumps(asdict(report) | {"nothing_left": report.nothing_left}))
        return
    out.print(f"{report.identifiers} identifiers and {report.contacts} contacts are erased")
    out.print(_table("rows deleted", report.deleted))
    if report.nothing_left:
        out.print("Searched every table and checkpoint for them: nothing is left.")
        return
    if report.found_after:
        err.print(_table("[bold red]still found in[/]", report.found_after))
    if report.old_parts:
        err.print(f"{report.old_parts} replaced parts are still on disk; ClickHouse removes them.")


def _table(title: str, rows: dict[str, int]) -> Table:
    shown = Table(box=None, show_header=False, title=title, title_justify="left", padding=(0, 2))
    shown.add_column()
    shown.add_column(justify="right")
    for table, count in sorted(rows.items()):
        shown.add_row(table, str(count))
    return shown
