"""The views: the catalogue, rendered as ClickHouse SQL. Pure; `switchboard migrate` creates them.

Views over time take parameters, as in `SELECT * FROM kpi_interval(interval_seconds = 1800, …)`;
those of time are described in `buckets.py`. The others:

- `cohort` String: `offered` puts a contact into the interval in which it entered the queue, `ended`
  into the one in which it was concluded (wrap-up included).
- `split` String: by what to group beside tenant and time, of `queue,channel,direction`; the
  dimensions not named read ''. No visit is counted twice, so `''` is the tenant's total.
- `target_seconds`, `short_seconds` Nullable(Float64): thresholds; NULL takes each queue's own.

Restrict by `WHERE tenant = …`, and by dimensions of the split: tenant, cohort and time reach the
tables' keys and partitions, the others are filtered before rows are grouped. `final` says that the
watermark has passed the interval: late events aside, its numbers will not change.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from schemas.settings import DEFAULT_QUEUE, Settings
from sinks.kpis import counts
from sinks.kpis.buckets import ALIGNED, ROLLING, Buckets
from sinks.kpis.catalogue import FAMILIES, of_grain
from sinks.kpis.conversations_sql import (
    backlog,
    chat_time,
    conversations,
    solutions,
)
from sinks.kpis.customers_sql import (
    callers,
    customers,
    first_contacts,
    first_contacts_by_window,
    inbound_contacts,
)
from sinks.kpis.definition import PANE_DIMENSIONS, VISIT_DIMENSIONS, Family, Grain, Tally
from sinks.kpis.definitions.service_level import PRESETS
from sinks.kpis.families import contacts
from sinks.kpis.live_sql import breach_contacts, breaches, queues_now
from sinks.kpis.rows_sql import (
    WATERMARK_AT,
    described_visits,
    interval_columns,
    setting,
    silent_past_horizon,
    split_dimensions,
    told_apart,
    visits,
    watermark,
    with_settings,
)
from sinks.kpis.selecting import select_kpis

PANE_SECONDS: Final = 10
_COHORT: Final = "{cohort:String}"
_VISIT_AT: Final = f"if({_COHORT} = 'ended', v.ended_at, v.entered_at)"
_VISIT_PANE_AT: Final = (
    f"toStartOfInterval(assumeNotNull({_VISIT_AT}), toIntervalSecond({PANE_SECONDS}))"
)


def views(settings: Settings | None = None) -> list[tuple[str, str]]:
    """All views as (name, SELECT), each after those that it reads.

    Of the settings they hold the idle time and the silence horizons of partitions and channels, and
    the thresholds of queues of tenants that have none in `queue_settings`.
    """
    settings = settings or Settings()
    return [
        ("watermark", watermark(settings)),
        ("queue_visits", _queue_visits()),
        ("kpi_panes_current", _panes_current()),
        ("kpi_interval", _kpis(_pane_rows(settings, ALIGNED), ALIGNED)),
        ("kpi_rolling", _kpis(_pane_rows(settings, ROLLING), ROLLING)),
        ("kpi_exact", _kpis(_visit_rows(settings, ALIGNED), ALIGNED, VISIT_DIMENSIONS)),
        ("kpi_exact_rolling", _kpis(_visit_rows(settings, ROLLING), ROLLING, VISIT_DIMENSIONS)),
        ("service_level", _service_level(settings)),
        ("customers", customers()),
        ("callers", callers(ALIGNED)),
        ("callers_rolling", callers(ROLLING)),
        ("inbound_contacts", inbound_contacts()),
        ("fcr", first_contacts(ALIGNED)),
        ("fcr_rolling", first_contacts(ROLLING)),
        ("fcr_windows", first_contacts_by_window()),
        ("conversation_interval", conversations(ALIGNED)),
        ("conversation_rolling", conversations(ROLLING)),
        ("conversation_exact", conversations(ALIGNED, VISIT_DIMENSIONS)),
        ("conversation_exact_rolling", conversations(ROLLING, VISIT_DIMENSIONS)),
        ("solutions", solutions(ALIGNED)),
        ("solutions_rolling", solutions(ROLLING)),
        ("backlog", backlog()),
        ("chat_time", chat_time(ALIGNED)),
        ("chat_time_rolling", chat_time(ROLLING)),
        ("agent_interval", _agents(ALIGNED)),
        ("agent_rolling", _agents(ROLLING)),
        ("contacts", contacts()),
        *((family.view, _of_family(family, ALIGNED)) for family in FAMILIES),
        *((f"{family.view}_rolling", _of_family(family, ROLLING)) for family in FAMILIES),
        ("timeline", _timeline()),
        ("queues_now", queues_now()),
        ("breaches", breaches()),
        ("breach_contacts", breach_contacts()),
    ]


def _kpis(rows: str, buckets: Buckets, dimensions: Sequence[str] = PANE_DIMENSIONS) -> str:
    """KPIs of queues over `rows`, which carry the dimensions, `at`, thresholds and counts."""
    names = told_apart(dimensions, buckets)
    keys = ", ".join(("tenant", *names, "bucket"))
    return f"""
