"""KPIs as values: reads the views, says which source was read. Touches the store it is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, Protocol

from schemas.rows import AGENT_PANE_SECONDS
from sinks.kpis.buckets import DAY_SECONDS
from sinks.kpis.catalogue import of_grain
from sinks.kpis.definition import DIMENSIONS, PANE_DIMENSIONS, Family, Grain
from sinks.kpis.intervals import (
    EVER_FROM,
    KpiQueryError,
    bounds_of,
    known_timezone,
    on_panes,
    time_parameters,
)
from sinks.kpis.views import call

Cohort = Literal["offered", "ended"]
Source = Literal["panes", "interactions", "events"]
"""What was read; `events` where no contact of a queue is in it."""
Value = int | float | None

REPEAT_SECONDS: Final = 86_400
"""The window of first contact resolution where none is asked for."""

_INSTANT: Final = "DateTime64(3, 'UTC')"
_TIME: Final = (
    ("from_at", _INSTANT),
    ("to_at", _INSTANT),
    ("interval_seconds", "UInt32"),
    ("timezone", "String"),
)
_COHORT: Final = ("cohort", "String")
_SPLIT: Final = ("split", "String")
_THRESHOLDS: Final = (
    ("target_seconds", "Nullable(Float64)"),
    ("short_seconds", "Nullable(Float64)"),
)
_WINDOW: Final = ("repeat_seconds", "UInt32")
_BESIDE: Final[dict[Grain, tuple[tuple[str, str], ...]]] = {
    Grain.CALLERS: (*_TIME, _SPLIT),
    Grain.FIRST_CONTACT: (*_TIME, _SPLIT, _WINDOW, ("same_topic", "UInt8")),
    Grain.CONVERSATION: (*_TIME, _SPLIT),
    Grain.SOLUTION: (*_TIME, _SPLIT, _WINDOW),
    Grain.BACKLOG: (*_TIME, _SPLIT),
    Grain.CHAT_TIME: (*_TIME, _SPLIT),
}
"""Views whose KPIs stand beside those of queues, with their parameters."""
_EXACT: Final = {Grain.QUEUE: "kpi_exact", Grain.CONVERSATION: "conversation_exact"}
"""Views that count single contacts, where those of the same grain read panes."""
_OF_OFFERED: Final = (Grain.CALLERS, Grain.FIRST_CONTACT)
"""Of these, who came: known of contacts that were offered. A message may be answered where, or
when, none was."""


_OF_NOW: Final = ("awaiting_reply", "longest_awaiting_reply_seconds")
"""What is known as it is now, and of no interval."""


class Queries(Protocol):
    """The part of `sinks.store.Store` that is needed here."""

    def query(self, sql: str, parameters: dict[str, Any] | None = None, /) -> list[dict[str, Any]]:
        """Run a query; one dict a row, times aware."""
        ...


@dataclass(frozen=True, slots=True)
class KpiResult:
    """KPIs of one queue (or agent, or whatever was split by) in one interval.

    `interval_start` and `interval_end` are aware, in UTC; None where the question had no bound.
    `values` maps KPI ids to numbers in the KPI's unit, None where there is nothing to divide by or
    where it is not known. `source` says what was read; thresholds are None where queues of one
    result have different ones.
    """

    tenant: str
    dimensions: dict[str, str]
    interval_start: datetime | None
    interval_end: datetime | None
    final: bool
    source: Source
    target_seconds: float | None
    short_abandon_seconds: float | None
    values: dict[str, Value]

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON: KPI ids as keys, `service_level_ratio` as an object of presets."""
        nested: dict[str, Any] = {}
        for kpi_id, value in self.values.items():
            head, _, rest = kpi_id.partition(".")
            if rest:
                nested.setdefault(head, {})[rest] = value
            else:
                nested[head] = value
        return {
            "tenant": self.tenant,
            **self.dimensions,
            "interval_start": _iso(self.interval_start),
            "interval_end": _iso(self.interval_end),
            "final": self.final,
            "source": self.source,
            "target_seconds": self.target_seconds,
            "short_abandon_seconds": self.short_abandon_seconds,
            **nested,
        }


