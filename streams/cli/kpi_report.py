"""KPIs as tables for people, never wider than the terminal.

Over all time each queue is a column; where there are too many queues for that, or intervals, each
is a row and the most asked-for KPIs are columns. Prints on the console it is given.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.queues import QueueSettings
from schemas.settings import Settings
from sinks.kpis.catalogue import KPIS, SECTIONS
from sinks.kpis.definition import Grain, Kpi
from sinks.kpis.query import KpiResult, Value
from streams.cli.values import NOTHING, duration, local, shown

SERVICE_LEVEL_ID: Final = "service_level_ratio."
ALWAYS: Final = frozenset({"offered", "answered", "abandoned", "open", "missed_rings"})
"""Counts that are shown even where they are 0 everywhere."""
OF_QUEUES: Final = (Grain.QUEUE, Grain.CALLERS, Grain.FIRST_CONTACT)
"""Whose ratios are shown even where there is nothing to divide by."""

COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("offered", "offered"),
    ("answered", "answered"),
    ("abandoned", "abandoned"),
    ("service_level_ratio", "service level"),
    ("average_speed_of_answer_seconds", "ASA"),
    ("abandonment_ratio", "abandonment"),
    ("open", "open"),
    ("longest_wait_seconds", "longest wait"),
    ("average_talk_seconds", "talk"),
    ("wait_p90_seconds", "wait p90"),
    ("average_handle_seconds", "handle"),
    ("missed_rings", "missed rings"),
    ("transfer_ratio", "transferred"),
    ("average_wrapup_seconds", "wrap-up"),
    ("average_first_response_seconds", "first response"),
    ("average_reply_seconds", "reply"),
)
"""KPIs shown where rows are intervals or queues, and their headings, the most asked-for first: what
does not fit the terminal is left out from the end."""

OWN_PRESET_MARK: Final = "●"
PROVISIONAL_MARK: Final = "*"
_INDENT: Final = "  "
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: aware times, an interval as written, seconds, the cohort, and repeats."""

    from_: datetime | None
    to: datetime | None
    interval: str
    target: float | None
    short: float | None
    cohort: Literal["offered", "ended"]
    repeat_days: int
    same_topic: bool
    all_kpis: bool
    """Whether those without data are shown, too."""


def print_report(
    out: Console, results: Sequence[KpiResult], settings: Settings, question: Question
) -> None:
    """Print KPIs in the form that fits them and the terminal."""
    if not results:
        out.print("No contacts in that time.")
        return
    if question.interval == "all":
        out.print(_asked(results, settings, question), style="dim", soft_wrap=True)
        wide = _by_kpi(results, settings, all_kpis=question.all_kpis)
        if _width(out, wide) <= out.width:
            out.print(wide)
            if not question.all_kpis:
                _print_unshown(out, results)
        else:
            out.print(by_row(out, results, settings, "queue"))
    else:
        for name, group in groupby(results, key=_name):
            of_queue = list(group)
            heading = _asked(of_queue, settings, question)
            out.print(f"[bold]{name}[/] [dim]{heading}[/]", soft_wrap=True)
            out.print(by_row(out, of_queue, settings, "from"))
    _print_notes(out, results, settings, question)


def _asked(results: Sequence[KpiResult], settings: Settings, question: Question) -> str:
    zones = list(dict.fromkeys(_queue(result, settings).timezone for result in results))
    bounds = [
        f"{word} {local(at, zones[0], seconds=bool(at.second))}"
        for word, at in (("from", question.from_), ("to", question.to))
        if at is not None
    ]
    by = "entered the queue" if question.cohort == "offered" else "were concluded"
    when = " ".join(bounds) or "all time"
    where = f" ({', '.join(zones)})" if bounds or question.interval != "all" else ""
    return f"{when}{where}, contacts counted when they {by}"


