"""Views of conversations: responses and resolutions by interval, solutions undone, backlog. Pure.

All have the columns and the parameters of time and split of `kpi_interval`.
"""

from typing import Final

from schemas.rows import ConversationPaneRow
from sinks.kpis.buckets import ALIGNED, DAY_SECONDS, WHOLE_SECONDS
from sinks.kpis.definition import PANE_DIMENSIONS, Grain
from sinks.kpis.definitions.conversations import BACKLOG_AGES
from sinks.kpis.rows_sql import (
    LATEST_EVENT_AT,
    interval_columns,
    setting,
    split_dimensions,
    visits,
    with_settings,
)
from sinks.kpis.selecting import select_kpis

_KEYS: Final = ", ".join(("tenant", *PANE_DIMENSIONS, "bucket"))
_INTERVAL: Final = "{interval_seconds:UInt32}"
_ZONE: Final = "{timezone:String}"
_FROM: Final = "{from_at:DateTime64(3, 'UTC')}"
_TO: Final = "{to_at:DateTime64(3, 'UTC')}"

CHAT_SLICE_SECONDS: Final = 300
"""Chats are cut into such slices to be put into intervals, which must consist of whole ones."""


def conversations_by_interval() -> str:
    """KPIs of responses and resolutions, from panes."""
    columns = ConversationPaneRow.columns()
    counted = columns[columns.index("version") + 1 :]
    names = ", ".join(f"p.{name} AS {name}" for name in counted)
    sums = ",\n  ".join(
        f"sum{'Map' if name.endswith('_bins') else ''}({name}) AS {name}" for name in counted
    )
    return f"""
SELECT
  tenant, queue, channel, direction,
  {interval_columns(ALIGNED)},
  {select_kpis(Grain.CONVERSATION)}
FROM
(
  SELECT {_KEYS},
  {sums}
  FROM
  (
    SELECT *, {ALIGNED.keys} AS bucket
    FROM
    (
      SELECT p.tenant AS tenant, {split_dimensions("p")},
        toDateTime64(p.pane_at, 3, 'UTC') AS at, {names}
      FROM (SELECT * FROM conversation_panes FINAL WHERE {ALIGNED.kept("pane_at")}) AS p
    )
  )
  GROUP BY {_KEYS}
)"""


def solutions() -> str:
    """Solutions by when they were found. Of its own `repeat_seconds` UInt32, the window."""
    window = "toIntervalSecond({repeat_seconds:UInt32})"
    return f"""
SELECT
  tenant, queue, channel, direction,
  {interval_columns(ALIGNED)},
  {select_kpis(Grain.SOLUTION)}
FROM
(
  SELECT {_KEYS},
    countIf(matured) AS mature,
    countIf(matured AND undone) AS mature_undone,
    countIf(is_first) AS firsts,
    countIf(is_last) AS lasts,
    sumIf(business_ms, is_first) AS first_business_ms,
    sumIf(business_ms, is_last) AS last_business_ms
  FROM
  (
    SELECT *, {ALIGNED.keys} AS bucket
    FROM
    (
      SELECT s.tenant AS tenant, {split_dimensions("s")},
        s.at AS at,
        s.at + {window} <= {LATEST_EVENT_AT} AS matured,
        ifNull(s.undone_at <= s.at + {window}, 0) AS undone,
        s.is_first AS is_first, s.is_last AS is_last,
        {_business_ms("s.started_at", "s.at", "s.business_minutes")} AS business_ms
      FROM
      (
        SELECT r.tenant AS tenant, r.queue AS queue, r.channel AS channel,
          r.direction AS direction, r.started_at AS started_at, r.at AS at,
          r.is_first AS is_first, r.is_last AS is_last, r.undone_at AS undone_at,
          {setting("business_minutes", "CAST([], 'Array(UInt16)')")} AS business_minutes
        FROM {with_settings(f"({_SOLUTIONS})", "r")}
      ) AS s
    )
    WHERE {ALIGNED.kept("at")}
  )
  GROUP BY {_KEYS}
)"""


_SOLUTIONS: Final = """
        SELECT tenant, channel, direction, started_at, at,
          number = 1 AS is_first, number = length(solved_at) AS is_last,
          if(number <= length(reopened_at), toNullable(reopened_at[number]), NULL) AS undone_at,
          visits_queue[arrayLastIndex(entered -> entered <= at, visits_entered_at)] AS queue
        FROM (SELECT * FROM interactions FINAL WHERE notEmpty(solved_at))
        ARRAY JOIN solved_at AS at, arrayEnumerate(solved_at) AS number"""


