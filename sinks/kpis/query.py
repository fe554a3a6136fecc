"""KPIs as values: reads the views, says which source was read. Touches the store it is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.rows import AGENT_PANE_SECONDS
from sinks.kpis.buckets import DAY_SECONDS, WHOLE_SECONDS
from sinks.kpis.catalogue import explain, of_grain
from sinks.kpis.definition import Grain
from sinks.kpis.rows_sql import DIMENSIONS
from sinks.kpis.views import PANE_SECONDS, call

__all__ = ["KpiQueryError", "KpiResult", "agent_table", "explain", "interval_of", "kpi_table"]

Cohort = Literal["offered", "ended"]
Value = int | float | None

EVER_FROM: Final = datetime(1970, 1, 1, tzinfo=UTC)
EVER_TO: Final = datetime(2200, 1, 1, tzinfo=UTC)
REPEAT_SECONDS: Final = 86_400
"""The window of first contact resolution where none is asked for."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
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
_REPEATS: Final = (("repeat_seconds", "UInt32"), ("same_topic", "UInt8"))


class KpiQueryError(ValueError):
    """A question that the KPI views cannot answer; the message says what can be asked."""


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
    source: Literal["panes", "interactions"]
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


def interval_of(text: str) -> int:
    """Seconds of an interval as people write it: 10s … 30m, 1h, 1d, all (0).

    Raises `KpiQueryError` when intervals of that length cannot be aligned.
    """
    if text == "all":
        return WHOLE_SECONDS
    if text == "1d":
        return DAY_SECONDS
    number, unit = text[:-1], text[-1:]
    seconds = int(number) * _UNITS[unit] if number.isdecimal() and unit in _UNITS else 0
    if seconds < PANE_SECONDS or seconds % PANE_SECONDS or 3600 % seconds:
        raise KpiQueryError(
            f"interval {text!r}: use a whole part of an hour in steps of 10 seconds"
            " (10s, 30s, 1m, 5m, 15m, 30m, 1h), a day of the queue's timezone (1d), or all"
        )
    return seconds


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
) -> list[KpiResult]:
    """KPIs of a tenant's queues by interval, ordered by dimensions, then time.

    `from_` (inclusive) and `to` (exclusive) are aware. `target` and `short` in seconds: where one
    is given, or a bound lies within a pane, every visit is counted anew from interactions; else
    panes are read, for each queue's own thresholds. `timezone_of` gives a queue's IANA timezone
    (default: its settings, else UTC). Callers and first contacts are always by `offered`; a contact
    repeats an earlier one within `repeat_seconds`, with `same_topic` only one of the same topic.
    Raises `KpiQueryError` for a bad question, `sinks.errors.StoreError` from the store.
    """
    parameters = _time_parameters(from_, to, interval)
    unknown = set(split) - set(DIMENSIONS)
    if unknown:
        raise KpiQueryError(f"cannot split by {', '.join(sorted(unknown))}; by {DIMENSIONS} only")
    for name, seconds in (("target", target), ("short", short)):
        if seconds is not None and not 0 <= seconds <= DAY_SECONDS:
            raise KpiQueryError(f"{name} {seconds:g}: use seconds between 0 and {DAY_SECONDS}")
    if cohort not in ("offered", "ended"):
        raise KpiQueryError(f"cohort {cohort!r}: use offered or ended")
    if queue is not None and "queue" not in split:
        raise KpiQueryError("one queue was asked for: split by queue")
    exact = target is not None or short is not None or not _on_panes(from_, to)
    view = call(
        "kpi_exact" if exact else "kpi_interval",
        (*_TIME, _COHORT, _SPLIT, *(_THRESHOLDS if exact else ())),
    )
    parameters |= {
        "tenant": tenant,
        "cohort": cohort,
        "split": ",".join(split),
        "target_seconds": target,
        "short_seconds": short,
        "repeat_seconds": repeat_seconds,
        "same_topic": int(same_topic),
    }
    results = []
    zones = _zones(store, tenant, queue, timezone_of or _timezones(store, tenant), split)
    for zone, queues in zones.items():
        asked = {**parameters, "timezone": zone, "queues": queues}
        about_customers = _customers(store, asked)
        for row in _rows(store, view, asked):
            values = _values(row, Grain.QUEUE)
            for grain, found in about_customers.items():
                values |= _values(found.get(_key(row), {}), grain)
            bounds = _bounds(row, from_, to, interval)
            results.append(
                KpiResult(
                    tenant=tenant,
                    dimensions={name: row[name] for name in DIMENSIONS if name in split},
                    interval_start=bounds[0],
                    interval_end=bounds[1],
                    final=bool(row["final"]),
                    source="interactions" if exact else "panes",
                    target_seconds=row["target_seconds"],
                    short_abandon_seconds=row["short_abandon_seconds"],
                    values=values,
                )
            )
    results.sort(key=lambda r: (tuple(r.dimensions.values()), r.interval_start or EVER_FROM))
    return results


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
    parameters = _time_parameters(from_, to, interval)
    if parameters["interval_seconds"] % AGENT_PANE_SECONDS:
        minutes = AGENT_PANE_SECONDS // 60
        raise KpiQueryError(f"interval {interval!r}: agents are counted by {minutes} minutes")
    rows = store.query(
        f"SELECT * FROM {call('agent_interval', _TIME)} WHERE tenant = {{tenant:String}}"
        " AND ({agent:String} = '' OR agent = {agent:String}) ORDER BY agent, interval_start",
        {**parameters, "timezone": _checked(timezone), "tenant": tenant, "agent": agent or ""},
    )
    results = []
    for row in rows:
        start, end = _bounds(row, from_, to, interval)
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
                values=_values(row, Grain.AGENT),
            )
        )
    return results


