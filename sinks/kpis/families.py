"""What KPIs are counted over beside queues and agents: SQL of one row a survey, a menu, … Pure.

A contact is put to the queue that answered it last (or that it entered first), and to the agent who
did. Who the same customer is, is decided when it is asked (`customers_sql`). Whether a customer
came again looks for an inbound contact that began later, and at most a day later.
"""

from typing import Final

from sinks.kpis.definition import CONTACT_DIMENSIONS, VISIT_DIMENSIONS, Family
from sinks.kpis.estimates_sql import estimated_visits
from sinks.kpis.rows_sql import described_visits, with_customer

DAY: Final = "toIntervalDay(1)"
_OF_CONTACT: Final = tuple(name for name in CONTACT_DIMENSIONS if name != "hour")
_DIMENSIONS: Final = ", ".join(f"c.{name} AS {name}" for name in _OF_CONTACT)
_BESIDE: Final = "LEFT JOIN (SELECT * FROM contacts) AS c ON c.tenant = f.tenant AND"


def contacts() -> str:
    """One row a contact, with its customer as known now. The view `contacts`."""
    rows = """
  SELECT tenant, interaction_id,
    toString(channel) AS channel, toString(direction) AS direction, toString(purpose) AS purpose,
    toString(language) AS language, toString(site) AS site, toString(topic) AS topic,
    customer_key, started_at, linked_to, notEmpty(agents) AS is_answered,
    arrayLastIndex(o -> o = 'answered', visits_outcome) AS answered_visit,
    toString(visits_queue[if(answered_visit = 0, 1, answered_visit)]) AS queue,
    if(answered_visit = 0, agents[-1], visits_agent[answered_visit]) AS agent
  FROM interactions FINAL"""
    return f"SELECT * FROM ({with_customer(rows)})"


def _facts(types: str) -> str:
    return f"SELECT * FROM event_facts FINAL WHERE type IN ({types})"


def _telling(event_type: str) -> str:
    """Tenants of whom such an event was ever told: of others, that there is none says nothing."""
    return f"SELECT tenant FROM event_facts WHERE type = '{event_type}'"


def _of_customers(types: str) -> str:
    return with_customer(_facts(types))


def _came_again(rows: str, after: str) -> str:
    """`rows` (with tenant and customer_id) and `came`: whether a contact began within a day."""
    return f"""
SELECT r.*, again.customer_id != '' AND again.started_at <= r.{after} + {DAY} AS came
FROM ({rows}) AS r
ASOF LEFT JOIN (
  SELECT tenant, customer_id, started_at FROM contacts
  WHERE direction = 'inbound' AND customer_id != ''
) AS again
  ON again.tenant = r.tenant AND again.customer_id = r.customer_id
  AND again.started_at > r.{after}"""


VISITS: Final = Family("visits", VISIT_DIMENSIONS, described_visits())
"""Stays with queues. Beside the columns of `queue_visits`: `agent_is_remote` and `agent_site`, of
the agent who answered, as they were told last by then; NULL and '' where nobody did."""

ESTIMATES: Final = Family("estimates", VISIT_DIMENSIONS, estimated_visits())
"""Stays with queues, and `estimated_ms`: what their wait was estimated to be as they began."""

SURVEYS: Final = Family(
    "surveys",
    CONTACT_DIMENSIONS,
    f"""
SELECT c.tenant AS tenant, c.interaction_id AS interaction_id, {_DIMENSIONS},
  c.started_at AS at, c.customer_id AS customer, '' AS kind, 0. AS score, 0. AS scale_max,
  c.started_at AS rated_at, '' AS rating
FROM contacts AS c WHERE c.is_answered
UNION ALL
SELECT f.tenant AS tenant, f.about AS interaction_id, {_DIMENSIONS},
  if(c.interaction_id = '', f.counted_at, c.started_at) AS at, c.customer_id AS customer,
  f.labels['kind'] AS kind, f.numbers['score'] AS score, f.numbers['scale_max'] AS scale_max,
  f.counted_at AS rated_at, f.event_id AS rating
FROM (
  SELECT *, if(labels['interaction'] = '', subject, labels['interaction']) AS about
  FROM ({_facts("'survey.submitted'")})
) AS f
{_BESIDE} c.interaction_id = f.about""",
)
"""Contacts that somebody answered (`kind` is empty), and answers to surveys, when the contact they
are about began."""

MENUS: Final = Family(
    "menus",
    (*CONTACT_DIMENSIONS, "menu"),
    _came_again(
        f"""
SELECT f.*, {_DIMENSIONS}, c.customer_id AS customer_id, c.started_at AS began_at
FROM (
  SELECT tenant, subject AS interaction_id, labels['menu'] AS menu, min(counted_at) AS at,
    greatest(countIf(type = 'ivr.entered'), countIf(type = 'ivr.exited')) AS entries,
    countIf(labels['outcome'] = 'contained') AS contained,
    countIf(labels['outcome'] = 'hung_up') AS hung_up,
    countIf(labels['outcome'] = 'agent_requested') AS agent_requested,
    countIf(numbers['goal'] = 1) AS goal_reached
  FROM ({_facts("'ivr.entered', 'ivr.exited'")})
  GROUP BY tenant, subject, menu
) AS f
{_BESIDE} c.interaction_id = f.interaction_id""",
        "began_at",
    ),
)
"""A contact's stays in one voice menu; `came` is about the customer's next contact."""

