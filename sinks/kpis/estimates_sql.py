"""What a queue's wait was estimated to be when a contact entered it. Pure.

By the formula of the live figure (`streams.monitor.live`), from what was known of the queue before
that instant: who waited, which of its agents were at work and free, and how long the contacts took
that came within the hour before and were over. Each of these is a span of time with a weight; the
weights of all spans that cover an instant add up to what the queue was then.
"""

from typing import Final

from schemas.sections import HorizonSettings
from sinks.kpis.rows_sql import described_visits, milliseconds, visits

HANDLED_WITHIN_MS: Final = 3_600_000
"""Of how long before an instant contacts tell how long one takes."""
_FOR_EVER: Final = "toInt64(9223372036854775807)"
_COURSE: Final = "['on_contact', 'wrapup', 'available', 'paused', 'offline']"
_WHOLE: Final = "('offline', 'paused', 'on_contact', 'wrapup')"
_IN_ORDER: Final = "ORDER BY at, same, place, queue ROWS BETWEEN UNBOUNDED PRECEDING AND {}"
_SO_FAR: Final = _IN_ORDER.format("CURRENT ROW")


def _silent_after() -> str:
    """Milliseconds after its last word at which a contact is not taken to wait any more."""
    by_channel = HorizonSettings().model_dump()
    channels = ", ".join(f"'{channel}'" for channel in by_channel)
    horizons = ", ".join(f"toInt64({milliseconds(h)})" for h in by_channel.values())
    return f"transform(toString(channel), [{channels}], [{horizons}], toInt64(0))"


def _agents() -> str:
    """One row a stretch of an agent in one state in one queue, as `streams.fold.agents` has it.

    A word on the agent as a whole (`said` numbers them) holds for every queue that the agent was
    told to be on since they were last gone (`gone`), until one of its queues says otherwise.
    """
    return f"""
SELECT tenant, on_queue AS queue, at AS begins,
  leadInFrame(at, 1, {_FOR_EVER}) OVER (PARTITION BY tenant, agent, on_queue
    ORDER BY at, same, place, queue ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS ends,
  multiIf(isNull(own), '', whole IN {_WHOLE}, whole, assumeNotNull(own)) AS state
FROM (
  SELECT h.*, q.on_queue AS on_queue,
    anyLast(if(h.queue = q.on_queue, toNullable(h.state), NULL)) OVER (
      PARTITION BY tenant, agent, on_queue, gone {_SO_FAR}) AS own
  FROM (
    SELECT *,
      if(said = 0 OR max(queue != '' AND (first = 'paused' AND state = 'available'
        OR first = 'offline' AND state != 'offline')) OVER (
          PARTITION BY tenant, agent, said {_SO_FAR}), '', first) AS whole
    FROM (
      SELECT *, first_value(state) OVER (PARTITION BY tenant, agent, said {_SO_FAR}) AS first
      FROM (
        SELECT *, countIf(queue = '') OVER (PARTITION BY tenant, agent {_SO_FAR}) AS said,
          countIf(queue = '' AND state = 'offline') OVER (
            PARTITION BY tenant, agent {_SO_FAR}) AS gone
        FROM (
          SELECT *, state = lagInFrame(state, 1, '') OVER (PARTITION BY tenant, agent, queue
            ORDER BY at, place ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS same
          FROM (
            SELECT tenant, toString(agent) AS agent, toString(queue) AS queue,
              toString(state) AS state, toUnixTimestamp64Milli(counted_at) AS at,
              indexOf({_COURSE}, state) AS place
            FROM agent_states FINAL
          )
        )
      )
    )
  ) AS h
  INNER JOIN (
    SELECT DISTINCT tenant, toString(agent) AS agent, toString(queue) AS on_queue
    FROM agent_states FINAL WHERE queue != ''
  ) AS q ON q.tenant = h.tenant AND q.agent = h.agent
)"""


def _spans() -> str:
    """Spans of time of a queue, each with what it adds to the queue's state."""
    visit = """tenant, toString(queue) AS queue,
  toUnixTimestamp64Milli(entered_at) AS entered, toUnixTimestamp64Milli(ended_at) AS ended"""
    return f"""
SELECT tenant, queue, entered AS begins, left AS ends, toInt64(1) AS waiting,
  toInt64(0) AS at_work, toInt64(0) AS available, toInt64(0) AS handled, toInt64(0) AS handle_ms
FROM (
  SELECT {visit}, if(isNull(exited_at),
    toUnixTimestamp64Milli(last_event_at) + {_silent_after()},
    toUnixTimestamp64Milli(assumeNotNull(exited_at))) AS left
  FROM ({visits()})
)
UNION ALL
SELECT tenant, queue, assumeNotNull(ended) AS begins, entered + {HANDLED_WITHIN_MS} AS ends, 0, 0,
  0, 1, took_ms
FROM (
  SELECT {visit}, ifNull(talk_ms, 0) + hold_ms + ifNull(wrapup_ms, 0) AS took_ms
  FROM ({visits()})
  WHERE outcome = 'answered' AND talk_ms IS NOT NULL
)
WHERE begins < ends
UNION ALL
SELECT tenant, queue, begins, ends, 0, 1, state = 'available', 0, 0
FROM ({_agents()})
WHERE state IN ('available', 'on_contact', 'wrapup') AND begins < ends"""


def estimated_visits() -> str:
    """Visits with all that they can be split by, and `estimated_ms`: NULL where no agent of the
    queue was at work, or none was free and nothing tells how long a contact takes.
    """
    sums = ("waiting", "at_work", "available", "handled", "handle_ms")
    added = ", ".join(f"sum(edge.2 * {name}) AS {name}" for name in sums)
    then = ", ".join(
        f"sum({name}) OVER (PARTITION BY tenant, queue ORDER BY at"
        f" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS {name}_then"
        for name in sums
    )
    free = "(q.available_then - q.waiting_then)"
    return f"""
SELECT v.*,
  multiIf(q.at_work_then = 0, NULL, {free} > 0, toInt64(0),
    intDiv((1 - {free}) * q.handle_ms_then, nullIf(q.handled_then * q.at_work_then, 0)))
    AS estimated_ms
FROM (
  SELECT *, toString(queue) AS entered_queue, toUnixTimestamp64Milli(at) AS entered_ms
  FROM ({described_visits()})
) AS v
ASOF LEFT JOIN (
  SELECT tenant, queue, at, {then}
  FROM (
    SELECT tenant, queue, edge.1 AS at, {added}
    FROM ({_spans()})
    ARRAY JOIN [(begins, toInt64(1)), (ends, toInt64(-1))] AS edge
    GROUP BY tenant, queue, at
  )
) AS q ON q.tenant = v.tenant AND q.queue = v.entered_queue AND q.at < v.entered_ms"""
