"""`switchboard kpis`: what the store knows, as table or JSON; `kpis explain`: what a KPI is."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import typer

from schemas.settings import Settings
from sinks.kpis.buckets import DAY_SECONDS
from sinks.kpis.catalogue import FAMILIES, known
from sinks.kpis.contacts import Behind, contacts_behind
from sinks.kpis.definition import DIMENSIONS, Grain
from sinks.kpis.intervals import KpiQueryError, interval_of
from sinks.kpis.query import KpiResult, agent_table, kpi_table, merged
from sinks.kpis.rolling import rolling_table
from sinks.store import Store
from streams.cli.kpi_contacts import print_contacts
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
from streams.timeline.agents import behind_agents

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
        help=f"What to tell apart, several with commas between: {', '.join(DIMENSIONS)};"
        f" `{TOTAL}` for one total. KPIs that cannot be told apart so are left out.",
    ),
]
ChannelOption = Annotated[
    str | None, typer.Option(help="Only this channel: call, chat, email or social.")
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Only this value of what can be told apart, as in `agent=ada`; can be repeated.",
    ),
]
RollingOption = Annotated[
    str | None,
    typer.Option(
        metavar="LENGTH",
        help="Trailing windows of this length, one at every --interval, instead of intervals that"
        " begin where the last one ended.",
    ),
]
ContactsOption = Annotated[
    str | None,
    typer.Option(
        "--contacts",
        metavar="KPI",
        help="List the contacts behind this KPI, with what each adds to its counts; of what is"
        " made of time in states (occupancy), these.",
    ),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="Show the KPIs that are 0 or without data, too.")
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
    channel: ChannelOption = None,
    only: OnlyOption = None,
    rolling: RollingOption = None,
    contacts: ContactsOption = None,
    all_kpis: AllOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show KPIs: of queues, and of all else that can be told apart as it is asked.

    `switchboard kpis --queue IT --interval 30m --from 2026-03-02 --to 2026-03-03`

    `switchboard kpis --target 60 --short 30 --format json`

    `switchboard kpis --split agent,hour --channel chat`, `switchboard kpis --contacts csat_ratio`

    `switchboard kpis --contacts agent_handled --only agent=ada`

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
        all_kpis=all_kpis,
    )
    names = () if split == TOTAL else tuple(name.strip() for name in split.split(","))
    chosen = _chosen(only or (), queue, channel)
    with store_to_read(settings) as store:
        warn_of_other_settings(store, settings)
        if contacts is not None:
            behind = _behind(store, settings, contacts, chosen, question)
            print_contacts(out, behind, output)
            return
        names = tuple(dict.fromkeys((*names, *chosen)))
        if rolling is None:
            results = _asked(store, settings, chosen, question, names)
        else:
            results = _windows(store, settings, chosen, question, names, rolling)
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


def _chosen(only: Sequence[str], queue: str | None, channel: str | None) -> dict[str, str]:
    """What is asked for alone, by the names of what can be told apart."""
    chosen = {"queue": queue} if queue is not None else {}
    if channel is not None:
        chosen["channel"] = channel
    for pair in only:
        name, equals, value = pair.partition("=")
        if not equals or name not in DIMENSIONS:
            raise typer.BadParameter(
                f"{pair!r}: write NAME=VALUE, with one of {', '.join(DIMENSIONS)}",
                param_hint="--only",
            )
        chosen[name] = value
    return chosen


def _behind(
    store: Store, settings: Settings, kpi_id: str, only: Mapping[str, str], question: Question
) -> list[Behind]:
    from_, to = question.from_, question.to
    if known(kpi_id).grain is not Grain.AGENT:
        return contacts_behind(store, settings.tenant, kpi_id, from_, to, only)
    if apart := only.keys() - {"agent"}:
        raise KpiQueryError(f"{kpi_id} is not known by {', '.join(sorted(apart))}")
    skew = settings.processing.max_skew_seconds
    agent = only.get("agent", "")
    return behind_agents(store, settings.tenant, kpi_id, from_, to, agent, max_skew_seconds=skew)


def _asked(
    store: Store,
    settings: Settings,
    only: Mapping[str, str],
    question: Question,
    split: Sequence[str],
) -> list[KpiResult]:
    results = kpi_table(
        store,
        settings.tenant,
        None,
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
        families=FAMILIES,
        only=only,
    )
    if tuple(split) == ("agent",):
        of_agents = agent_table(
            store,
            settings.tenant,
            only.get("agent"),
            question.from_,
            question.to,
            question.interval,
            settings.queue("").timezone,
        )
        results = merged(results, of_agents)
    return results


def _windows(
    store: Store,
    settings: Settings,
    only: Mapping[str, str],
    question: Question,
    split: Sequence[str],
    length: str,
) -> list[KpiResult]:
    return rolling_table(
        store,
        settings.tenant,
        length,
        question.interval,
        question.from_,
        question.to,
        question.target,
        question.short,
        cohort=question.cohort,
        timezone_of=lambda name: settings.queue(name).timezone,
        split=split,
        repeat_seconds=question.repeat_days * DAY_SECONDS,
        same_topic=question.same_topic,
        families=FAMILIES,
        only=only,
    )


def _insist_on(store: Store, tenant: str, queue: str) -> None:
    """A queue without contacts in a time is a result; one that never had any is a mistake."""
    known = [result.dimensions["queue"] for result in kpi_table(store, tenant)]
    if queue not in known:
        there = f"there are {', '.join(known)}" if known else "nothing is stored of that tenant"
        raise NothingFound(f"queue {queue!r} of tenant {tenant!r} has no contacts; {there}")