_CALLBACK_STEPS: Final = (
    "'callback.offered', 'callback.requested', 'callback.attempted', 'callback.connected',"
    " 'callback.failed'"
)
CALLBACKS: Final = Family(
    "callbacks",
    CONTACT_DIMENSIONS,
    f"""
SELECT f.tenant AS tenant, f.interaction_id AS interaction_id,
  {_DIMENSIONS.replace("c.queue AS queue", "if(f.queue = '', c.queue, f.queue) AS queue")},
  f.at AS at, f.step AS step, f.tenant IN ({_telling("callback.offered")}) AS are_offers_told,
  if(step = 'connected' AND asked.interaction_id != '',
    dateDiff('millisecond', asked.at, f.at), NULL) AS waited_ms
FROM (
  SELECT tenant, subject AS interaction_id, labels['queue'] AS queue, counted_at AS at,
    substring(type, 10) AS step
  FROM ({_facts(_CALLBACK_STEPS)})
) AS f
{_BESIDE} c.interaction_id = f.interaction_id
LEFT JOIN (
  SELECT tenant, subject AS interaction_id, min(counted_at) AS at
  FROM ({_facts("'callback.requested'")})
  GROUP BY tenant, subject
) AS asked ON asked.tenant = f.tenant
  AND asked.interaction_id = if(c.linked_to = '', f.interaction_id, c.linked_to)""",
)
"""Steps of callbacks: `offered` to and `requested` by one contact, the others of those that are
linked to it. `are_offers_told` says whether any offer is ever told of."""

TRUNKS: Final = Family(
    "trunks",
    ("direction", "site", "hour"),
    f"""
SELECT tenant, interaction_id, toString(direction) AS direction, toString(site) AS site,
  started_at AS at, 0 AS is_blocked, tenant IN ({_telling("call.blocked")}) AS is_told
FROM interactions FINAL WHERE channel = 'call'
UNION ALL
SELECT tenant, subject AS interaction_id, labels['direction'] AS direction,
  labels['site'] AS site, counted_at AS at, 1 AS is_blocked, 1 AS is_told
FROM ({_facts("'call.blocked'")})""",
)
"""Attempts to call: those of which a contact came, when it began, and those that were blocked.
`is_told` says whether the tenant's sources ever tell of blocked ones."""

QUALITY: Final = Family(
    "quality",
    (*CONTACT_DIMENSIONS, "codec"),
    f"""
SELECT f.*, {_DIMENSIONS}
FROM (
  SELECT tenant, subject AS interaction_id, labels['leg'] AS leg, labels['codec'] AS codec,
    min(counted_at) AS at,
    countIf(mapContains(numbers, 'mos')) AS measured,
    minIf(numbers['mos'], mapContains(numbers, 'mos')) AS mos_least,
    avgIf(numbers['mos'], mapContains(numbers, 'mos')) AS mos_average,
    countIf(mapContains(numbers, 'r_factor')) AS rated,
    avgIf(numbers['r_factor'], mapContains(numbers, 'r_factor')) AS r_average
  FROM ({_facts("'quality.measured'")})
  GROUP BY tenant, subject, leg, codec
) AS f
{_BESIDE} c.interaction_id = f.interaction_id""",
)
"""Legs of calls, by codec, as far as their voice quality was measured."""

SELF_SERVICE: Final = Family(
    "selfservice",
    ("surface", "hour"),
    _came_again(
        f"""
SELECT tenant, customer_id, counted_at AS at, labels['surface'] AS surface,
  labels['outcome'] AS outcome
FROM ({_of_customers("'selfservice.used'")})""",
        "at",
    ),
)
"""Uses of self-service; `came` is about the customer's next contact."""

_SENT: Final = f"""
SELECT tenant, customer_id, counted_at AS sent_at, labels['campaign'] AS campaign,
  labels['medium'] AS medium
FROM ({_of_customers("'campaign.message_sent'")})"""
CAMPAIGNS: Final = Family(
    "campaigns",
    ("campaign", "medium", "hour"),
    f"""
SELECT tenant, '' AS interaction_id, counted_at AS at, labels['campaign'] AS campaign,
  labels['medium'] AS medium, substring(type, 10) AS step
FROM event_facts FINAL WHERE startsWith(type, 'campaign.')
UNION ALL
SELECT c.tenant AS tenant, c.interaction_id AS interaction_id, m.sent_at AS at,
  m.campaign AS campaign, m.medium AS medium, 'contact' AS step
FROM (SELECT * FROM contacts WHERE direction = 'inbound' AND customer_id != '') AS c
ASOF INNER JOIN ({_SENT}) AS m
  ON m.tenant = c.tenant AND m.customer_id = c.customer_id AND m.sent_at < c.started_at
WHERE c.started_at <= m.sent_at + {DAY}""",
)
"""Steps of campaigns' messages when they happened, and (`contact`) the inbound contacts within a
day after a customer's last message, when that was sent."""

