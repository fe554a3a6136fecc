"""The contacts behind a figure, and what each adds to its counts. Reads the store it is given."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sinks.kpis.buckets import ALIGNED
from sinks.kpis.catalogue import known
from sinks.kpis.counts import COUNTS
from sinks.kpis.customers_sql import FIRST_CONTACT_COUNTS, first_contact_rows
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

    Contacts of queues are those that were offered in the time. Raises `UnknownKpi`,
    `KpiQueryError` where it is made of panes of agents or of customers, `StoreError`.
    """
    kpi = known(kpi_id)
    rows, counts = _rows_of(kpi)
    only = only or {}
    if apart := only.keys() - set(kpi.grain.dimensions):
        raise KpiQueryError(f"{kpi_id} is not known by {', '.join(sorted(apart))}")
    own = {name: HOUR if name == "hour" else f"toString({name})" for name in kpi.grain.dimensions}
    chosen = "".join(f" AND {own[name]} = {{only_{name}:String}}" for name in only)
    named = ", ".join(f"{sql} AS by_{name}" for name, sql in own.items() if name != "hour")
    adding = " OR ".join(
        f"notEmpty({name})" if total == "groupArray" else f"ifNull({name}, 0) != 0"
        for name, total in counts.items()
    )
    contact = "interaction_id" if "interaction_id" in rows else "''"
    found = store.query(
        f"SELECT {contact} AS contact, at, {named}, {', '.join(counts)} FROM ({rows})"
        f" WHERE tenant = {{tenant:String}}{chosen} AND ({adding})"
        f" ORDER BY at, contact LIMIT {MOST}",
        {
            "tenant": tenant,
            "from_at": instant_literal(from_ or EVER_FROM),
            "to_at": instant_literal(to or EVER_TO),
            "timezone": "UTC",
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


def _rows_of(kpi: Kpi) -> tuple[str, dict[str, str]]:
    """A SELECT of rows with what they add, and the counts that the KPI uses, with their totals."""
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
    elif kpi.grain is Grain.FIRST_CONTACT:
        used_counts = {n: w for n, w in FIRST_CONTACT_COUNTS.items() if n in words}
        counts |= dict.fromkeys(used_counts, "sum")
        adding = "".join(f", {which} AS {name}" for name, which in used_counts.items())
        kept = ALIGNED.kept("at")
        rows = f"SELECT *{adding} FROM ({first_contact_rows()}) WHERE {kept}"
    if not counts:
        raise KpiQueryError(f"{kpi.id} is not made of single contacts that could be listed")
    return rows, counts
