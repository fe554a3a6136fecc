"""Views of conversations: responses and resolutions by interval, solutions undone, backlog. Pure.

All have the columns and the parameters of time and split of `kpi_interval`. What was done in a
contact (a response, a resolution) is put to the queue that it had entered last by then, and to the
agent whom the event names, else to the one who answered it there. Panes hold responses and
resolutions added up by queue, channel and direction; by anything else, and for bounds within a
pane, they are counted from contacts. A test holds the two to each other.
"""

from collections.abc import Sequence
from typing import Final

from schemas.rows import ConversationPaneRow
from sinks.kpis.buckets import ALIGNED, DAY_SECONDS, ROLLING, WHOLE_SECONDS, Buckets
from sinks.kpis.counts import NO_BINS, bin_of
from sinks.kpis.definition import PANE_DIMENSIONS, Grain
from sinks.kpis.definitions.conversations import BACKLOG_AGES
from sinks.kpis.rows_sql import (
    DESCRIBED,
    LATEST_EVENT_AT,
    described_visits,
    interval_columns,
    setting,
    split_dimensions,
    told_apart,
    with_settings,
    with_skill,
)
from sinks.kpis.selecting import select_kpis

_INTERVAL: Final = "{interval_seconds:UInt32}"
_ZONE: Final = "{timezone:String}"
_FROM: Final = "{from_at:DateTime64(3, 'UTC')}"
_TO: Final = "{to_at:DateTime64(3, 'UTC')}"

CHAT_SLICE_SECONDS: Final = 300
"""Chats are cut into such slices to be put into intervals, which must consist of whole ones."""

_COLUMNS: Final = ConversationPaneRow.columns()
_COUNTED: Final = _COLUMNS[_COLUMNS.index("version") + 1 :]
_OF_CONTACT: Final = ", ".join(
    f"toString({name}) AS {name}" for name in ("channel", "direction", *DESCRIBED)
)
_VISIT_THEN: Final = """
  arrayLastIndex(entered -> entered <= at, visits_entered_at) AS visit,
  visits_queue[visit] AS queue, visits_entered_at[visit] AS entered_at,
  if(told_agent = '', visits_agent[visit], told_agent) AS agent"""


def _counts() -> dict[str, str]:
    counts: dict[str, str] = {}
    for name, plural in (
        ("first_response", "first_responses"),
        ("reply", "replies"),
        ("first_resolution", "first_resolutions"),
        ("full_resolution", "full_resolutions"),
    ):
        this = f"what = '{name}'"
        counts[plural] = f"toInt64({this})"
        counts[f"{name}_ms"] = f"if({this}, took_ms, 0)"
        counts[f"{name}_bins"] = f"if({this}, map({bin_of('took_ms')}, toInt64(1)), {NO_BINS})"
    return {name: counts[name] for name in _COUNTED}


CONVERSATION_COUNTS: Final = _counts()
"""Counts of responses and resolutions -> what each row of `conversation_rows` adds."""


def conversation_rows() -> str:
    """One row a response or resolution: `what` was done `at` an instant, and how long it took."""
    return with_skill(f"""
SELECT tenant, interaction_id, {_OF_CONTACT},
  done.1 AS what, done.2 AS at, done.3 AS took_ms, done.4 AS told_agent,{_VISIT_THEN}
FROM (SELECT * FROM interactions FINAL WHERE notEmpty(responses_at) OR notEmpty(solved_at))
ARRAY JOIN arrayConcat(
  arraySlice(arrayMap((then, by) -> ('first_response', then, ifNull(first_response_ms, 0), by),
    responses_at, responses_agent), 1, 1),
  arrayFilter(reply -> reply.3 >= 0, arrayMap((then, ms, by) -> ('reply', then, ifNull(ms, -1), by),
    responses_at, responses_reply_ms, responses_agent)),
  arrayMap((which, then, by) -> (which, then, dateDiff('millisecond', started_at, then), by),
    if(empty(solved_at), [], ['first_resolution', 'full_resolution']),
    if(empty(solved_at), [], [solved_at[1], solved_at[-1]]),
    if(empty(solved_at), [], [solved_agent[1], solved_agent[-1]]))) AS done""")


