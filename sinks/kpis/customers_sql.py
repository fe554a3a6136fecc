"""Views of customers: who a key belongs to, who called, who came again. Pure.

A contact's customer is the one that its key belongs to when it is asked (`identity_map`), so two
keys that turn out to be one person's are one customer in these figures from then on, across
channels, with no row rewritten.

A contact repeats another if it is inbound, of the same customer, and began within the window after
it, or at the same instant; of the same topic, where that is asked (contacts whose topic nobody told
are of one topic, the unknown). A repeat counts whether or not it was answered.
"""

from typing import Final

from sinks.kpis.buckets import ALIGNED, Buckets
from sinks.kpis.definition import CONTACT_DIMENSIONS, Grain
from sinks.kpis.rows_sql import (
    DESCRIBED,
    LATEST_EVENT_AT,
    interval_columns,
    split_dimensions,
    told_apart,
    visits,
    with_customer,
)
from sinks.kpis.selecting import select_kpis

WINDOW_DAYS: Final = (1, 7, 30)
"""The windows that `fcr_windows` shows."""

FIRST_CONTACT_COUNTS: Final = {
    "eligible": "is_first",
    "mature": "is_first AND matured",
    "mature_without_repeat": "is_first AND matured AND NOT repeated",
    "contacts": "NOT is_first",
    "repeat_contacts": "NOT is_first AND repeats",
}
"""Counts of the grain `first contact` -> which rows of `first_contact_rows` they count."""


def customers() -> str:
    """From keys to customers: rows only for keys that are not their own."""
    return """
SELECT tenant, customer_key, customer_id FROM identity_map FINAL WHERE NOT is_deleted"""


def callers(buckets: Buckets) -> str:
    """Customers of inbound contacts by interval, and those of more than one contact."""
    names = told_apart(CONTACT_DIMENSIONS, buckets)
    keys = ", ".join(("tenant", *names, "bucket"))
    inbound = (
        f"SELECT * FROM ({visits(DESCRIBED)}) WHERE direction = 'inbound' AND customer_key != ''"
    )
    return f"""
SELECT
  tenant, {", ".join(names)},
  {interval_columns(buckets)},
  {select_kpis(Grain.CALLERS)}
FROM
(
  SELECT {keys}, count() AS callers, countIf(contacts > 1) AS repeat_callers
  FROM
  (
    SELECT {keys}, customer_id, uniqExact(interaction_id) AS contacts
    FROM
    (
      SELECT *, {buckets.keys} AS bucket
      FROM
      (
        SELECT v.tenant AS tenant, {split_dimensions("v", names)},
          v.entered_at AS at, v.customer_id AS customer_id, v.interaction_id AS interaction_id
        FROM ({with_customer(inbound)}) AS v
      )
      WHERE {buckets.kept("at")}
    )
    GROUP BY {keys}, customer_id
  )
  GROUP BY {keys}
)"""


CALLER_COUNTS: Final = {"callers": "number = 1", "repeat_callers": "number = 2"}
"""Counts of customers -> which rows of `caller_rows` they count."""


def caller_rows(chosen: str) -> str:
    """One row an inbound contact of a known customer: their `number`th of the `chosen` ones."""
    inbound = (
        f"SELECT *, entered_at AS at FROM ({visits(DESCRIBED)})"
        " WHERE direction = 'inbound' AND customer_key != ''"
    )
    return f"""
SELECT *, row_number() OVER (PARTITION BY tenant, customer_id ORDER BY at, interaction_id) AS number
FROM
(
  SELECT * FROM ({with_customer(inbound)})
  WHERE tenant = {{tenant:String}}{chosen} AND {ALIGNED.kept("at")}
  ORDER BY at LIMIT 1 BY interaction_id
)"""


