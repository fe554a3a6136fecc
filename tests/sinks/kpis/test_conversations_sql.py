"""Responses, solutions, backlog and concurrency out of the store, against counts by hand."""

import itertools
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from schemas.queues import QueueSettings
from schemas.rows import ConversationPaneRow, InteractionRow, QueueSettingRow
from sinks.kpis.contacts import contacts_behind
from sinks.kpis.query import KpiResult, kpi_table
from sinks.kpis.rolling import rolling_table
from sinks.store import Store
from tests.support.kpi_rows import Visit, interaction_row
from tests.support.rows import row

NOON: Final = 1_700_049_600_000
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
LATEST: Final = NOON + 10 * DAY
_tenants = itertools.count()


@pytest.fixture
def tenant(watermarks: Any) -> str:
    """A tenant of its own; the log has come ten days past noon."""
    watermarks(("events.email", 0, LATEST, LATEST))
    return f"conversations-{next(_tenants)}"


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=NOON + ms)


def new_york(_: str) -> str:
    return "America/New_York"


def only(store: Store, tenant: str, **question: Any) -> KpiResult:
    (result,) = kpi_table(store, tenant, **question)
    return result


def written(tenant: str, number: int, began: int, **columns: Any) -> tuple[Any, ...]:
    """A mail to `help` that began `began` milliseconds after noon."""
    columns = {"messages_by_customer": 1, **columns}
    for name in ("solved_at", "reopened_at", "responses_at"):
        columns[name] = [NOON + instant for instant in columns.get(name, ())]
    for name in ("ended_at", "waiting_since"):
        columns[name] = None if columns.get(name) is None else NOON + columns[name]
    return row(
        InteractionRow,
        tenant=tenant,
        interaction_id=f"mail-{number}",
        channel="email",
        direction="inbound",
        started_at=NOON + began,
        visits_queue=["help"],
        visits_entered_at=[NOON + began],
        visits_exited_at=[None],
        visits_ended_at=[None],
        visits_outcome=["open"],
        visits_agent=[""],
        visits_wait_ms=[None],
        visits_talk_ms=[None],
        visits_hold_ms=[0],
        visits_holds=[0],
        visits_wrapup_ms=[None],
        visits_ring_ms=[None],
        visits_missed_rings=[0],
        visits_transfer=[""],
        **columns,
    )


def test_responses_count_where_no_contact_was_offered(kpi_store: Store, tenant: str) -> None:
    head = {"tenant": tenant, "queue": "help", "channel": "email", "direction": "inbound"}
    panes = [
        row(
            ConversationPaneRow,
            **head,
            pane_at=NOON // 1000 + seconds,
            source_partition=partition,
            first_responses=1,
            first_response_ms=ms,
            first_response_bins={5: 1},
            replies=2,
            reply_ms=3 * ms,
        )
        for seconds, partition, ms in ((0, 0, 60_000), (0, 1, 30_000), (3600, 0, 10_000))
    ]
    kpi_store.insert(ConversationPaneRow, panes)
    kpi_store.insert(InteractionRow, [written(tenant, 0, -DAY, ended_at=-HOUR)])
    early, late = kpi_table(
        kpi_store, tenant, interval="1h", from_=at(0), to=at(2 * HOUR), split=("queue",)
    )
    assert (early.values["first_responses"], late.values["first_responses"]) == (2, 1)
    assert early.values["average_first_response_seconds"] == 45
    assert late.values["average_first_response_seconds"] == 10
    assert early.values["average_reply_seconds"] == 67.5
    assert (early.values["offered"], early.values["service_level_ratio.offered"]) == (0, None)
    assert early.interval_start == at(0)
    assert early.target_seconds is None