CHURN: Final = Family(
    "churn",
    ("hour",),
    f"""
SELECT l.tenant AS tenant, l.at AS at, l.step AS step, moves.changes AS changes
FROM (
  SELECT tenant, counted_at AS at, substring(type, 10) AS step
  FROM event_facts FINAL WHERE type IN ('customer.churned', 'customer.returned')
) AS l
LEFT JOIN (
  SELECT tenant, groupArray((at, step)) AS changes
  FROM (
    SELECT tenant, min(at) AS at, toInt8(1) AS step
    FROM (
      SELECT tenant, customer_id, started_at AS at FROM contacts WHERE customer_id != ''
      UNION ALL
      SELECT tenant, customer_id, counted_at AS at
      FROM ({with_customer("SELECT * FROM event_facts FINAL WHERE customer_key != ''")})
    )
    GROUP BY tenant, customer_id
    UNION ALL
    SELECT tenant, counted_at AS at, toInt8(if(type = 'customer.churned', -1, 1)) AS step
    FROM event_facts FINAL WHERE type IN ('customer.churned', 'customer.returned')
  )
  GROUP BY tenant
) AS moves ON moves.tenant = l.tenant""",
)
"""Customers who left or came back; `changes` are (instant, +1 or -1) of all who were ever there."""

_STRETCHES: Final = """
SELECT tenant, agent, state, since,
  least(next, since + toIntervalDay(7)) AS until,
  ifNull(slots_used, state IN ('on_contact', 'wrapup')) AS used,
  ifNull(slots_max, 1) AS slots
FROM (
  SELECT tenant, toString(agent) AS agent, state, counted_at AS since, slots_used, slots_max,
    leadInFrame(counted_at, 1, counted_at) OVER (
      PARTITION BY tenant, agent
      ORDER BY counted_at,
        indexOf(['on_contact', 'wrapup', 'available', 'paused', 'offline'], toString(state))
      ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
    ) AS next
  FROM agent_states FINAL WHERE queue = ''
)"""
SLOTS: Final = Family(
    "slots",
    ("agent", "hour"),
    f"""
SELECT tenant, agent, since AS at, dateDiff('millisecond', since, until) AS spent_ms,
  used * spent_ms AS slots_in_use_ms, slots * spent_ms AS slots_there_ms
FROM ({_STRETCHES}) WHERE state NOT IN ('offline', 'paused')""",
)
"""Stretches in which an agent was there to be used, when they began."""

_DAYS: Final = "arrayJoin(range(toUInt32(toDate({0}, 'UTC')), toUInt32(toDate({1}, 'UTC')) + 1))"
_MIDNIGHT: Final = "toDateTime64(toDateTime({0} * 86400, 'UTC'), 3, 'UTC')"
SCHEDULES: Final = Family(
    "schedules",
    ("agent", "hour"),
    f"""
SELECT tenant, agent, since AS at, any(scheduled_ms) AS scheduled_ms, sum(kept_ms) AS kept_ms
FROM (
  SELECT p.tenant AS tenant, p.agent AS agent, p.since AS since, p.until AS until,
    p.activity AS activity, dateDiff('millisecond', p.since, p.until) AS scheduled_ms,
    if(s.agent != '' AND s.state != 'offline' AND (s.state = 'paused') != (p.activity = 'work'),
      greatest(0, dateDiff('millisecond',
        greatest(p.since, s.since, {_MIDNIGHT.format("p.day")}),
        least(p.until, s.until, {_MIDNIGHT.format("(p.day + 1)")}))), 0) AS kept_ms
  FROM (
    SELECT DISTINCT tenant, subject AS agent, labels['activity'] AS activity,
      fromUnixTimestamp64Milli(toInt64(round(numbers['from'] * 1000)), 'UTC') AS since,
      fromUnixTimestamp64Milli(toInt64(round(numbers['to'] * 1000)), 'UTC') AS until,
      {_DAYS.format("since", "until")} AS day
    FROM ({_facts("'agent.scheduled'")})
  ) AS p
  LEFT JOIN (
    SELECT *, {_DAYS.format("since", "until")} AS day FROM ({_STRETCHES})
  ) AS s ON s.tenant = p.tenant AND s.agent = p.agent AND s.day = p.day
)
GROUP BY tenant, agent, since, until, activity""",
)
"""What agents were scheduled for, when it was to begin, and how long they kept to it: at work for
`work`, paused for everything else."""
