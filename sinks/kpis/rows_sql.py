"""SQL of the rows that KPI views are computed from, before they are grouped. Pure.

Everything that decides *which* contacts count, *when* and *by which thresholds* is here; how they
are counted is in `counts.py`, what is made of the counts in the catalogue. Durations are whole
milliseconds, instants UTC.
"""

from collections.abc import Sequence
from typing import Final

from schemas.settings import Settings
from schemas.topics import CHANNEL_OF
from sinks.kpis.buckets import ALIGNED, Buckets
from sinks.kpis.definition import PANE_DIMENSIONS

WATERMARK_AT: Final = "(SELECT watermark_at FROM watermark)"
LATEST_EVENT_AT: Final = "(SELECT latest_event_at FROM watermark)"


def milliseconds(seconds: float) -> int:
    """Seconds as whole milliseconds."""
    return round(seconds * 1000)


def watermark(settings: Settings) -> str:
    """One row: how far event time has come over all source partitions of interactions.

    Measured on the log alone: a partition is idle when its last record is older, by broker time,
    than the newest record of all partitions. Only the newest incarnation of a topic counts.
    """
    topics = ", ".join(f"'{topic}'" for topic in CHANNEL_OF)
    idle_ms = milliseconds(settings.processing.idle_partition_seconds)
    return f"""
SELECT
  minIf(event_time_at - toIntervalMillisecond(lateness_ms), active) AS watermark_at,
  max(event_time_at) AS latest_event_at,
  countIf(active) AS active_partitions,
  count() AS partitions
FROM
(
  SELECT *, produced_at >= max(produced_at) OVER () - toIntervalMillisecond({idle_ms}) AS active
  FROM
  (
    SELECT *, bitShiftRight(version, 44) AS epoch, max(epoch) OVER (PARTITION BY topic) AS newest
    FROM watermarks FINAL
    WHERE topic IN ({topics})
  )
  WHERE epoch = newest
)"""


def visits(columns: Sequence[str] = ()) -> str:
    """One row a queue visit of an interaction; `columns` of the interaction are added."""
    wanted = "".join(f"\n  {column}," for column in columns)
    return f"""
SELECT
  tenant,
  interaction_id,
  channel,
  direction,
  customer_key,
  last_event_at,{wanted}
  visit,
  queue,
  entered_at,
  exited_at,
  ended_at,
  outcome,
  agent,
  wait_ms,
  talk_ms,
  hold_ms,
  holds,
  wrapup_ms,
  ring_ms,
  missed_rings,
  transfer
FROM (SELECT * EXCEPT (ended_at, wait_ms, talk_ms, hold_ms, wrapup_ms, missed_rings)
  FROM interactions FINAL)
ARRAY JOIN
  arrayEnumerate(visits_queue) AS visit,
  CAST(visits_queue, 'Array(LowCardinality(String))') AS queue,
  visits_entered_at AS entered_at,
  visits_exited_at AS exited_at,
  visits_ended_at AS ended_at,
  visits_outcome AS outcome,
  visits_agent AS agent,
  visits_wait_ms AS wait_ms,
  visits_talk_ms AS talk_ms,
  visits_hold_ms AS hold_ms,
  visits_holds AS holds,
  visits_wrapup_ms AS wrapup_ms,
  visits_ring_ms AS ring_ms,
  visits_missed_rings AS missed_rings,
  visits_transfer AS transfer"""


DESCRIBED: Final = ("purpose", "language", "site", "topic")


def with_skill(rows: str) -> str:
    """A SELECT of `rows` and the `skill` that was asked for; they have tenant, interaction_id, and
    the queue and `entered_at` of a visit.
    """
    return f"""
SELECT v.*, k.skill AS skill
FROM ({rows}) AS v
ANY LEFT JOIN (
  SELECT tenant, subject, labels['queue'] AS queue, counted_at, labels['skill'] AS skill
  FROM event_facts FINAL WHERE type = 'queue.entered'
) AS k ON k.tenant = v.tenant AND k.subject = v.interaction_id AND k.queue = v.queue
  AND k.counted_at = v.entered_at"""