def conversations(buckets: Buckets, dimensions: Sequence[str] = PANE_DIMENSIONS) -> str:
    """KPIs of responses and resolutions: from panes by their dimensions, else from contacts."""
    names = told_apart(dimensions, buckets)
    keys = ", ".join(("tenant", *names, "bucket"))
    if dimensions == PANE_DIMENSIONS:
        kept = buckets.kept("pane_at")
        rows = (
            "SELECT *, toDateTime64(pane_at, 3, 'UTC') AS at"
            f" FROM conversation_panes FINAL WHERE {kept}"
        )
    else:
        counts = ", ".join(f"{of_row} AS {name}" for name, of_row in CONVERSATION_COUNTS.items())
        rows = f"SELECT *, {counts} FROM ({conversation_rows()}) WHERE {buckets.kept('at')}"
    counted = ", ".join(f"p.{name} AS {name}" for name in _COUNTED)
    sums = ",\n  ".join(
        f"sum{'Map' if name.endswith('_bins') else ''}({name}) AS {name}" for name in _COUNTED
    )
    return f"""
SELECT
  tenant, {", ".join(names)},
  {interval_columns(buckets)},
  {select_kpis(Grain.CONVERSATION)}
FROM
(
  SELECT {keys},
  {sums}
  FROM
  (
    SELECT *, {buckets.keys} AS bucket
    FROM (SELECT p.tenant AS tenant, {split_dimensions("p", names)}, p.at AS at, {counted}
      FROM ({rows}) AS p)
  )
  GROUP BY {keys}
)"""


SOLUTION_COUNTS: Final = {
    "mature": "matured",
    "mature_undone": "matured AND undone",
    "firsts": "is_first",
    "lasts": "is_last",
    "first_business_ms": "if(is_first, business_ms, 0)",
    "last_business_ms": "if(is_last, business_ms, 0)",
}
"""Counts of solutions -> what each row of `solution_rows` adds."""


def solution_rows() -> str:
    """One row a solution, when it was found.

    Parameters: `repeat_seconds` UInt32, the window; `timezone` String, on whose wall hours are.
    """
    window = "toIntervalSecond({repeat_seconds:UInt32})"
    solved = with_skill(f"""
SELECT tenant, interaction_id, {_OF_CONTACT}, started_at,
  at, number = 1 AS is_first, number = length(solved_at) AS is_last,
  if(number <= length(reopened_at), toNullable(reopened_at[number]), NULL) AS undone_at,
  solved_agent[number] AS told_agent,{_VISIT_THEN}
FROM (SELECT * FROM interactions FINAL WHERE notEmpty(solved_at))
ARRAY JOIN solved_at AS at, arrayEnumerate(solved_at) AS number""")
    columns = (
        *("tenant", "interaction_id", *Grain.BACKLOG.dimensions),
        *("started_at", "at", "is_first", "is_last", "undone_at"),
    )
    named = ", ".join(f"r.{name} AS {name}" for name in columns)
    return f"""
SELECT *,
  at + {window} <= {LATEST_EVENT_AT} AS matured,
  ifNull(undone_at <= at + {window}, 0) AS undone,
  {_business_ms("started_at", "at", "business_minutes")} AS business_ms
FROM
(
  SELECT {named}, {setting("business_minutes", "CAST([], 'Array(UInt16)')")} AS business_minutes
  FROM {with_settings(f"({solved})", "r")}
)"""


