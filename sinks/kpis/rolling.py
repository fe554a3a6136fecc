"""KPIs of trailing windows: what a live figure was at any moment. Reads the store it is given."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from sinks.kpis.definition import DIMENSIONS, PANE_DIMENSIONS, Family, Grain
from sinks.kpis.intervals import EVER_FROM, KpiQueryError, instant_literal, interval_of
from sinks.kpis.query import Cohort, KpiResult, Queries, values_of
from sinks.kpis.views import call

LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""No window ends later: ends are Unix seconds of 32 bits in SQL."""
_INSTANT: Final = "DateTime64(3, 'UTC')"
_WINDOWS: Final = (
    ("from_at", _INSTANT),
    ("to_at", _INSTANT),
    ("window_seconds", "UInt32"),
    ("step_seconds", "UInt32"),
    ("split", "String"),
)


def rolling_table(
    store: Queries,
    tenant: str,
    window: str,
    step: str,
    from_: datetime | None = None,
    to: datetime | None = None,
    *,
    cohort: Cohort = "offered",
    split: Sequence[str] = ("queue",),
    families: Sequence[Family] = (),
    only: Mapping[str, str] | None = None,
) -> list[KpiResult]:
    """KPIs of windows of length `window` that end every `step`, by dimensions, then time.

    Lengths are as intervals are written. `from_` and `to` are the first and the last end. Read from
    panes, so by their dimensions and for each queue's own thresholds; of `families` those that can
    be split so. Windows in which nothing was offered, or counted, are left out. Raises
    `KpiQueryError` for a bad question, `sinks.errors.StoreError` from the store.
    """
    if apart := set(split) - set(PANE_DIMENSIONS):
        known = ", ".join(PANE_DIMENSIONS)
        raise KpiQueryError(f"windows cannot be split by {min(apart)}; by {known} only")
    only = only or {}
    if apart := only.keys() - set(split):
        raise KpiQueryError(f"one {min(apart)} was asked for: split by {min(apart)}")
    lengths = {"window_seconds": interval_of(window), "step_seconds": interval_of(step)}
    if not all(lengths.values()):
        raise KpiQueryError("windows have a length, and end at every step: not `all`")
    asked = {
        **lengths,
        "tenant": tenant,
        "from_at": instant_literal(from_ or EVER_FROM),
        "to_at": instant_literal(min(to or LATEST, LATEST)),
        "split": ",".join(split),
        "cohort": cohort,
        **{f"only_{name}": value for name, value in only.items()},
    }
    chosen = "".join(f" AND {name} = {{only_{name}:String}}" for name in only)
    views: dict[Grain | Family, str] = {
        Grain.QUEUE: call("kpi_rolling", (*_WINDOWS, ("cohort", "String"))),
        **{
            family: call(f"{family.view}_rolling", _WINDOWS)
            for family in families
            if set(split) <= set(family.dimensions)
        },
    }
    found: dict[tuple[object, ...], KpiResult] = {}
    for grain, view in views.items():
        for row in store.query(
            f"SELECT * FROM {view} WHERE tenant = {{tenant:String}}{chosen}", asked
        ):
            key = (*(row[name] for name in split), row["interval_end"])
            if key not in found:
                found[key] = KpiResult(
                    tenant=tenant,
                    dimensions={name: row[name] for name in DIMENSIONS if name in split},
                    interval_start=row["interval_start"],
                    interval_end=row["interval_end"],
                    final=bool(row["final"]),
                    source="panes" if grain is Grain.QUEUE else "events",
                    target_seconds=row.get("target_seconds"),
                    short_abandon_seconds=row.get("short_abandon_seconds"),
                    values={k: v for each in views for k, v in values_of({}, each).items()},
                )
            found[key].values.update(values_of(row, grain))
    return sorted(
        found.values(),
        key=lambda r: (tuple(r.dimensions.values()), r.interval_end or LATEST),
    )