def _time_parameters(from_: datetime | None, to: datetime | None, interval: str) -> dict[str, Any]:
    for name, at in (("from", from_), ("to", to)):
        if at is not None and at.tzinfo is None:
            raise KpiQueryError(f"{name} {at.isoformat()}: say the timezone, as in …+00:00")
    if from_ is not None and to is not None and from_ >= to:
        raise KpiQueryError(f"from {from_.isoformat()} is not before to {to.isoformat()}")
    return {
        "from_at": _literal(from_ or EVER_FROM),
        "to_at": _literal(to or EVER_TO),
        "interval_seconds": interval_of(interval),
    }


def _literal(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _on_panes(*bounds: datetime | None) -> bool:
    pane = timedelta(seconds=PANE_SECONDS)
    return all(at is None or (at - EVER_FROM) % pane == timedelta(0) for at in bounds)


def _rows(store: Queries, view: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    only = " AND queue IN {queues:Array(String)}" if parameters["queues"] else ""
    return store.query(f"SELECT * FROM {view} WHERE tenant = {{tenant:String}}{only}", parameters)


def _customers(
    store: Queries, parameters: dict[str, Any]
) -> dict[Grain, dict[tuple[Any, ...], dict[str, Any]]]:
    views = {
        Grain.CALLERS: call("callers", (*_TIME, _SPLIT)),
        Grain.FIRST_CONTACT: call("fcr", (*_TIME, _SPLIT, *_REPEATS)),
    }
    return {
        grain: {_key(row): row for row in _rows(store, view, parameters)}
        for grain, view in views.items()
    }


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return (*(row[name] for name in DIMENSIONS), row["interval_start"])


_COUNTED: Final = {"contacts", "customers", "rings"}


def _values(row: dict[str, Any], grain: Grain) -> dict[str, Value]:
    """KPI values by id; a row that is not there counted nothing."""
    values: dict[str, Value] = {}
    for kpi in of_grain(grain):
        value = row.get(kpi.column) if row else 0 if kpi.unit in _COUNTED else None
        values[kpi.id] = float(value) if isinstance(value, Decimal) else value
    return values


def _bounds(
    row: dict[str, Any], from_: datetime | None, to: datetime | None, interval: str
) -> tuple[datetime | None, datetime | None]:
    if interval == "all":
        return from_, to
    return row["interval_start"], row["interval_end"]


def _timezones(store: Queries, tenant: str) -> Callable[[str], str]:
    rows = store.query(
        "SELECT queue, timezone FROM queue_settings FINAL WHERE tenant = {tenant:String}",
        {"tenant": tenant},
    )
    zones = {row["queue"]: row["timezone"] for row in rows if row["timezone"]}
    return lambda queue: zones.get(queue) or zones.get("", "UTC")


def _zones(
    store: Queries,
    tenant: str,
    queue: str | None,
    timezone_of: Callable[[str], str],
    split: Sequence[str],
) -> dict[str, list[str]]:
    """Timezone -> its queues, to ask each timezone once; an empty list means all queues."""
    if "queue" not in split:
        return {_checked(timezone_of("")): []}
    if queue is not None:
        return {_checked(timezone_of(queue)): [queue]}
    rows = store.query(
        "SELECT DISTINCT queue FROM (SELECT queue FROM kpi_panes WHERE tenant = {tenant:String}"
        " UNION ALL SELECT arrayJoin(visits_queue) FROM interactions"
        " WHERE tenant = {tenant:String})",
        {"tenant": tenant},
    )
    zones: dict[str, list[str]] = {}
    for row in rows:
        zones.setdefault(_checked(timezone_of(row["queue"])), []).append(row["queue"])
    return zones


def _checked(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise KpiQueryError(f"timezone {zone!r} is not known: use a name like UTC") from error
    return zone


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