def inbound_contacts() -> str:
    """One row an inbound contact of a known customer, beside the one before and the one after.

    `next_any_topic_at`, `previous_same_topic_at`, …: NULL where there is none. The queue and the
    instant in it are those that it entered first (`offered_*`), and those that answered it last
    (`answered_*`; `answered` says whether one did). One that met no queue counts when it began.
    """
    contacts = """
    SELECT tenant, interaction_id, channel, direction, purpose, language, site, topic,
      customer_key, started_at,
      arrayLastIndex(o -> o = 'answered', visits_outcome) AS answered_visit,
      answered_visit > 0 AS answered,
      visits_queue[answered_visit] AS answered_queue,
      visits_entered_at[answered_visit] AS answered_at,
      visits_agent[answered_visit] AS agent,
      visits_queue[1] AS offered_queue,
      if(empty(visits_queue), started_at, visits_entered_at[1]) AS offered_at
    FROM interactions FINAL
    WHERE direction = 'inbound' AND customer_key != ''"""
    windows = ",\n  ".join(
        f"{step}InFrame(toNullable(started_at)) OVER"
        f" (PARTITION BY tenant, customer_id{also} ORDER BY started_at, interaction_id"
        f" ROWS BETWEEN {frame}) AS {side}_{name}_at"
        for name, also in (("any_topic", ""), ("same_topic", ", topic"))
        for side, step, frame in (
            ("next", "lead", "CURRENT ROW AND 1 FOLLOWING"),
            ("previous", "lag", "1 PRECEDING AND CURRENT ROW"),
        )
    )
    return f"""
SELECT *,
  {windows}
FROM ({with_customer(contacts)})"""


def first_contact_rows() -> str:
    """One row a contact for what was answered (`is_first`), one for what came, with its instant.

    Parameters: `repeat_seconds` UInt32, the window; `same_topic` UInt8.
    """
    window = "toIntervalSecond({repeat_seconds:UInt32})"

    def neighbour(side: str) -> str:
        return f"if({{same_topic:UInt8}}, c.{side}_same_topic_at, c.{side}_any_topic_at)"

    return f"""
SELECT c.tenant AS tenant, c.interaction_id AS interaction_id, c.channel AS channel,
  c.direction AS direction, c.purpose AS purpose, c.language AS language, c.site AS site,
  c.topic AS topic, c.agent AS agent,
  place.1 AS is_first, place.2 AS queue, place.3 AS at,
  c.started_at + {window} <= {LATEST_EVENT_AT} AS matured,
  ifNull({neighbour("next")} <= c.started_at + {window}, 0) AS repeated,
  ifNull({neighbour("previous")} >= c.started_at - {window}, 0) AS repeats
FROM inbound_contacts AS c
ARRAY JOIN if(c.answered,
  [(1, c.answered_queue, c.answered_at), (0, c.offered_queue, c.offered_at)],
  [(0, c.offered_queue, c.offered_at)]) AS place"""


def first_contacts(buckets: Buckets) -> str:
    """Parameters of its own: `repeat_seconds` UInt32, the window; `same_topic` UInt8."""
    names = told_apart(CONTACT_DIMENSIONS, buckets)
    keys = ", ".join(("tenant", *names, "bucket"))
    counted = ",\n    ".join(
        f"countIf({which}) AS {name}" for name, which in FIRST_CONTACT_COUNTS.items()
    )
    return f"""
SELECT
  tenant, {", ".join(names)},
  {interval_columns(buckets)},
  {select_kpis(Grain.FIRST_CONTACT)}
FROM
(
  SELECT {keys},
    {counted}
  FROM
  (
    SELECT *, {buckets.keys} AS bucket
    FROM
    (
      SELECT c.tenant AS tenant, {split_dimensions("c", names)},
        c.at AS at, c.is_first AS is_first, c.matured AS matured, c.repeated AS repeated,
        c.repeats AS repeats
      FROM ({first_contact_rows()}) AS c
    )
    WHERE {buckets.kept("at")}
  )
  GROUP BY {keys}
)"""


def first_contacts_by_window() -> str:
    """`fcr` in the usual windows, by topic and on any: with `window_days` and `same_topic`."""
    parameters = (
        "from_at = {from_at:DateTime64(3, 'UTC')}, to_at = {to_at:DateTime64(3, 'UTC')},"
        " interval_seconds = {interval_seconds:UInt32}, timezone = {timezone:String},"
        " split = {split:String}"
    )
    return "\nUNION ALL\n".join(
        f"SELECT {days} AS window_days, {same_topic} AS same_topic, *"
        f" FROM fcr({parameters}, repeat_seconds = {days * 86_400}, same_topic = {same_topic})"
        for days in WINDOW_DAYS
        for same_topic in (0, 1)
    )
