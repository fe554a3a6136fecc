"""KPIs of trailing windows: what a live figure was at any moment. Reads the store it is given."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from schemas.rows import AGENT_PANE_SECONDS
from sinks.kpis.definition import Family, Grain
from sinks.kpis.intervals import EVER_FROM, KpiQueryError, instant_literal, interval_of
from sinks.kpis.query import (
    REPEAT_SECONDS,
    Cohort,
    KpiResult,
    Queries,
    answers,
    beyond_panes,
    check,
    zones_of,
)
from sinks.kpis.views import call

LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""No window ends later: ends are Unix seconds of 32 bits in SQL."""
_INSTANT: Final = "DateTime64(3, 'UTC')"
_ENDS: Final = (
    ("from_at", _INSTANT),
    ("to_at", _INSTANT),
    ("window_seconds", "UInt32"),
    ("step_seconds", "UInt32"),
)
_WINDOWS: Final = (*_ENDS, ("split", "String"))
_COHORT: Final = (*_WINDOWS, ("cohort", "String"))
_EXACT: Final = (
    *_COHORT,
    ("target_seconds", "Nullable(Float64)"),
    ("short_seconds", "Nullable(Float64)"),
)
_REPEATS: Final = (*_WINDOWS, ("repeat_seconds", "UInt32"))


def rolling_table(
    store: Queries,
    tenant: str,
    window: str,
    step: str,
    from_: datetime | None = None,
    to: datetime | None = None,
    target: float | None = None,
    short: float | None = None,
    *,
    cohort: Cohort = "offered",
    timezone_of: Callable[[str], str] | None = None,
    split: Sequence[str] = ("queue",),
    repeat_seconds: int = REPEAT_SECONDS,
    same_topic: bool = False,
    families: Sequence[Family] = (),
    only: Mapping[str, str] | None = None,
) -> list[KpiResult]:
    """KPIs of windows of length `window` that end every `step`, by dimensions, then time.

    Lengths are as intervals are written. `from_` and `to` are the first and the last end; the rest
    is as in `sinks.kpis.query.kpi_table`, with the agents' own KPIs where agents alone are told
    apart. Left out are what a window does not have (hours of the day, the backlog of an instant),
    chat concurrency where windows do not consist of whole slices of it, and windows in which
    nothing was counted. Raises `KpiQueryError` for a bad question, `sinks.errors.StoreError` from
    the store.
    """
    only = only or {}
    check(split, only, target, short, cohort)
    if "hour" in split:
        raise KpiQueryError("windows are not split by hour: they end at one")
    lengths = {"window_seconds": interval_of(window), "step_seconds": interval_of(step)}
    if not all(lengths.values()):
        raise KpiQueryError("windows have a length, and end at every step: not `all`")
    exact = beyond_panes(split, target, short)
    views: dict[Grain | Family, str] = {
        Grain.QUEUE: call("kpi_exact_rolling", _EXACT) if exact else call("kpi_rolling", _COHORT),
        Grain.CALLERS: call("callers_rolling", _WINDOWS),
        Grain.FIRST_CONTACT: call("fcr_rolling", (*_REPEATS, ("same_topic", "UInt8"))),
        Grain.CONVERSATION: call(
            "conversation_exact_rolling" if exact else "conversation_rolling", _WINDOWS
        ),
        Grain.SOLUTION: call("solutions_rolling", (*_REPEATS, ("timezone", "String"))),
        Grain.CHAT_TIME: call("chat_time_rolling", _WINDOWS),
        **{family: call(f"{family.view}_rolling", _WINDOWS) for family in families},
    }
    if tuple(split) == ("agent",) and not any(s % AGENT_PANE_SECONDS for s in lengths.values()):
        views[Grain.AGENT] = call("agent_rolling", _ENDS)
    parameters = {
        **lengths,
        "tenant": tenant,
        "from_at": instant_literal(from_ or EVER_FROM),
        "to_at": instant_literal(min(to or LATEST, LATEST)),
        "split": ",".join(split),
        "cohort": cohort,
        "target_seconds": target,
        "short_seconds": short,
        "repeat_seconds": repeat_seconds,
        "same_topic": int(same_topic),
    }
    zones = zones_of(store, tenant, only.get("queue"), timezone_of, split)
    return answers(store, views, parameters, zones, split, only, exact=exact)