def kpi_table(
    store: Queries,
    tenant: str,
    queue: str | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
    interval: str = "all",
    target: float | None = None,
    short: float | None = None,
    cohort: Cohort = "offered",
    timezone_of: Callable[[str], str] | None = None,
    split: Sequence[str] = ("queue",),
    repeat_seconds: int = REPEAT_SECONDS,
    same_topic: bool = False,
    families: Sequence[Family] = (),
    only: Mapping[str, str] | None = None,
) -> list[KpiResult]:
    """KPIs of a tenant's queues by interval, ordered by dimensions, then time.

    `from_` (inclusive) and `to` (exclusive) are aware. `target` and `short` in seconds: where one
    is given, or a bound lies within a pane, every visit is counted anew from interactions; else
    panes are read, for each queue's own thresholds. `timezone_of` gives a queue's IANA timezone
    (default: its settings, else UTC). Callers and first contacts are always by `offered`; a contact
    repeats an earlier one within `repeat_seconds`, with `same_topic` only one of the same topic;
    within `repeat_seconds` a solution is undone, too. Responses and resolutions count when they
    came, whichever the cohort; the backlog is that of the end of each interval (of `to`, without
    any), and who waits for a reply is known without intervals only.

    `families` are added as far as they can be split so; of a family that is split by queue only
    what met a queue. `only` restricts dimensions of the split to one value each.
    Raises `KpiQueryError` for a bad question, `sinks.errors.StoreError` from the store.
    """
    parameters = time_parameters(from_, to, interval)
    only = {**(only or {}), **({} if queue is None else {"queue": queue})}
    check(split, only, target, short, cohort)
    exact = not on_panes(from_, to) or beyond_panes(split, target, short)
    of_queues = (*_TIME, _COHORT, _SPLIT, *(_THRESHOLDS if exact else ()))
    parameters_of = {Grain.QUEUE: of_queues, **_BESIDE}
    views: dict[Grain | Family, str] = {
        **{
            grain: call(_EXACT.get(grain, grain.value) if exact else grain.value, wanted)
            for grain, wanted in parameters_of.items()
        },
        **{family: call(family.view, (*_TIME, _SPLIT)) for family in families},
    }
    parameters |= {
        "tenant": tenant,
        "cohort": cohort,
        "split": ",".join(split),
        "target_seconds": target,
        "short_seconds": short,
        "repeat_seconds": repeat_seconds,
        "same_topic": int(same_topic),
    }
    zones = zones_of(store, tenant, queue, timezone_of, split)
    results = answers(store, views, parameters, zones, split, only, exact=exact)
    if interval == "all":  # which is as long as was asked for
        return [replace(one, interval_start=from_, interval_end=to) for one in results]
    for one in results:
        for name in _OF_NOW:
            one.values.pop(name, None)
    return results


def check(
    split: Sequence[str],
    only: Mapping[str, str],
    target: float | None,
    short: float | None,
    cohort: str,
) -> None:
    """Raise `KpiQueryError` where no view can answer that."""
    if unknown := set(split) - set(DIMENSIONS):
        raise KpiQueryError(
            f"cannot split by {', '.join(sorted(unknown))}; by {', '.join(DIMENSIONS)} only"
        )
    if apart := only.keys() - set(split):
        raise KpiQueryError(f"one {min(apart)} was asked for: split by {min(apart)}")
    for name, seconds in (("target", target), ("short", short)):
        if seconds is not None and not 0 <= seconds <= DAY_SECONDS:
            raise KpiQueryError(f"{name} {seconds:g}: use seconds between 0 and {DAY_SECONDS}")
    if cohort not in ("offered", "ended"):
        raise KpiQueryError(f"cohort {cohort!r}: use offered or ended")


def beyond_panes(split: Sequence[str], target: float | None, short: float | None) -> bool:
    """Whether panes do not know it, so that single contacts are to be counted."""
    return target is not None or short is not None or not set(split) <= set(PANE_DIMENSIONS)


def answers(
    store: Queries,
    views: Mapping[Grain | Family, str],
    parameters: Mapping[str, Any],
    zones: Mapping[str, list[str]],
    split: Sequence[str],
    only: Mapping[str, str],
    *,
    exact: bool,
) -> list[KpiResult]:
    """What the views (by what they count) say of each place and interval, one result each.

    `parameters` are theirs, and `tenant`; `zones` as `zones_of` gives them, to be asked one by one.
    """
    results = []
    source: Source = "interactions" if exact else "panes"
    for zone, queues in zones.items():
        asked = {**parameters, "timezone": zone, "queues": queues}
        for rows in _found(store, views, asked, split, only).values():
            first = next(iter(rows.values()))
            values: dict[str, Value] = {}
            for grain in views:
                if set(split) <= set(grain.dimensions):
                    values |= values_of(rows.get(grain, {}), grain)
            results.append(
                KpiResult(
                    tenant=parameters["tenant"],
                    dimensions={name: first[name] for name in DIMENSIONS if name in split},
                    interval_start=first["interval_start"],
                    interval_end=first["interval_end"],
                    final=bool(first["final"]),
                    source=source if Grain.QUEUE in rows else "events",
                    target_seconds=first.get("target_seconds"),
                    short_abandon_seconds=first.get("short_abandon_seconds"),
                    values=values,
                )
            )
    return sorted(results, key=_place_and_time)