def _business_ms(since: str, until: str, minutes: str) -> str:
    """Milliseconds of business hours between two instants; all of them where there are no hours.

    Hours are on the wall of the timezone asked in, so a day on which clocks change has as many as
    any other.
    """
    first, last = f"toUnixTimestamp64Milli({since})", f"toUnixTimestamp64Milli({until})"
    monday = f"toMonday(toDate({since}, {_ZONE}))"

    def instant(index: str) -> str:
        minute = f"toUInt32({minutes}[{index}])"
        day = f"({monday} + week * 7 + intDiv({minute}, 1440))"
        return (
            f"toInt64(toUnixTimestamp(makeDateTime(toYear{day}, toMonth{day}, toDayOfMonth{day},"
            f" intDiv({minute} % 1440, 60), {minute} % 60, 0, {_ZONE}))) * 1000"
        )

    within = (
        f"greatest(toInt64(0), least({last}, {instant('2 * hours')})"
        f" - greatest({first}, {instant('2 * hours - 1')}))"
    )
    weeks = f"range(toUInt32(intDiv(toDate({until}, {_ZONE}) - {monday}, 7) + 1))"
    hours = f"range(1, intDiv(length({minutes}), 2) + 1)"
    return (
        f"if(empty({minutes}), {last} - {first}, arraySum(arrayMap(week ->"
        f" arraySum(arrayMap(hours -> {within}, {hours})), {weeks})))"
    )


def backlog() -> str:
    """What is to do at the end of the time asked for; of intervals it knows nothing."""
    then = f"least({_TO}, {LATEST_EVENT_AT})"
    ages = ",\n    ".join(
        f"countIf(undone AND age >= {begin}{'' if end is None else f' AND age < {end}'})"
        f" AS backlog_{name}"
        for name, _, begin, end in BACKLOG_AGES
    )
    return f"""
SELECT
  tenant, queue, channel, direction,
  {_FROM} AS interval_start,
  {_TO} AS interval_end,
  0 AS final,
  {select_kpis(Grain.BACKLOG)}
FROM
(
  SELECT tenant, queue, channel, direction,
    countIf(undone) AS backlog,
    {ages},
    count(waiting) AS awaiting_reply,
    max(waited) AS longest_awaiting_reply_ms
  FROM
  (
    SELECT b.tenant AS tenant, {split_dimensions("b")},
      b.started_at <= {then} AND ifNull(b.ended_at > {then}, 1)
        AND arrayCount(at -> at <= {then}, b.solved_at)
          = arrayCount(at -> at <= {then}, b.reopened_at) AS undone,
      dateDiff('millisecond', b.started_at, {then}) / 1000 AS age,
      b.waiting_since AS waiting,
      dateDiff('millisecond', b.waiting_since, {LATEST_EVENT_AT}) AS waited
    FROM (SELECT *, visits_queue[-1] AS queue FROM interactions FINAL
      WHERE ticket_status != '' OR messages_by_customer + messages_by_agent + messages_by_bot > 0)
      AS b
  )
  WHERE {_INTERVAL} = {WHOLE_SECONDS} AND (undone OR waiting IS NOT NULL)
  GROUP BY tenant, queue, channel, direction
)"""


def chat_time() -> str:
    """Time of agents in chats that have ended, each for itself and all at once.

    By intervals of whole slices; of others it knows nothing.
    """
    chats = (
        f"SELECT * FROM ({visits()})"
        " WHERE channel = 'chat' AND outcome = 'answered' AND talk_ms IS NOT NULL AND agent != ''"
    )
    step = f"if({_INTERVAL} = {WHOLE_SECONDS}, {10**9}, {CHAT_SLICE_SECONDS}) * 1000"
    milliseconds = "toUnixTimestamp64Milli"
    return f"""
SELECT
  tenant, queue, channel, direction,
  {interval_columns(ALIGNED)},
  {select_kpis(Grain.CHAT_TIME)}
FROM
(
  SELECT {_KEYS},
    sum(ends - begins) AS chat_ms,
    sum(greatest(0, ends - greatest(begins, reached))) AS chat_wall_clock_ms
  FROM
  (
    SELECT {_KEYS}, begins, ends,
      max(ends) OVER (PARTITION BY {_KEYS}, agent ORDER BY begins, ends
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
    FROM
    (
      SELECT *, {ALIGNED.keys} AS bucket
      FROM
      (
        SELECT tenant, queue, channel, direction, agent,
          greatest(first, slice * ({step})) AS begins,
          least(last, (slice + 1) * ({step})) AS ends,
          fromUnixTimestamp64Milli(begins, 'UTC') AS at
        FROM
        (
          SELECT c.tenant AS tenant, {split_dimensions("c")}, c.agent AS agent,
            greatest({milliseconds}(c.began), {milliseconds}({_FROM})) AS first,
            least({milliseconds}(c.began) + ifNull(c.talk_ms, 0) + c.hold_ms,
              {milliseconds}({_TO})) AS last
          FROM (SELECT *, assumeNotNull(exited_at) AS began FROM ({chats})) AS c
        )
        ARRAY JOIN range(intDiv(first, {step}), intDiv(last - 1, {step}) + 1) AS slice
        WHERE first < last
      )
    )
  )
  WHERE {_INTERVAL} IN ({WHOLE_SECONDS}, {DAY_SECONDS}) OR {_INTERVAL} % {CHAT_SLICE_SECONDS} = 0
  GROUP BY {_KEYS}
)"""
