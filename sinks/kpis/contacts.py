"""The contacts behind a figure, and what each adds to its counts. Reads the store it is given."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sinks.kpis.buckets import ALIGNED, WHOLE_SECONDS
from sinks.kpis.catalogue import known
from sinks.kpis.conversations_sql import (
    BACKLOG_COUNTS,
    CONVERSATION_COUNTS,
    SOLUTION_COUNTS,
    backlog_rows,
    chat_rows,
    conversation_rows,
    solution_rows,
)
from sinks.kpis.counts import COUNTS
from sinks.kpis.customers_sql import (
    CALLER_COUNTS,
    FIRST_CONTACT_COUNTS,
    caller_rows,
    first_contact_rows,
)
from sinks.kpis.definition import Family, Grain, Kpi, Tally
from sinks.kpis.intervals import EVER_FROM, EVER_TO, KpiQueryError, instant_literal
from sinks.kpis.query import REPEAT_SECONDS, Queries
from sinks.kpis.rows_sql import HOUR
from sinks.kpis.views import counted_rows, visit_rows

MOST: Final = 10_000
"""Rows that are listed at most."""


class Behind(NamedTuple):
    """One row that a figure was made of.

    `dimensions` are those that say something; `adds` what the row adds to the counts of the KPI.
    `interaction_id` is empty where the row is about no contact.
    """

    interaction_id: str
    at: datetime
    dimensions: dict[str, str]
    adds: dict[str, Any]


def contacts_behind(
    store: Queries,
    tenant: str,
    kpi_id: str,
    from_: datetime | None = None,
    to: datetime | None = None,
    only: Mapping[str, str] | None = None,
) -> list[Behind]:
    """What adds to a KPI's counts, by time; `only` restricts dimensions to one value each.

    Contacts of queues are those that were offered in the time; the backlog is that of its end. Of
    callers, contacts add who called for the first and the second time. Raises `UnknownKpi`,
    `KpiQueryError` where it is made of something else than contacts, `StoreError`.
    """
    kpi = known(kpi_id)
    only = only or {}
    if apart := only.keys() - set(kpi.grain.dimensions):
        raise KpiQueryError(f"{kpi_id} is not known by {', '.join(sorted(apart))}")
    own = {name: HOUR if name == "hour" else f"toString({name})" for name in kpi.grain.dimensions}
    chosen = "".join(f" AND {own[name]} = {{only_{name}:String}}" for name in only)
    rows, counts = _rows_of(kpi, chosen)
    contact = "interaction_id" if "interaction_id" in rows else "''"
    named = [f"{sql} AS by_{name}" for name, sql in own.items() if name != "hour"]
    shown = ", ".join((f"{contact} AS contact", "at", *named, *counts))
    adding = " OR ".join(
        f"notEmpty({name})" if total == "groupArray" else f"ifNull({name}, 0) != 0"
        for name, total in counts.items()
    )
    found = store.query(
        f"SELECT {shown} FROM ({rows})"
        f" WHERE tenant = {{tenant:String}}{chosen} AND ({adding})"
        f" ORDER BY at, contact LIMIT {MOST}",
        {
            "tenant": tenant,
            "from_at": instant_literal(from_ or EVER_FROM),
            "to_at": instant_literal(to or EVER_TO),
            "timezone": "UTC",
            "interval_seconds": WHOLE_SECONDS,
            "cohort": "offered",
            "split": ",".join(kpi.grain.dimensions),
            "target_seconds": None,
            "short_seconds": None,
            "repeat_seconds": REPEAT_SECONDS,
            "same_topic": 0,
            **{f"only_{name}": value for name, value in only.items()},
        },
    )
    return [
        Behind(
            row["contact"],
            row["at"],
            {name: row[f"by_{name}"] for name in own if name != "hour" and row[f"by_{name}"]},
            {name: row[name] for name in counts if row[name]},
        )
        for row in found
    ]


def _rows_of(kpi: Kpi, chosen: str) -> tuple[str, dict[str, str]]:
    """A SELECT of rows with what they add, and the counts that the KPI uses, with their totals.

    Where rows depend on each other, they are those of the `chosen`.
    """
    words = set(re.findall(r"\w+", kpi.expression))
    counts: dict[str, str] = {}
    rows = ""
    if isinstance(kpi.grain, Family):
        used: dict[str, Tally] = {
            name: tally
            for name, tally in kpi.counts.items()
            if name in words and tally.total in ("sum", "min", "groupArray")
        }
        counts |= {name: tally.total for name, tally in used.items()}
        rows = counted_rows(kpi.grain, used)
    elif kpi.grain is Grain.QUEUE:
        counts |= {c.name: c.total for c in COUNTS if c.name in words and c.total != "merge"}
        rows = visit_rows()
        if "wait_bins" in words:
            counts = {"longest_wait_ms": "max"}
    elif kpi.grain is Grain.AGENT:
        raise KpiQueryError(
            f"{kpi.id} is made of what agents did and were, of which rows of contacts do not tell:"
            " `switchboard kpis --contacts` folds it from what was told"
        )
    else:
        given, of_row, kept = _SOURCES[kpi.grain]
        source = given(chosen) if kpi.grain is Grain.CALLERS else given("")
        # A quantile is read from bins: what is listed is what fell into them.
        words |= {name.removesuffix("_bins") + "_ms" for name in words if name.endswith("_bins")}
        counts |= {name: "sum" for name in of_row if name in words}
        adding = "".join(f", {of_row[name]} AS {name}" for name in counts)
        rows = f"SELECT *{adding} FROM ({source}) WHERE {kept}"
    if not counts:
        raise KpiQueryError(f"{kpi.id} is not made of single contacts that could be listed")
    return rows, counts


_OF_TIME: Final = ALIGNED.kept("at")
_FROM, _TO = (f"toUnixTimestamp64Milli({at})" for at in (ALIGNED.since, ALIGNED.until))
_SOURCES: Final[dict[Grain, tuple[Callable[[str], str], Mapping[str, str], str]]] = {
    Grain.CALLERS: (caller_rows, CALLER_COUNTS, "1"),
    Grain.FIRST_CONTACT: (lambda _: first_contact_rows(), FIRST_CONTACT_COUNTS, _OF_TIME),
    Grain.CONVERSATION: (lambda _: conversation_rows(), CONVERSATION_COUNTS, _OF_TIME),
    Grain.SOLUTION: (lambda _: solution_rows(), SOLUTION_COUNTS, _OF_TIME),
    Grain.BACKLOG: (
        lambda _: backlog_rows(),
        {**BACKLOG_COUNTS, "longest_awaiting_reply_ms": "waited"},
        "1",
    ),
    Grain.CHAT_TIME: (
        lambda _: chat_rows(),
        {"chat_ms": f"greatest(0, least(chat_ended, {_TO}) - greatest(chat_began, {_FROM}))"},
        "1",
    ),
}
"""Rows (of those that are chosen, where it matters), what each adds to counts, which are kept."""
