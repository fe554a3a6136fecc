"""`switchboard kpis`: what the store knows, as table or JSON; `kpis explain`: what a KPI is."""

import json
from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from schemas.settings import Settings
from sinks.kpis.buckets import DAY_SECONDS
from sinks.kpis.query import KpiResult, interval_of, kpi_table
from sinks.store import Store
from streams.cli.kpi_explain import print_catalogue, print_explanation
from streams.cli.kpi_report import Question, print_report
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
from streams.cli.reading import store_to_read, warn_of_other_settings
from streams.cli.values import instant

TOTAL = "total"
"""How a split by nothing is asked for."""

app = typer.Typer(invoke_without_command=True)

QueueOption = Annotated[
    str | None, typer.Option("--queue", "-q", help="Only this queue [default: every queue].")
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help="From this time on: 2026-01-31, 2026-01-31T09:30 or 2026-01-31T09:30:00Z. Without an"
        " offset it is a time of the queue's timezone (of the default one without --queue).",
    ),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME", help="Up to this time, which is not in it any more."),
]
IntervalOption = Annotated[
    str,
    typer.Option(
        metavar="LENGTH",
        help="`all`, a day of the queue's timezone (`1d`), or a whole part of an hour:"
        " 1h, 30m, 15m, 5m, 1m, 10s.",
    ),
]
TargetOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="T of the service level, exact for any number [default: each queue's own].",
    ),
]
ShortOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="S: who hangs up within it counts as a short abandon [default: each queue's own].",
    ),
]
CohortOption = Annotated[
    Literal["offered", "ended"],
    typer.Option(
        help="The interval a contact counts in: in which it entered the queue, or in which it"
        " was concluded."
    ),
]
RepeatOption = Annotated[
    int,
    typer.Option(
        "--repeat-days",
        min=1,
        max=365,
        metavar="DAYS",
        help="W: who comes again within so many days has repeated their contact; 1, 7 and 30 are"
        " usual.",
    ),
]
SameTopicOption = Annotated[
    bool,
    typer.Option("--same-topic", help="Only a contact of the same topic repeats another."),
]
SplitOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="What to tell apart: `queue`, `channel`, `direction`, several with commas between;"
        f" `{TOTAL}` for one total.",
    ),
]


@app.callback()
def kpis(
    context: typer.Context,
    queue: QueueOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    interval: IntervalOption = "all",
    target: TargetOption = None,
    short: ShortOption = None,
    cohort: CohortOption = "offered",
    split: SplitOption = "queue",
    repeat_days: RepeatOption = 1,
    same_topic: SameTopicOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show the KPIs of queues: volumes, service levels, waits, handling, customers.

    `switchboard kpis --queue IT --interval 30m --from 2026-03-02 --to 2026-03-03`

    `switchboard kpis --target 60 --short 30 --format json`

    JSON is a list, one object a queue and interval, in that order, its keys the ids of the KPIs
    (`switchboard kpis explain` lists them): ratios lie between 0 and 1, durations are seconds,
    `null` stands where there is nothing to divide by. `source` says whether configured targets
    were read from panes, or contacts were counted anew for the numbers asked for.
    """
    if context.invoked_subcommand is not None:
        return
    log_to_stderr(verbose=False)
    settings = settings_of(config, data, tenant)
    interval_of(interval)  # refuses a bad one before anything is opened
    zone = settings.queue(queue or "").timezone
    question = Question(
        from_=instant(from_, zone, "--from"),
        to=instant(to, zone, "--to"),
        interval=interval,
        target=target,
        short=short,
        cohort=cohort,
        repeat_days=repeat_days,
        same_topic=same_topic,
    )
    names = () if split == TOTAL else tuple(name.strip() for name in split.split(","))
    with store_to_read(settings) as store:
        warn_of_other_settings(store, settings)
        results = _asked(store, settings, queue, question, names)
        if not results and queue is not None:
            _insist_on(store, settings.tenant, queue)
    if output is Format.JSON:
        out.print_json(json.dumps([result.to_json() for result in results]))
    else:
        print_report(out, results, settings, question)


@app.command("explain")
def explain(
    name: Annotated[
        str | None, typer.Argument(help="A KPI's id; without one all are listed.")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say what a KPI is: formula, unit, the events it needs, and what it is mistaken for.

    `switchboard kpis explain abandonment_ratio`

    `switchboard kpis explain service_level_ratio` compares the presets of the service level.
    """
    if name is None:
        print_catalogue(out, output)
    else:
        print_explanation(out, name, output)


def _asked(
    store: Store, settings: Settings, queue: str | None, question: Question, split: Sequence[str]
) -> list[KpiResult]:
    return kpi_table(
        store,
        settings.tenant,
        queue,
        question.from_,
        question.to,
        question.interval,
        question.target,
        question.short,
        question.cohort,
        timezone_of=lambda name: settings.queue(name).timezone,
        split=split,
        repeat_seconds=question.repeat_days * DAY_SECONDS,
        same_topic=question.same_topic,
    )


def _insist_on(store: Store, tenant: str, queue: str) -> None:
    """A queue without contacts in a time is a result; one that never had any is a mistake."""
    known = [result.dimensions["queue"] for result in kpi_table(store, tenant)]
    if queue not in known:
        there = f"there are {', '.join(known)}" if known else "nothing is stored of that tenant"
        raise NothingFound(f"queue {queue!r} of tenant {tenant!r} has no contacts; {there}")