def agent_table(
    store: Queries,
    tenant: str,
    agent: str | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
    interval: str = "all",
    timezone: str = "UTC",
) -> list[KpiResult]:
    """KPIs of a tenant's agents by interval (of whole panes), ordered by agent, then time.

    Raises `KpiQueryError` for a bad question, `sinks.errors.StoreError` from the store.
    """
    parameters = time_parameters(from_, to, interval)
    if parameters["interval_seconds"] % AGENT_PANE_SECONDS:
        minutes = AGENT_PANE_SECONDS // 60
        raise KpiQueryError(f"interval {interval!r}: agents are counted by {minutes} minutes")
    rows = store.query(
        f"SELECT * FROM {call('agent_interval', _TIME)} WHERE tenant = {{tenant:String}}"
        " AND ({agent:String} = '' OR agent = {agent:String}) ORDER BY agent, interval_start",
        {
            **parameters,
            "timezone": known_timezone(timezone),
            "tenant": tenant,
            "agent": agent or "",
        },
    )
    results = []
    for row in rows:
        start, end = bounds_of(row, from_, to, interval)
        results.append(
            KpiResult(
                tenant=tenant,
                dimensions={"agent": row["agent"]},
                interval_start=start,
                interval_end=end,
                final=bool(row["final"]),
                source="panes",
                target_seconds=None,
                short_abandon_seconds=None,
                values=values_of(row, Grain.AGENT),
            )
        )
    return results


def merged(results: Sequence[KpiResult], others: Sequence[KpiResult]) -> list[KpiResult]:
    """Results of one place and interval as one; those of `results` go before."""

    def place(result: KpiResult) -> tuple[object, ...]:
        return (result.tenant, *result.dimensions.items(), result.interval_start)

    found = {place(other): other for other in others}
    joined = []
    for result in results:
        other = found.pop(place(result), None)
        values = result.values if other is None else {**other.values, **result.values}
        joined.append(replace(result, values=values))
    joined += found.values()
    return sorted(joined, key=_place_and_time)


def _place_and_time(result: KpiResult) -> tuple[tuple[str, ...], datetime]:
    return tuple(result.dimensions.values()), result.interval_start or EVER_FROM


_Key = tuple[Any, ...]
_Rows = dict[Grain | Family, dict[str, Any]]


def _found(
    store: Queries,
    views: Mapping[Grain | Family, str],
    asked: dict[str, Any],
    split: Sequence[str],
    only: Mapping[str, str],
) -> dict[_Key, _Rows]:
    """By place and interval, the row of each view that has one there."""
    found: dict[_Key, _Rows] = {}
    for grain, called in views.items():
        if not set(split) <= set(grain.dimensions):
            continue
        for row in _rows(store, called, asked, only):
            key = (*(row[name] for name in split), row["interval_start"])
            begins = grain not in _OF_OFFERED
            if isinstance(grain, Family):  # what met no queue is no queue's
                begins = "queue" not in split or row["queue"] != ""
            if begins or key in found:
                found.setdefault(key, {})[grain] = row
    return found


def _rows(
    store: Queries, view: str, parameters: dict[str, Any], only: Mapping[str, str]
) -> list[dict[str, Any]]:
    chosen = " AND queue IN {queues:Array(String)}" if parameters["queues"] else ""
    chosen += "".join(f" AND {name} = {{only_{name}:String}}" for name in only)
    return store.query(
        f"SELECT * FROM {view} WHERE tenant = {{tenant:String}}{chosen}",
        parameters | {f"only_{name}": value for name, value in only.items()},
    )


_COUNTED: Final = {
    "contacts",
    "customers",
    "legs",
    "messages",
    "ratings",
    "replies",
    "rings",
    "uses",
}


def values_of(row: dict[str, Any], grain: Grain | Family) -> dict[str, Value]:
    """KPI values by id; a row that is not there counted nothing."""
    values: dict[str, Value] = {}
    for kpi in of_grain(grain):
        is_count = isinstance(grain, Grain) or kpi.expression in kpi.counts
        nothing = 0 if is_count and kpi.unit in _COUNTED else None
        value = row.get(kpi.column) if row else nothing
        values[kpi.id] = float(value) if isinstance(value, Decimal) else value
    return values


def _timezones(store: Queries, tenant: str) -> Callable[[str], str]:
    rows = store.query(
        "SELECT queue, timezone FROM queue_settings FINAL WHERE tenant = {tenant:String}",
        {"tenant": tenant},
    )
    zones = {row["queue"]: row["timezone"] for row in rows if row["timezone"]}
    return lambda queue: zones.get(queue) or zones.get("", "UTC")


def zones_of(
    store: Queries,
    tenant: str,
    queue: str | None,
    timezone_of: Callable[[str], str] | None,
    split: Sequence[str],
) -> dict[str, list[str]]:
    """Timezone -> its queues, to ask each timezone once; an empty list means all queues."""
    timezone_of = timezone_of or _timezones(store, tenant)
    if "queue" not in split:
        return {known_timezone(timezone_of("")): []}
    if queue is not None:
        return {known_timezone(timezone_of(queue)): [queue]}
    rows = store.query(
        "SELECT DISTINCT queue FROM (SELECT queue FROM kpi_panes WHERE tenant = {tenant:String}"
        " UNION ALL SELECT arrayJoin(if(empty(visits_queue), [''], visits_queue))"
        " FROM interactions WHERE tenant = {tenant:String})",
        {"tenant": tenant},
    )
    zones: dict[str, list[str]] = {}
    for row in rows:
        zones.setdefault(known_timezone(timezone_of(row["queue"])), []).append(row["queue"])
    return zones


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