SELECT
  tenant, {", ".join(names)},
  {interval_columns(buckets)},
  target_ms / 1000 AS target_seconds,
  short_ms / 1000 AS short_abandon_seconds,
  {select_kpis(Grain.QUEUE)}
FROM
(
  SELECT {keys},
  if(uniqExact(applied_target_ms) = 1, any(applied_target_ms), NULL) AS target_ms,
  if(uniqExact(applied_short_ms) = 1, any(applied_short_ms), NULL) AS short_ms,
  {counts.added_up()}
  FROM (SELECT *, {buckets.keys} AS bucket FROM ({rows}))
  GROUP BY {keys}
  HAVING offered != 0
)"""


def _thresholds(settings: Settings, asked: bool) -> str:
    target = setting("target_ms", f"toInt64({settings.queue(DEFAULT_QUEUE).target_ms})")
    short = setting(
        "short_abandon_ms", f"toInt64({settings.queue(DEFAULT_QUEUE).short_abandon_ms})"
    )
    if asked:
        target, short = (
            f"if(isNull({{{name}:Nullable(Float64)}}), {own},"
            f" toInt64(round(assumeNotNull({{{name}:Nullable(Float64)}}) * 1000)))"
            for name, own in (("target_seconds", target), ("short_seconds", short))
        )
    return f"{target} AS applied_target_ms,\n  {short} AS applied_short_ms"


def _visit_source(settings: Settings, rows: str) -> str:
    """Visits as `v` beside settings, of the cohort asked for."""
    silent = f"{silent_past_horizon(settings)} AS silent_past_horizon"
    return with_settings(f"(SELECT *, {silent} FROM ({rows}))", "v")


def _visit_rows(settings: Settings, buckets: Buckets) -> str:
    return f"""
SELECT
  v.tenant AS tenant,
  assumeNotNull({_VISIT_AT}) AS at,
  {split_dimensions("v", told_apart(VISIT_DIMENSIONS, buckets))},
  {_thresholds(settings, asked=True)},
  {counts.of_visits()}
FROM {_visit_source(settings, f"SELECT * EXCEPT (at) FROM ({described_visits()})")}
WHERE {_VISIT_AT} IS NOT NULL AND {buckets.kept(_VISIT_AT)}"""


def visit_rows(settings: Settings | None = None) -> str:
    """Visits with the dimensions and counts of `kpi_exact`, one by one, with their contact."""
    rows = _visit_rows(settings or Settings(), ALIGNED)
    return rows.replace("SELECT\n", "SELECT\n  v.interaction_id AS interaction_id,\n", 1)


def _pane_rows(settings: Settings, buckets: Buckets) -> str:
    """Panes, and beside them from visits what panes cannot hold, put into panes likewise."""
    panes = f"SELECT * FROM kpi_panes FINAL WHERE cohort = {_COHORT} AND {buckets.kept('pane_at')}"
    return f"""