def test_what_was_done_belongs_to_who_is_said_to_have_done_it(
    kpi_store: Store, tenant: str
) -> None:
    responses = {
        "responses_at": [MINUTE, 3 * MINUTE, HOUR],
        "responses_reply_ms": [MINUTE, None, 5_000],
        "responses_agent": ["ada", "ada", ""],
        "first_response_ms": MINUTE,
    }
    solved = {"solved_at": [HOUR, 2 * HOUR], "reopened_at": [HOUR + 1], "solved_agent": ["", "bob"]}
    kpi_store.insert(
        InteractionRow,
        [
            written(tenant, 0, 0, language="de", **responses, **solved),
            written(tenant, 1, 0, language="en", waiting_since=0),
        ],
    )
    by_agent = {
        one.dimensions["agent"]: one.values
        for one in kpi_table(kpi_store, tenant, split=("agent",))
    }
    assert by_agent["ada"]["first_responses"] == by_agent["ada"]["replies"] == 1
    assert by_agent["ada"]["average_reply_seconds"] == 60
    assert by_agent[""]["replies"] == 1  # which nobody is said to have written
    assert by_agent[""]["average_first_resolution_seconds"] == 3600
    assert by_agent["bob"]["average_full_resolution_seconds"] == 7200
    assert by_agent[""]["contacts_reopened"] == 1
    german = only(
        kpi_store, tenant, split=("language", "hour"), only={"language": "de", "hour": "13"}
    )
    assert (german.values["replies"], german.values["contacts_solved"]) == (1, 1)
    behind = contacts_behind(kpi_store, tenant, "average_reply_seconds")
    assert [one.adds for one in behind] == [
        {"replies": 1, "reply_ms": 60_000},
        {"replies": 1, "reply_ms": 5_000},
    ]
    (waiting,) = contacts_behind(kpi_store, tenant, "longest_awaiting_reply_seconds")
    assert waiting.adds == {"longest_awaiting_reply_ms": 10 * DAY}
    ends = rolling_table(kpi_store, tenant, "1h", "30m", split=("agent",), only={"agent": "ada"})
    assert [(one.interval_end, one.values["replies"]) for one in ends] == [
        (at(30 * MINUTE), 1),
        (at(HOUR), 1),
    ]


def test_a_solution_is_undone_within_the_window_or_not(kpi_store: Store, tenant: str) -> None:
    kpi_store.insert(
        InteractionRow,
        [
            written(tenant, 0, 0, solved_at=[HOUR], reopened_at=[HOUR + DAY]),
            written(tenant, 1, 0, solved_at=[HOUR, 30 * HOUR], reopened_at=[26 * HOUR]),
            written(tenant, 2, 0, solved_at=[2 * HOUR]),
            written(tenant, 3, 9 * DAY, solved_at=[10 * DAY - HOUR], reopened_at=[10 * DAY]),
        ],
    )
    values = only(kpi_store, tenant).values
    assert values["contacts_reopened"] == 1
    assert values["reopen_ratio"] == 1 / 4
    assert only(kpi_store, tenant, repeat_seconds=3600).values["reopen_ratio"] == 1 / 5
    assert only(kpi_store, tenant, repeat_seconds=2 * 86_400).values["reopen_ratio"] == 2 / 4
    assert only(kpi_store, tenant, repeat_seconds=40 * 86_400).values["reopen_ratio"] is None