def solutions(buckets: Buckets) -> str:
    """Solutions by when they were found."""
    names = told_apart(Grain.SOLUTION.dimensions, buckets)
    keys = ", ".join(("tenant", *names, "bucket"))
    columns = ("at", "matured", "undone", "is_first", "is_last", "business_ms")
    sums = ",\n    ".join(f"sum({of_row}) AS {name}" for name, of_row in SOLUTION_COUNTS.items())
    return f"""
SELECT
  tenant, {", ".join(names)},
  {interval_columns(buckets)},
  {select_kpis(Grain.SOLUTION)}
FROM
(
  SELECT {keys},
    {sums}
  FROM
  (
    SELECT *, {buckets.keys} AS bucket
    FROM
    (
      SELECT s.tenant AS tenant, {split_dimensions("s", names)},
        {", ".join(f"s.{name} AS {name}" for name in columns)}
      FROM ({solution_rows()}) AS s
    )
    WHERE {buckets.kept("at")}
  )
  GROUP BY {keys}
)"""


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


def _backlog_counts() -> dict[str, str]:
    ages = {
        f"backlog_{name}": f"undone AND age >= {begin}{'' if end is None else f' AND age < {end}'}"
        for name, _, begin, end in BACKLOG_AGES
    }
    return {"backlog": "undone", **ages, "awaiting_reply": "waiting IS NOT NULL"}


BACKLOG_COUNTS: Final = _backlog_counts()
"""Counts of the backlog -> which rows of `backlog_rows` they count."""


def _ends() -> str:
    """The intervals at whose ends a contact may be to do, as an array of their beginnings.

    Steps of half an interval miss none, not even a day of 23 hours.
    """
    since = f"greatest(started_at, {_FROM})"
    until = f"least({_TO}, {LATEST_EVENT_AT}, ifNull(done_at, {_TO}))"
    step = f"intDiv({_INTERVAL} * 1000, 2)"
    instants = (
        f"if({_INTERVAL} = {WHOLE_SECONDS}, [{_FROM}],"
        f" arrayMap(n -> {since} + toIntervalMillisecond(n * {step}),"
        f" range(toUInt32(greatest(0, intDiv(dateDiff('millisecond', {since}, {until}),"
        f" greatest({step}, 1)) + 3)))))"
    )
    return f"arrayDistinct(arrayMap(at -> {ALIGNED.keys}, {instants}))"


def backlog_rows() -> str:
    """One row a contact and interval (`bucket`) at whose end it was to do (`undone`), or whose
    customer waits for a reply now; it belongs to the queue that it entered last, and to the agent
    who answered it last.
    """
    contacts = with_skill(f"""
SELECT * EXCEPT (channel, direction, {", ".join(DESCRIBED)}), {_OF_CONTACT},
  visits_queue[-1] AS queue, visits_entered_at[-1] AS entered_at,
  if(has(visits_outcome, 'answered'),
    visits_agent[arrayLastIndex(outcome -> outcome = 'answered', visits_outcome)], agents[-1])
    AS agent,
  multiIf(ended_at IS NOT NULL, ended_at,
    length(solved_at) > length(reopened_at), toNullable(solved_at[-1]), NULL) AS done_at
FROM interactions FINAL
WHERE ticket_status != '' OR messages_by_customer + messages_by_agent + messages_by_bot > 0""")
    return f"""
SELECT *
FROM
(
  SELECT *, bucket, started_at AS at,
    least({ALIGNED.ends}, {_TO}, {LATEST_EVENT_AT}) AS then,
    bucket < {_TO} AND started_at <= then AND ifNull(ended_at > then, 1)
      AND arrayCount(at -> at <= then, solved_at)
        = arrayCount(at -> at <= then, reopened_at) AS undone,
    dateDiff('millisecond', started_at, then) / 1000 AS age,
    if({_INTERVAL} = {WHOLE_SECONDS}, waiting_since, NULL) AS waiting,
    dateDiff('millisecond', waiting, {LATEST_EVENT_AT}) AS waited
  FROM ({contacts})
  ARRAY JOIN {_ends()} AS bucket
)
WHERE undone OR waiting IS NOT NULL"""