SELECT
  p.tenant AS tenant,
  {split_dimensions("p")},
  toDateTime64(p.pane_at, 3, 'UTC') AS at,
  {_thresholds(settings, asked=False)},
  {counts.of_panes()}
FROM {with_settings(f"({panes})", "p")}
UNION ALL
SELECT
  v.tenant AS tenant,
  {split_dimensions("v")},
  toDateTime64({_VISIT_PANE_AT}, 3, 'UTC') AS at,
  {_thresholds(settings, asked=False)},
  {counts.of_visits_beside_panes()}
FROM {_visit_source(settings, visits())}
WHERE {_VISIT_AT} IS NOT NULL AND {buckets.kept(_VISIT_PANE_AT)}"""


def _queue_visits() -> str:
    """One row a queue visit, in seconds, for people and dashboards."""
    described = ("purpose", "language", "site", "topic")
    durations = ("wait_ms", "talk_ms", "hold_ms", "wrapup_ms", "ring_ms")
    seconds = ",\n  ".join(f"{d} / 1000 AS {d.removesuffix('_ms')}_seconds" for d in durations)
    return f"""
SELECT * EXCEPT ({", ".join(durations)}),
  {seconds}
FROM ({visits(described)})"""


def _panes_current() -> str:
    """Panes added up over their partials. A threshold that not all partials know is left out."""
    histograms = (
        ("answered_within", "answered"),
        ("abandoned_within", "abandoned"),
        ("callback_within", "callback_accepted"),
        ("ended_within", "ended"),
    )
    plain = [c.name for c in counts.COUNTS if c.of_pane == f"p.{c.name}" and c.total == "sum"]
    sums = ",\n  ".join(f"sum(p.{name}) AS {name}" for name in plain)
    within = ",\n  ".join(
        f"mapFilter((k, n) -> has(groupArrayIntersectIf(mapKeys(p.{name}), p.{whole} != 0), k),"
        f" sumMap(p.{name})) AS {name}"
        for name, whole in histograms
    )
    keys = "tenant, queue, channel, direction, cohort, pane_at"
    return f"""
SELECT {keys},
  pane_at + toIntervalSecond({PANE_SECONDS}) <= {WATERMARK_AT} AS final,
  {sums},
  {within},
  sumMap(p.wait_bins) AS wait_bins
FROM kpi_panes AS p FINAL
GROUP BY {keys}"""


_INTERVAL_PARAMETERS: Final = (
    ("from_at", "DateTime64(3, 'UTC')"),
    ("to_at", "DateTime64(3, 'UTC')"),
    ("interval_seconds", "UInt32"),
    ("timezone", "String"),
    ("cohort", "String"),
    ("split", "String"),
)


def call(view: str, parameters: Sequence[tuple[str, str]]) -> str:
    """`view(…)` with each (name, type) bound to the query's parameter of the same name."""
    given = ", ".join(f"{name} = {{{name}:{kind}}}" for name, kind in parameters)
    return f"{view}({given})"


def _service_level(settings: Settings) -> str:
    """Long form of `kpi_interval`: one row a preset."""
    pairs = ", ".join(f"('{p.id}', v.service_level_ratio_{p.id})" for p in PRESETS)
    own = setting("service_level_preset", f"'{settings.queue(DEFAULT_QUEUE).service_level_preset}'")
    return f"""
SELECT
  v.tenant AS tenant, v.queue AS queue, v.channel AS channel, v.direction AS direction,
  v.interval_start AS interval_start, v.interval_end AS interval_end, v.final AS final,
  v.target_seconds AS target_seconds, v.short_abandon_seconds AS short_abandon_seconds,
  v.offered AS offered,
  pair.1 AS preset,
  pair.2 AS service_level_ratio,
  preset = {own} AS is_queue_preset
FROM {with_settings(f"(SELECT * FROM {call('kpi_interval', _INTERVAL_PARAMETERS)})", "v")}
ARRAY JOIN [{pairs}] AS pair"""