def in_hours(since: datetime, until: datetime, hours: dict[str, list[str]], zone: str) -> float:
    """Seconds of business hours between two instants, day by day on the wall of `zone`."""
    wall = ZoneInfo(zone)
    day, total = since.astimezone(wall).date(), 0.0
    while day <= until.astimezone(wall).date():
        for text in hours.get(f"{day:%A}".lower(), ()):
            begins, ends = (
                datetime.combine(day, time(), wall).replace(
                    hour=int(at[:2]) % 24, minute=int(at[3:])
                )
                + timedelta(days=int(at[:2]) // 24)
                for at in text.split("-")
            )
            opens, closes = begins.astimezone(UTC), ends.astimezone(UTC)
            total += max(0.0, (min(until, closes) - max(since, opens)).total_seconds())
        day += timedelta(days=1)
    return total


def test_business_hours_are_those_of_the_queue_on_the_wall(kpi_store: Store, tenant: str) -> None:
    hours = {"monday": ["08:00-12:30", "13:00-24:00"], "sunday": ["01:00-05:00"]}
    queue = QueueSettings(timezone="Europe/Berlin", business_hours=hours)
    named = {"tenant": tenant, "queue": "help", "timezone": queue.timezone}
    kpi_store.insert(
        QueueSettingRow, [row(QueueSettingRow, **named, business_minutes=queue.business_minutes)]
    )
    # Clocks go forward on Sunday the 31st of March 2024, at 2 in the night.
    began = datetime(2024, 3, 29, 12, 34, 56, 789_000, tzinfo=UTC)
    first, last = began + timedelta(days=2, hours=-9), began + timedelta(days=10, hours=1.5)
    since = round(began.timestamp() * 1000) - NOON
    solved = [round(one.timestamp() * 1000) - NOON for one in (first, last)]
    undone = [solved[0] + HOUR]
    kpi_store.insert(
        InteractionRow, [written(tenant, 0, since, solved_at=solved, reopened_at=undone)]
    )
    values = only(kpi_store, tenant).values
    for which, until in (("first", first), ("full", last)):
        expected = in_hours(began, until, hours, queue.timezone)
        assert expected > 0
        assert values[f"average_{which}_resolution_business_seconds"] == pytest.approx(expected)


def test_a_queue_that_never_closes_is_measured_by_the_calendar(
    kpi_store: Store, tenant: str
) -> None:
    kpi_store.insert(InteractionRow, [written(tenant, 0, 0, solved_at=[5 * DAY])])
    values = only(kpi_store, tenant).values
    assert values["average_full_resolution_business_seconds"] == 5 * 86_400


def test_the_backlog_is_that_of_an_instant_by_age(kpi_store: Store, tenant: str) -> None:
    kpi_store.insert(
        InteractionRow,
        [
            written(tenant, 0, 0, waiting_since=9 * DAY),
            written(tenant, 1, 0, solved_at=[HOUR], reopened_at=[DAY]),
            written(tenant, 2, 0, solved_at=[2 * DAY], ended_at=2 * DAY),
            written(tenant, 3, 0, ended_at=3 * DAY),
            written(tenant, 4, 2 * DAY - MINUTE),
            row(InteractionRow, tenant=tenant, interaction_id="call", started_at=NOON),
        ],
    )

    def backlog(to: int | None) -> dict[str, Any]:
        values = only(kpi_store, tenant, to=None if to is None else at(to)).values
        return {n: v for n, v in values.items() if n.startswith(("backlog", "await")) and v}

    assert backlog(2 * HOUR) == {"backlog": 3, "backlog_1_to_8_hours": 3, "awaiting_reply": 1}
    assert backlog(2 * DAY) == {
        "backlog": 4,
        "backlog_under_1_hour": 1,
        "backlog_1_to_3_days": 3,
        "awaiting_reply": 1,
    }
    assert backlog(None) == {"backlog": 3, "backlog_over_7_days": 3, "awaiting_reply": 1}
    values = only(kpi_store, tenant).values
    assert values["longest_awaiting_reply_seconds"] == 86_400


def test_the_backlog_of_intervals_is_that_of_their_ends(kpi_store: Store, tenant: str) -> None:
    kpi_store.insert(
        InteractionRow,
        [
            written(tenant, 0, 0, waiting_since=9 * DAY),
            written(tenant, 1, HOUR, solved_at=[2 * HOUR, 2 * DAY], reopened_at=[DAY]),
            written(tenant, 2, DAY, ended_at=DAY + HOUR),
        ],
    )
    days = kpi_table(kpi_store, tenant, interval="1d", to=at(3 * DAY), timezone_of=new_york)
    # Days end at 5 in the morning (UTC); the last one is cut off by what was asked for, at noon.
    assert [(r.interval_end, r.values["backlog"]) for r in days] == [
        (at(17 * HOUR), 1),
        (at(DAY + 17 * HOUR), 2),
        (at(2 * DAY + 17 * HOUR), 1),
        (at(3 * DAY + 17 * HOUR), 1),
    ]
    assert [r.values["backlog_1_to_3_days"] for r in days] == [0, 2, 1, 0]
    assert "awaiting_reply" not in days[0].values
    half_hours = kpi_table(kpi_store, tenant, interval="30m", from_=at(HOUR), to=at(3 * HOUR))
    assert [r.values["backlog"] for r in half_hours] == [2, 1, 1, 1]


def test_no_day_is_missed_where_clocks_change(kpi_store: Store, tenant: str) -> None:
    began = datetime(2023, 3, 11, 23, 30, tzinfo=ZoneInfo(new_york(""))).astimezone(UTC)
    after_noon = round(began.timestamp() * 1000) - NOON
    kpi_store.insert(InteractionRow, [written(tenant, 0, after_noon)])
    until = began + timedelta(hours=49)
    days = kpi_table(kpi_store, tenant, interval="1d", from_=began, to=until, timezone_of=new_york)
    ends = [r.interval_end for r in days if r.interval_end and r.values["backlog"] == 1]
    hours = [(later - end) / timedelta(hours=1) for end, later in itertools.pairwise(ends)]
    assert hours == [23, 24, 24]


def test_concurrency_counts_time_in_chats_above_and_time_at_all_below(
    kpi_store: Store, tenant: str
) -> None:
    def chat(number: int, began: int, lasted: int, agent: str = "ada") -> tuple[Any, ...]:
        visit = Visit(NOON + began, "answered", 0, talk_ms=lasted, channel="chat", queue="help")
        values = interaction_row(tenant, f"chat-{number}", [visit])
        named = dict(zip(InteractionRow.columns(), values, strict=True))
        return tuple((named | {"visits_agent": [agent]}).values())

    kpi_store.insert(
        InteractionRow,
        [
            chat(0, 0, 100_000),
            chat(1, 50_000, 100_000),
            chat(2, 60_000, 10_000),
            chat(3, 290_000, 20_000),
            chat(4, 0, 100_000, "bob"),
        ],
    )
    assert only(kpi_store, tenant).values["chat_concurrency"] == 330 / 270
    first, second = kpi_table(
        kpi_store, tenant, interval="5m", from_=at(0), to=at(10 * MINUTE), split=()
    )
    assert first.values["chat_concurrency"] == 320 / 260
    assert second.values["chat_concurrency"] == 1