def backlog() -> str:
    """What was to do at the end of each interval, or at the latest event, where that comes first.

    Who waits for a reply is known of now alone, not of intervals.
    """
    names = ", ".join(("tenant", *Grain.BACKLOG.dimensions))
    counts = ",\n    ".join(f"countIf({which}) AS {name}" for name, which in BACKLOG_COUNTS.items())
    return f"""
SELECT
  {names},
  {interval_columns(ALIGNED)},
  {select_kpis(Grain.BACKLOG)}
FROM
(
  SELECT {names}, bucket,
    {counts},
    max(waited) AS longest_awaiting_reply_ms
  FROM
  (
    SELECT b.tenant AS tenant, {split_dimensions("b", Grain.BACKLOG.dimensions)},
      b.bucket AS bucket, b.undone AS undone, b.age AS age, b.waiting AS waiting,
      b.waited AS waited
    FROM ({backlog_rows()}) AS b
  )
  GROUP BY {names}, bucket
)"""


def chat_rows() -> str:
    """Visits that were chats with an agent and are over, and when these began and ended."""
    return f"""
SELECT *, toUnixTimestamp64Milli(assumeNotNull(exited_at)) AS chat_began,
  chat_began + ifNull(talk_ms, 0) + hold_ms AS chat_ended
FROM ({described_visits()})
WHERE channel = 'chat' AND outcome = 'answered' AND talk_ms IS NOT NULL AND agent != ''"""


def chat_time(buckets: Buckets) -> str:
    """Time of agents in chats that have ended, each for itself and all at once.

    By intervals (windows, hours) of whole slices; of others it knows nothing.
    """
    names = told_apart(Grain.CHAT_TIME.dimensions, buckets)
    keys = ", ".join(("tenant", *names, "bucket"))
    sliced, whole = f"{CHAT_SLICE_SECONDS} * 1000", f"{10**9} * 1000"
    if buckets is ROLLING:
        step = sliced
        known = " AND ".join(
            f"{{{name}:UInt32}} % {CHAT_SLICE_SECONDS} = 0"
            for name in ("window_seconds", "step_seconds")
        )
    else:
        is_whole = (
            f"{_INTERVAL} = {WHOLE_SECONDS} AND NOT has(splitByChar(',', {{split:String}}), 'hour')"
        )
        step = f"if({is_whole}, {whole}, {sliced})"
        known = (
            f"{_INTERVAL} IN ({WHOLE_SECONDS}, {DAY_SECONDS})"
            f" OR {_INTERVAL} % {CHAT_SLICE_SECONDS} = 0"
        )
    apart = split_dimensions("c", names)
    since, until = (f"toUnixTimestamp64Milli({at})" for at in (buckets.since, buckets.until))
    return f"""
SELECT
  tenant, {", ".join(names)},
  {interval_columns(buckets)},
  {select_kpis(Grain.CHAT_TIME)}
FROM
(
  SELECT {keys},
    sum(ends - begins) AS chat_ms,
    sum(greatest(0, ends - greatest(begins, reached))) AS chat_wall_clock_ms
  FROM
  (
    SELECT {keys}, begins, ends,
      max(ends) OVER (PARTITION BY {keys}, chatted ORDER BY begins, ends
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
    FROM
    (
      SELECT *, {buckets.keys} AS bucket
      FROM
      (
        SELECT c.tenant AS tenant, {apart}, c.chatted AS chatted, c.at AS at,
          c.begins AS begins, c.ends AS ends
        FROM
        (
          SELECT * EXCEPT (at), toString(agent) AS chatted,
            greatest(chat_began, {since}) AS first, least(chat_ended, {until}) AS last,
            greatest(first, slice * ({step})) AS begins,
            least(last, (slice + 1) * ({step})) AS ends,
            fromUnixTimestamp64Milli(begins, 'UTC') AS at
          FROM ({chat_rows()})
          ARRAY JOIN range(intDiv(first, {step}), intDiv(last - 1, {step}) + 1) AS slice
          WHERE first < last
        ) AS c
      )
    )
  )
  WHERE {known}
  GROUP BY {keys}
)"""
