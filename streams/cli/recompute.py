"""`switchboard recompute`: figures of a time under other settings or definitions, side by side."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from schemas.settings import Settings
from sinks.kpis.catalogue import KPIS
from sinks.kpis.intervals import interval_of
from sinks.store import Store
from streams.cli.kpis import TOTAL, IntervalOption, SplitOption
from streams.cli.options import (
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    TenantOption,
    err,
    log_to_stderr,
    out,
    settings_of,
)
from streams.cli.reading import store_to_read
from streams.cli.values import instant, iso, shown
from streams.parts import opened_store
from streams.recompute import Change, Recomputation
from streams.recompute import recompute as computed_anew

SUFFIX: Final = "_recomputed"


def recompute(
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="From this time on.")],
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="Up to this time, without it.")],
    interval: IntervalOption = "all",
    split: SplitOption = "queue",
    keep: Annotated[
        bool,
        typer.Option("--keep", help=f"Leave the recomputed tables in the database NAME{SUFFIX}."),
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Compute the KPIs of a time anew from stored events, and show what changes.

    `switchboard recompute --from 2026-03-01 --to 2026-03-02 --config other.toml`

    Before: the figures that the store gives now. After: those of this program's definitions and of
    the settings given, from the events themselves. Events that came too late to count are counted.
    Changes nothing: to have it so from now on, run `switchboard migrate` with these settings.
    """
    from streams.rules import rules_of

    log_to_stderr(verbose=False)
    settings = settings_of(config, data, tenant)
    interval_of(interval)
    zone = settings.queue("").timezone
    begin, end = instant(from_, zone, "--from"), instant(to, zone, "--to")
    if begin is None or end is None or begin >= end:
        raise typer.BadParameter(f"{from_} is not before {to}", param_hint="--from")
    if settings.clickhouse.cluster is not None:
        raise typer.BadParameter(
            "a cluster's tables cannot be recomputed beside themselves: recompute on one server",
            param_hint="--config",
        )
    names = () if split == TOTAL else tuple(name.strip() for name in split.split(","))
    with store_to_read(settings) as store, _beside(settings, keep=keep) as beside:
        with err.status("Replaying"):
            done = computed_anew(
                store, beside, settings, rules_of(settings), begin, end, interval, names
            )
        if keep:
            err.print(f"The recomputed tables are in the database {beside.database}.")
    _show(done, output)


@contextmanager
def _beside(settings: Settings, *, keep: bool) -> Iterator[Store]:
    """A database beside the store's own; dropped in the end unless it is to be kept."""
    name = settings.clickhouse.database + SUFFIX
    clickhouse = settings.clickhouse.model_copy(update={"database": name})
    with opened_store(settings.model_copy(update={"clickhouse": clickhouse})) as beside:
        try:
            yield beside
        finally:
            if not keep:
                beside.command(f"DROP DATABASE IF EXISTS `{name}` SYNC", use_database=False)


def _show(done: Recomputation, output: Format) -> None:
    if output is Format.JSON:
        changes = [
            {**c._asdict(), "interval_start": c.interval_start and iso(c.interval_start)}
            for c in done.changes
        ]
        out.print_json(json.dumps({"events": done.events, "same": done.same, "changes": changes}))
        return
    out.print(f"{done.events:,} events replayed; {done.same:,} figures are as they were.")
    if not done.changes:
        out.print("Nothing changes.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("KPI", overflow="fold")
    table.add_column("of", overflow="fold")
    for heading in ("before", "after"):
        table.add_column(heading, justify="right", no_wrap=True)
    for change in done.changes:
        table.add_row(*map(Text, _cells(change)))
    out.print(table)


def _cells(change: Change) -> tuple[str, str, str, str]:
    of = list(change.dimensions.values())
    if change.interval_start is not None:
        of.append(iso(change.interval_start))
    unit = KPIS[change.kpi].unit
    where = " · ".join(of) or "total"
    return change.kpi, where, shown(change.before, unit), shown(change.after, unit)
