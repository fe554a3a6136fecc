"""KPIs as asked for, against a count in plain Python; panes against interactions."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.rows import AgentPaneRow, InteractionRow, KpiPaneRow
from sinks.kpis.catalogue import of_grain
from sinks.kpis.definition import Grain
from sinks.kpis.intervals import KpiQueryError
from sinks.kpis.query import KpiResult, agent_table, kpi_table
from sinks.store import Store
from tests.support.kpi_rows import (
    FLOWED_OUT,
    Visit,
    expected_kpis,
    expected_quantile_seconds,
    interaction_row,
    pane_rows,
)
from tests.support.rows import row

NOON = 1_700_049_600_000  # 2023-11-15 12:00 UTC
MINUTE = 60_000
HOUR = 60 * MINUTE

durations = st.integers(0, 400_000)
thresholds = st.integers(1, 300_000)


@st.composite
def visits(draw: st.DrawFn) -> Visit:
    outcome = draw(st.sampled_from(["open", "answered", "answered", "abandoned", *FLOWED_OUT]))
    answered = outcome == "answered"
    ended = answered and draw(st.booleans())
    holds = draw(st.integers(0, 2)) if ended else 0
    return Visit(
        entered_at=NOON + draw(st.integers(0, 4 * HOUR)),
        outcome=outcome,
        wait_ms=None if outcome == "open" else draw(durations),
        talk_ms=draw(durations) if ended else None,
        hold_ms=draw(durations) if holds else 0,
        holds=holds,
        wrapup_ms=draw(st.none() | durations) if ended else None,
        ring_ms=draw(st.none() | durations) if answered else None,
        missed_rings=draw(st.integers(0, 4)),
        transfer=draw(st.sampled_from(["", "blind", "consult", "recall"])) if ended else "",
        queue=draw(st.sampled_from(["IT", "Sales"])),
        channel=draw(st.sampled_from(["call", "chat"])),
    )


stored = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_counts(result: KpiResult, of: list[Visit], target_ms: int, short_ms: int) -> None:
    """`result` says what a count of the visits `of` says."""
    for kpi_id, expected in expected_kpis(of, target_ms, short_ms).items():
        found = result.values[kpi_id]
        if isinstance(expected, Fraction):
            assert found == pytest.approx(float(expected), rel=1e-12), kpi_id
        else:
            assert found == expected, kpi_id
    for percent in (50, 90, 95):
        exact = expected_quantile_seconds(of, percent / 100)
        found = result.values[f"wait_p{percent}_seconds"]
        assert found is None if exact is None else found == pytest.approx(exact, rel=0.010001)


def by(visits_: list[Visit], key: Callable[[Visit], Any]) -> dict[Any, list[Visit]]:
    groups: defaultdict[Any, list[Visit]] = defaultdict(list)
    for visit in visits_:
        groups[key(visit)].append(visit)
    return dict(groups)


@stored
@given(st.lists(visits(), min_size=1, max_size=30), thresholds, thresholds)
def test_any_threshold_gives_what_a_count_of_the_visits_gives(
    kpi_store: Store, load: Any, of: list[Visit], target_ms: int, short_ms: int
) -> None:
    tenant = load(of)
    asked: dict[str, Any] = {"target": target_ms / 1000, "short": short_ms / 1000}
    expected = by(of, lambda v: v.queue)
    results = kpi_table(kpi_store, tenant, **asked)
    assert [r.dimensions["queue"] for r in results] == sorted(expected)
    for result in results:
        assert_counts(result, expected[result.dimensions["queue"]], target_ms, short_ms)
        assert result.source == "interactions"
        assert result.target_seconds == target_ms / 1000


@stored
@given(
    st.lists(visits(), min_size=1, max_size=30),
    thresholds,
    thresholds,
    st.integers(1, 4),
    st.sampled_from(["10s", "5m", "30m", "1h", "1d", "all"]),
    st.sampled_from(["offered", "ended"]),
    st.sampled_from([(), ("queue",), ("queue", "channel", "direction")]),
)
def test_panes_and_interactions_agree_on_configured_thresholds(
    kpi_store: Store,
    load: Any,
    of: list[Visit],
    target_ms: int,
    short_ms: int,
    partitions: int,
    interval: str,
    cohort: Any,
    split: tuple[str, ...],
) -> None:
    tenant = load(
        of,
        target_ms=target_ms,
        short_ms=short_ms,
        partitions=partitions,
        timezone="Asia/Kolkata",
    )
    shape: dict[str, Any] = {"interval": interval, "cohort": cohort, "split": split}
    from_panes = kpi_table(kpi_store, tenant, **shape)
    asked: dict[str, Any] = {"target": target_ms / 1000, "short": short_ms / 1000}
    from_interactions = kpi_table(kpi_store, tenant, **shape, **asked)
    assert [r.source for r in from_panes] == ["panes"] * len(from_panes)
    assert [{**r.to_json(), "source": "interactions"} for r in from_panes] == [
        r.to_json() for r in from_interactions
    ]
    in_cohort = [v for v in of if cohort == "offered" or v.concluded_at is not None]
    assert sum(int(r.values["offered"] or 0) for r in from_panes) == len(in_cohort)


@stored
@given(st.lists(visits(), min_size=1, max_size=30), st.sampled_from([600, 1800, 3600]))
def test_each_interval_counts_the_visits_that_entered_in_it(
    kpi_store: Store, load: Any, of: list[Visit], seconds: int
) -> None:
    tenant = load(of)
    expected = by(of, lambda v: v.entered_at // 1000 // seconds * seconds)
    results = kpi_table(kpi_store, tenant, interval=f"{seconds}s", split=())
    assert [int(r.interval_start.timestamp()) for r in results if r.interval_start] == sorted(
        expected
    )
    for result in results:
        assert result.interval_start is not None
        assert result.interval_end is not None
        assert (result.interval_end - result.interval_start).total_seconds() == seconds
        group = expected[int(result.interval_start.timestamp())]
        assert_counts(result, group, 20_000, 5_000)


def test_days_are_those_of_the_queues_timezone_also_when_the_clock_changes(
    kpi_store: Store, load: Any
) -> None:
    midnight = int(datetime(2023, 10, 28, 22, tzinfo=UTC).timestamp() * 1000)
    berlin_25_hours = [Visit(midnight - 1), Visit(midnight), Visit(midnight + 25 * HOUR - 1)]
    tenant = load([*berlin_25_hours, Visit(midnight + 25 * HOUR)], timezone="Europe/Berlin")
    days = kpi_table(kpi_store, tenant, interval="1d")
    assert [r.values["offered"] for r in days] == [1, 2, 1]
    assert days[1].to_json()["interval_start"] == "2023-10-28T22:00:00Z"
    assert days[1].to_json()["interval_end"] == "2023-10-29T23:00:00Z"


def test_bounds_take_from_and_leave_to(kpi_store: Store, load: Any) -> None:
    tenant = load([Visit(NOON - 1), Visit(NOON), Visit(NOON + MINUTE - 1), Visit(NOON + MINUTE)])
    begin = datetime.fromtimestamp(NOON / 1000, UTC)
    aligned = kpi_table(kpi_store, tenant, from_=begin, to=begin.replace(minute=1))
    assert [(r.values["offered"], r.source) for r in aligned] == [(2, "panes")]
    assert aligned[0].interval_start == begin
    within_a_pane = kpi_table(kpi_store, tenant, from_=begin.replace(second=1))
    assert [(r.values["offered"], r.source) for r in within_a_pane] == [(2, "interactions")]


@pytest.mark.parametrize("asked", [{}, {"target": 20.0}])
def test_a_wait_of_exactly_the_threshold_is_within_it(
    kpi_store: Store, load: Any, asked: dict[str, Any]
) -> None:
    at_target = [Visit(NOON, "answered", wait, 0) for wait in (20_000, 20_001)]
    at_short = [Visit(NOON, "abandoned", wait) for wait in (5_000, 5_001, 20_000, 20_001)]
    (result,) = kpi_table(kpi_store, load([*at_target, *at_short]), **asked)
    assert result.values["answered_in_target"] == 1
    assert result.values["service_level_ratio.asterisk_perf"] == 0.5
    assert result.values["abandoned_in_target"] == 3
    assert result.values["abandoned_short"] == 1


def test_a_newer_row_of_the_same_partial_takes_the_place_of_the_older(
    kpi_store: Store, load: Any
) -> None:
    waiting = Visit(NOON)
    tenant = load([waiting])
    answered = [Visit(NOON, "answered", 1_000)]
    kpi_store.insert(KpiPaneRow, pane_rows(tenant, answered, (20_000, 5_000), version=2))
    kpi_store.insert(InteractionRow, [interaction_row(tenant, "i-0", answered, version=2)])
    for target in (None, 20.0):
        (result,) = kpi_table(kpi_store, tenant, target=target)
        assert (result.values["offered"], result.values["answered"]) == (1, 1)
        assert result.values["longest_wait_seconds"] == 1


def test_a_threshold_that_panes_do_not_know_is_null_not_zero(kpi_store: Store, load: Any) -> None:
    known = Visit(NOON, "answered", wait_ms=1_000)
    tenant = load([known], target_ms=30_000)
    earlier = Visit(NOON + HOUR, "answered", wait_ms=1_000)
    kpi_store.insert(KpiPaneRow, pane_rows(tenant, [earlier], (15_000, 5_000)))
    first, second = kpi_table(kpi_store, tenant, interval="1h")
    assert first.values["service_level_ratio.offered"] == 1
    assert second.values["answered"] == 1
    assert second.values["answered_in_target"] is None
    assert second.values["service_level_ratio.offered"] is None
    assert second.values["average_speed_of_answer_seconds"] == 1
    (whole,) = kpi_table(kpi_store, tenant)
    assert whole.values["service_level_ratio.offered"] is None
    current = kpi_store.query(
        "SELECT answered_within FROM kpi_panes_current WHERE tenant = {t:String}"
        " AND cohort = 'offered' ORDER BY pane_at",
        {"t": tenant},
    )
    assert [row["answered_within"] for row in current] == [
        {5_000: 1, 30_000: 1},
        {5_000: 1, 15_000: 1},
    ]


def test_current_panes_leave_out_a_threshold_that_one_partial_does_not_know(
    kpi_store: Store, load: Any
) -> None:
    tenant = load([Visit(NOON, "answered", wait_ms=1_000)], target_ms=30_000)
    other = pane_rows(tenant, [Visit(NOON, "answered", wait_ms=9_000)], (5_000,))[:1]
    columns = KpiPaneRow.columns()
    at = columns.index("source_partition")
    kpi_store.insert(KpiPaneRow, [(*row[:at], 7, *row[at + 1 :]) for row in other])
    (pane,) = kpi_store.query(
        "SELECT * FROM kpi_panes_current WHERE tenant = {t:String} AND cohort = 'offered'",
        {"t": tenant},
    )
    assert (pane["offered"], pane["answered_within"]) == (2, {5_000: 1})


def test_silence_past_the_horizon_is_presumed_lost_within_open(
    kpi_store: Store, load: Any, watermarks: Any
) -> None:
    watermarks(("events.call", 0, NOON + 3 * HOUR, NOON + 3 * HOUR))
    call, chat = Visit(NOON), Visit(NOON, channel="chat")
    tenant = load([call, chat, Visit(NOON, "answered", wait_ms=0)])
    fresh = interaction_row(tenant, "fresh", [call], last_event_at=NOON + 2 * HOUR)
    kpi_store.insert(InteractionRow, [fresh])
    for target in (None, 20.0):
        (result,) = kpi_table(kpi_store, tenant, target=target)
        assert result.values["presumed_lost"] == 1
    assert result.values["open"] == 3


def test_an_interval_is_final_once_the_watermark_has_passed_its_end(
    kpi_store: Store, load: Any, watermarks: Any
) -> None:
    watermarks(("events.call", 0, NOON + HOUR + 1_000, NOON + HOUR))
    tenant = load([Visit(NOON), Visit(NOON + HOUR)])
    assert [r.final for r in kpi_table(kpi_store, tenant, interval="1h")] == [True, False]
    (whole,) = kpi_table(kpi_store, tenant)
    assert whole.final is False


def test_repeats_are_counted_by_customer_over_all_queues(
    kpi_store: Store, load: Any, watermarks: Any
) -> None:
    day = 24 * HOUR
    watermarks(("events.call", 0, NOON + 2 * day, NOON))
    answered: dict[str, Any] = {"outcome": "answered", "wait_ms": 0}
    tenant = load([Visit(NOON, **answered)])  # of nobody known: in no group
    rows = [
        ("once", "a", Visit(NOON, **answered)),
        ("repeated elsewhere", "b", Visit(NOON, **answered)),
        ("the repeat, abandoned", "b", Visit(NOON + day, "abandoned", 0, queue="Sales")),
        ("later than a day", "a", Visit(NOON + day + 1, **answered)),
        ("not mature", "c", Visit(NOON + day + 1, **answered)),
        ("outbound is no repeat", "a", Visit(NOON + 1, **answered, direction="outbound")),
    ]
    kpi_store.insert(
        InteractionRow,
        [interaction_row(tenant, name, [v], customer=customer) for name, customer, v in rows],
    )
    ids = [k.id for k in (*of_grain(Grain.CALLERS), *of_grain(Grain.FIRST_CONTACT))]
    it, sales = kpi_table(kpi_store, tenant, target=20)
    assert [it.values[i] for i in ids] == [3, 1, 0, 0, 4, 2, 2, 1, 0.5]
    assert [sales.values[i] for i in ids] == [1, 0, 1, 1, 0, 0, 0, 0, None]
    (total,) = kpi_table(kpi_store, tenant, target=20, split=())
    assert [total.values[i] for i in ids] == [3, 2, 1, 0.2, 4, 2, 2, 1, 0.5]


def test_agents_time_is_shared_out_over_their_contacts(kpi_store: Store) -> None:
    counts = {
        "answered": 3,
        "missed": 1,
        "handled": 4,
        "talk_ms": 100_000,
        "hold_ms": 20_000,
        "wrapup_ms": 40_000,
        "state_available_ms": 60_000,
        "state_on_contact_ms": 100_000,
        "state_wrapup_ms": 40_000,
        "state_paused_ms": 120_000,
    }
    head = {"tenant": "agents", "agent": "ada", "pane_at": NOON // 1000}
    rows = [row(AgentPaneRow, **head, **counts, source_partition=p) for p in (0, 1)]
    kpi_store.insert(AgentPaneRow, rows)
    (result,) = agent_table(kpi_store, "agents", interval="1h")
    assert result.to_json()["agent"] == "ada"
    values = result.values
    assert values["agent_handled"] == 8
    assert values["agent_average_handle_seconds"] == 40
    assert values["agent_answer_ratio"] == 0.75
    assert values["agent_occupancy_ratio"] == 0.7
    assert values["agent_utilisation_ratio"] == 0.5
    assert agent_table(kpi_store, "agents", agent="nobody") == []


def test_occupancy_is_unknown_where_no_state_on_contact_is_reported(kpi_store: Store) -> None:
    counts = {"handled": 1, "talk_ms": 5_000, "state_available_ms": 60_000}
    kpi_store.insert(AgentPaneRow, [row(AgentPaneRow, tenant="no states", **counts)])
    (result,) = agent_table(kpi_store, "no states")
    assert result.values["agent_occupancy_ratio"] is None
    idle = row(AgentPaneRow, tenant="idle", state_available_ms=60_000)
    kpi_store.insert(AgentPaneRow, [idle])
    assert agent_table(kpi_store, "idle")[0].values["agent_occupancy_ratio"] == 0


def test_nothing_stored_is_an_empty_table(kpi_store: Store) -> None:
    assert kpi_table(kpi_store, "nobody") == []
    assert kpi_table(kpi_store, "nobody", queue="IT", target=20, interval="1d") == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"interval": "7m"}, "whole part of an hour"),
        ({"interval": "2h"}, "whole part of an hour"),
        ({"interval": ""}, "whole part of an hour"),
        ({"target": -1}, "between 0"),
        ({"short": float("nan")}, "between 0"),
        ({"cohort": "started"}, "offered or ended"),
        ({"split": ("mood",)}, "cannot split by mood; by queue"),
        ({"split": (), "queue": "IT"}, "split by queue"),
        ({"from_": datetime(2023, 1, 1)}, "say the timezone"),  # noqa: DTZ001
        (
            {"from_": datetime(2023, 1, 2, tzinfo=UTC), "to": datetime(2023, 1, 1, tzinfo=UTC)},
            "is not before",
        ),
        ({"queue": "IT", "timezone_of": lambda _: "Mars/Olympus"}, "Mars/Olympus"),
    ],
)
def test_a_bad_question_is_refused_with_what_can_be_asked(
    kpi_store: Store, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(KpiQueryError, match=words):
        kpi_table(kpi_store, "nobody", **asked)


def test_a_pane_that_only_corrects_an_earlier_one_moves_contacts_across_thresholds(
    kpi_store: Store, load: Any
) -> None:
    tenant = load([Visit(NOON, "answered", wait_ms=30_000, talk_ms=1_000)])
    # The wait was 10 s: one taken back, one added, by the partition that has the next log.
    correction = row(
        KpiPaneRow,
        tenant=tenant,
        queue="IT",
        channel="call",
        direction="inbound",
        cohort="offered",
        pane_at=NOON // 10_000 * 10,
        log="log-2",
        wait_answered_ms=-20_000,
        answered_within={20_000: 1, 5_000: 0},
    )
    kpi_store.insert(KpiPaneRow, [correction])
    (result,) = kpi_table(kpi_store, tenant, interval="all")
    assert result.source == "panes"
    assert (result.values["answered"], result.values["answered_in_target"]) == (1, 1)
    assert result.values["average_speed_of_answer_seconds"] == 10