def described_visits() -> str:
    """Visits with all that they can be split by, and what is known of the agents who answered."""
    rows = f"""
SELECT *, entered_at AS at, ifNull(exited_at, entered_at) AS left_at,
  toString(agent) AS answered_by
FROM ({visits(DESCRIBED)})"""
    return f"""
SELECT w.*, a.remote AS agent_is_remote, toString(a.site) AS agent_site
FROM ({with_skill(rows)}) AS w
ASOF LEFT JOIN (
  SELECT tenant, agent, counted_at, remote, site FROM agent_states FINAL WHERE remote IS NOT NULL
) AS a ON a.tenant = w.tenant AND a.agent = w.answered_by AND a.counted_at <= w.left_at"""


_SETTINGS: Final = """(
  SELECT tenant, queue, target_ms, short_abandon_ms, service_level_preset, business_minutes,
    1 AS found
  FROM queue_settings FINAL
)"""


def with_settings(rows: str, alias: str) -> str:
    """A FROM clause: `rows` as `alias` beside the settings of each row's queue, see `setting`."""
    return f"""{rows} AS {alias}
LEFT JOIN {_SETTINGS} AS s ON s.tenant = {alias}.tenant AND s.queue = {alias}.queue
LEFT JOIN {_SETTINGS} AS d ON d.tenant = {alias}.tenant AND d.queue = ''"""


def setting(column: str, default: str) -> str:
    """A setting of the row's queue, else of its tenant's unnamed queues, else `default`."""
    return f"multiIf(s.found = 1, s.{column}, d.found = 1, d.{column}, {default})"


def silent_past_horizon(settings: Settings) -> str:
    """Whether the interaction of a visit row has been silent past its channel's horizon."""
    by_channel = settings.processing.horizon_seconds.model_dump()
    channels = ", ".join(f"'{channel}'" for channel in by_channel)
    horizons = ", ".join(f"toInt64({milliseconds(h)})" for h in by_channel.values())
    horizon = f"transform(toString(channel), [{channels}], [{horizons}], toInt64(0))"
    return f"{horizon} > 0 AND last_event_at + toIntervalMillisecond({horizon}) < {WATERMARK_AT}"


HOUR: Final = "leftPad(toString(toHour(at, {timezone:String})), 2, '0')"
"""The hour of the day of a row's instant `at`, as `00` to `23`."""


def split_dimensions(alias: str, names: Sequence[str] = PANE_DIMENSIONS) -> str:
    """Select list of dimensions; one that `{split:String}` does not name reads ''."""
    of_row = {name: HOUR if name == "hour" else f"toString({alias}.{name})" for name in names}
    return ",\n  ".join(
        f"if(has(splitByChar(',', {{split:String}}), '{name}'), {value}, '') AS {name}"
        for name, value in of_row.items()
    )


def told_apart(names: Sequence[str], buckets: Buckets) -> list[str]:
    """Of dimensions those that views of such buckets have: rolling windows know no hours of the
    day, which are an interval's.
    """
    return [name for name in names if name != "hour" or buckets is ALIGNED]


def with_customer(rows: str) -> str:
    """A SELECT of `rows` (which have tenant and a customer_key) and `customer_id`."""
    return f"""
SELECT k.*, if(m.customer_id != '', m.customer_id, k.customer_key) AS customer_id
FROM ({rows}) AS k
LEFT JOIN (SELECT * FROM customers) AS m
  ON m.tenant = k.tenant AND m.customer_key = k.customer_key"""


def interval_columns(buckets: Buckets) -> str:
    """Select list of an interval's bounds, and whether it is final."""
    return f"""{buckets.begins} AS interval_start,
  {buckets.ends} AS interval_end,
  {buckets.ends} <= {WATERMARK_AT} AS final"""