def _by_kpi(results: Sequence[KpiResult], settings: Settings, *, all_kpis: bool) -> Table:
    """A row a KPI under its section, a column a queue."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    table.add_column("")
    for result in results:
        heading = _head(result, settings, "queue")
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for title, defined in SECTIONS.items():
        kpis = list(_asked_for(defined, results) if all_kpis else _worth_showing(defined, results))
        if not kpis:
            continue
        table.add_row(Text(title, style="bold cyan"))
        if defined[-1].id.startswith(SERVICE_LEVEL_ID):
            table.add_row(f"{_INDENT}target T", *(_seconds(r.target_seconds) for r in results))
            short = (_seconds(r.short_abandon_seconds) for r in results)
            table.add_row(f"{_INDENT}short abandon S", *short)
        for kpi in kpis:
            table.add_row(_INDENT + _label(kpi), *(_cell(kpi, r, settings) for r in results))
    return table


def _label(kpi: Kpi) -> str:
    head, _, preset = kpi.id.partition(".")
    return preset if head + "." == SERVICE_LEVEL_ID else kpi.title


def _cell(kpi: Kpi, result: KpiResult, settings: Settings) -> Text:
    text = shown(result.values.get(kpi.id), kpi.unit)
    if kpi.id == SERVICE_LEVEL_ID + _queue(result, settings).service_level_preset:
        return Text(f"{OWN_PRESET_MARK} {text}", style="bold")
    return Text(text)


def _asked_for(kpis: Iterable[Kpi], results: Sequence[KpiResult]) -> Iterator[Kpi]:
    """Those that can be told apart as it was asked."""
    asked = {kpi_id for result in results for kpi_id in result.values}
    return (kpi for kpi in kpis if kpi.id in asked)


def _worth_showing(kpis: Iterable[Kpi], results: Sequence[KpiResult]) -> Iterator[Kpi]:
    for kpi in _asked_for(kpis, results):
        always = kpi.id in ALWAYS or (kpi.unit == "ratio" and kpi.grain in OF_QUEUES)
        if always or any(r.values.get(kpi.id) for r in results):
            yield kpi


def _print_unshown(out: Console, results: Sequence[KpiResult]) -> None:
    there = len(list(_worth_showing(KPIS.values(), results)))
    unshown = len(list(_asked_for(KPIS.values(), results))) - there
    if unshown:
        out.print(f"{unshown} more KPIs are 0 or without data: --all shows them", style="dim")


def by_row(
    out: Console, results: Sequence[KpiResult], settings: Settings, first: Literal["queue", "from"]
) -> Table:
    """A row a result; as many KPIs as the terminal has room for."""
    heads = [_head(result, settings, first) for result in results]
    columns = [
        (title, [_value(result, kpi_id, settings) for result in results])
        for kpi_id, title in COLUMNS
    ]
    room = out.width - max(len(head) for head in [*heads, first])
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    cells: list[list[str]] = []
    for title, column in columns:
        room -= _GAP + max(len(cell) for cell in [*column, title])
        if room < 0:
            break
        table.add_column(title, justify="right", no_wrap=True)
        cells.append(column)
    for number, head in enumerate(heads):
        table.add_row(Text(head), *(Text(column[number]) for column in cells))
    return table


def _head(result: KpiResult, settings: Settings, first: Literal["queue", "from"]) -> str:
    mark = PROVISIONAL_MARK if _provisional(result) else ""
    if first == "queue" or result.interval_start is None:
        return _name(result) + mark
    start = result.interval_start
    zone = _queue(result, settings).timezone
    return local(start, zone, seconds=bool(start.second)) + mark


def _value(result: KpiResult, kpi_id: str, settings: Settings) -> str:
    if kpi_id + "." != SERVICE_LEVEL_ID:
        return shown(result.values.get(kpi_id), KPIS[kpi_id].unit)
    preset = _queue(result, settings).service_level_preset
    value = result.values.get(SERVICE_LEVEL_ID + preset)
    if value is None:
        return NOTHING
    return f"{shown(value, 'ratio')} in {_seconds(result.target_seconds)}"


def _print_notes(
    out: Console, results: Sequence[KpiResult], settings: Settings, question: Question
) -> None:
    """What the marks mean, what a repeat is, and why a service level may be missing."""
    presets = " or ".join(dict.fromkeys(_queue(r, settings).service_level_preset for r in results))
    explained = "switchboard kpis explain service_level_ratio"
    notes = [f"service level {OWN_PRESET_MARK} of the queue: by {presets} ({explained})"]
    if question.interval == "all":
        days = "a day" if question.repeat_days == 1 else f"{question.repeat_days} days"
        topic = "on the same topic" if question.same_topic else "on any topic"
        notes.append(f"repeats: within {days} (--repeat-days), {topic}")
    if any(_provisional(result) for result in results):
        notes.append(f"{PROVISIONAL_MARK} provisional: late events may still change it")
    if any(_threshold_unknown(result.values) for result in results):
        notes.append(
            "no service level where panes were counted before the target was configured:"
            " give --target, and contacts are counted anew"
        )
    for note in notes:
        out.print(note, style="dim")


def _provisional(result: KpiResult) -> bool:
    """Whether late events may still change it. What has no end always may: that is no news."""
    return result.interval_end is not None and not result.final


def _threshold_unknown(values: dict[str, Value]) -> bool:
    return bool(values.get("answered")) and values["answered_in_target"] is None


def _queue(result: KpiResult, settings: Settings) -> QueueSettings:
    return settings.queue(result.dimensions.get("queue", ""))


def _name(result: KpiResult) -> str:
    return " · ".join(value or "none" for value in result.dimensions.values()) or "total"


def _seconds(value: float | None) -> str:
    return "various" if value is None else duration(value)


def _width(out: Console, table: Table) -> int:
    return out.measure(table, options=out.options.update(max_width=10_000)).maximum