def _agents(buckets: Buckets) -> str:
    """KPIs of agents; intervals are whole panes of five minutes."""
    names = (
        "answered", "missed", "handled", "transferred", "outbound_attempted",
        "outbound_connected", "talk_ms", "hold_ms", "wrapup_ms", "ring_ms",
        "state_available_ms", "state_on_contact_ms", "state_wrapup_ms", "state_paused_ms",
    )  # fmt: skip
    sums = ",\n  ".join(f"sum(p.{name}) AS {name}" for name in names)
    return f"""
SELECT
  tenant, agent,
  {interval_columns(buckets)},
  {select_kpis(Grain.AGENT)}
FROM
(
  SELECT p.tenant AS tenant, p.agent AS agent, p.bucket AS bucket,
  {sums}
  FROM
  (
    SELECT *, {buckets.keys} AS bucket
    FROM (SELECT *, toDateTime64(pane_at, 3, 'UTC') AS at FROM agent_panes FINAL
      WHERE {buckets.kept("pane_at")})
  ) AS p
  GROUP BY tenant, agent, bucket
)"""


def counted_rows(family: Family, tallies: Mapping[str, Tally], buckets: Buckets = ALIGNED) -> str:
    """The rows of a family, with what each adds to the counts that are asked for."""
    counted = "".join(f",\n  {tally.of_row} AS {name}" for name, tally in tallies.items())
    return f"SELECT r.*{counted} FROM ({family.rows}) AS r WHERE {buckets.kept('r.at')}"


def _of_family(family: Family, buckets: Buckets) -> str:
    """KPIs over a family's rows, by what these can be split by; `begins` is that of the bucket."""
    dimensions = told_apart(family.dimensions, buckets)
    kpis = of_grain(family)
    tallies: dict[str, Tally] = {}
    for kpi in kpis:
        for name, tally in kpi.counts.items():
            if tallies.setdefault(name, tally) != tally:
                raise ValueError(f"{family.view}: {name!r} is counted in two ways")
    shown = ", ".join(("tenant", *dimensions))
    keys = f"{shown}, bucket"
    apart = f"{split_dimensions('f', dimensions)}," if dimensions else ""
    totals = ",\n  ".join(f"{tally.total}({name}) AS {name}" for name, tally in tallies.items())
    return f"""
SELECT
  {shown},
  {interval_columns(buckets)},
  {select_kpis(family)}
FROM
(
  SELECT {keys}, {buckets.begins} AS begins,
  {totals}
  FROM
  (
    SELECT *, {buckets.keys} AS bucket
    FROM
    (
      SELECT f.tenant AS tenant, f.at AS at, {apart}
      {", ".join(f"f.{name} AS {name}" for name in tallies)}
      FROM ({counted_rows(family, tallies, buckets)}) AS f
    )
  )
  GROUP BY {keys}
)"""


def _timeline() -> str:
    """Everything that happened with a customer, one row an event, over all channels."""
    return """
SELECT
  e.tenant AS tenant,
  c.customer_key AS customer_key,
  if(m.customer_id != '', m.customer_id, c.customer_key) AS customer_id,
  e.subject AS interaction_id,
  c.channel AS channel,
  e.occurred_at AS occurred_at,
  e.type AS type,
  e.source AS source,
  e.event_id AS event_id,
  e.topic AS topic,
  e.payload AS payload
FROM (SELECT * FROM customer_interactions FINAL) AS c
INNER JOIN (SELECT * FROM events FINAL) AS e
  ON e.tenant = c.tenant AND e.subject = c.interaction_id
LEFT JOIN (SELECT * FROM customers) AS m
  ON m.tenant = c.tenant AND m.customer_key = c.customer_key"""
