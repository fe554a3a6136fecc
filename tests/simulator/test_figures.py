"""Figures by hand: each expected number was worked out on paper from its definition."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings

from simulator.figures import agent_figures, queue_figures, stays, time_in_states
from simulator.run import Run
from simulator.settings import Simulation
from simulator.truth import Contact, Leg, Ring, Staff, Truth, Visit
from tests.simulator.centres import centres


def contact(*visits: Visit, direction: str = "inbound") -> Contact:
    one = Contact("c", "call", direction, 1, 0, "en")  # type: ignore[arg-type]
    one.visits = list(visits)
    one.legs = [visit.leg for visit in visits if visit.leg is not None]
    return one


def truth_of(*contacts: Contact, staff: tuple[Staff, ...] = ()) -> Truth:
    truth = Truth(datetime(2026, 3, 2, tzinfo=UTC))
    truth.contacts, truth.staff = list(contacts), list(staff)
    return truth


def left(outcome: str, wait_ms: int) -> Visit:
    return Visit("q", 0, outcome=outcome, wait_ms=wait_ms)  # type: ignore[arg-type]


def talked(wait_ms: int, talk_ms: int, **more: object) -> Visit:
    leg = Leg("ada", "q", wait_ms, 2000, talk_ms=talk_ms, ended_at=wait_ms + talk_ms)
    for name, value in more.items():
        setattr(leg, name, value)
    return Visit("q", 0, outcome="answered", wait_ms=wait_ms, missed_rings=1, leg=leg)


DAY = truth_of(
    contact(talked(10_000, 60_000, wrapup_ms=5_000, wrapped_up_at=75_000)),
    contact(talked(30_000, 90_000, hold_ms=20_000, holds=2, transfer="blind")),
    contact(left("abandoned", 3_000)),
    contact(left("abandoned", 15_000)),
    contact(left("abandoned", 40_000)),
    contact(left("timed_out", 60_000)),
    contact(left("callback_accepted", 18_000)),
    contact(Visit("q", 0)),
)


def test_every_formula_of_a_queue_on_a_day_small_enough_to_count() -> None:
    (figures,) = queue_figures(DAY).values()
    assert figures["offered"] == 8
    assert figures["open"] == 1
    assert figures["abandonment_ratio"] == 3 / 7
    assert figures["abandonment_net_of_short_ratio"] == 2 / 6
    assert figures["lost_ratio"] == 4 / 7
    level = {n.partition(".")[2]: v for n, v in figures.items() if n.startswith("service_level")}
    assert level == {
        "offered": 1 / 7,
        "answered_abandoned": 1 / 5,
        "short_abandons_removed": 1 / 4,
        "abandons_in_target_removed": 1 / 3,
        "answered_only": 1 / 2,
        "all_exits": 4 / 7,
        "asterisk_perf": 1 / 2,
        "asterisk_perf2": 3 / 5,
        "cisco_ignored": 1 / 5,
        "cisco_negative": 1 / 7,
        "cisco_positive": 3 / 7,
    }
    assert figures["average_speed_of_answer_seconds"] == 20
    assert figures["average_time_to_abandon_seconds"] == pytest.approx(58 / 3)
    assert figures["longest_wait_seconds"] == 60
    assert figures["wait_p50_seconds"] == 18
    assert figures["average_talk_seconds"] == 75
    assert figures["average_hold_seconds"] == 10
    assert figures["average_hold_per_held_seconds"] == 20
    assert figures["average_wrapup_seconds"] == 2.5
    assert figures["average_wrapup_per_wrapped_up_seconds"] == 5
    assert figures["average_handle_seconds"] == 87.5
    assert figures["transfer_ratio"] == 1 / 2
    assert figures["missed_rings_per_offered"] == 2 / 8


def test_nothing_to_divide_by_is_nothing_and_not_zero() -> None:
    (figures,) = queue_figures(truth_of(contact(Visit("q", 0)))).values()
    assert figures["service_level_ratio.offered"] is None
    assert figures["average_speed_of_answer_seconds"] is None
    assert figures["wait_p95_seconds"] is None
    assert figures["abandoned"] == 0


def test_an_agents_state_that_lasts_is_not_counted_yet() -> None:
    ada = Staff("ada", "north", False, ("en",), ("q",), 1)
    ada.states = [
        (0, "available", 0),
        (70, "on_contact", 1),
        (100, "offline", 0),
        (500, "paused", 0),
    ]
    assert time_in_states(ada) == {"available": 70, "on_contact": 30, "wrapup": 0, "paused": 0}
    rung = contact(talked(10_000, 60_000))
    rung.rings = [Ring("ada", 1, 5, "missed"), Ring("ada", 2, 5, "cancelled")]
    out = contact(direction="outbound")
    out.agent, out.legs = "ada", [Leg("ada", "", 5)]
    truth = truth_of(rung, out, staff=(ada,))
    figures = agent_figures(truth)["ada", 0]
    assert figures["agent_answered"] == figures["agent_missed"] == figures["agent_handled"] == 1
    assert figures["agent_outbound_attempted"] == figures["agent_outbound_connected"] == 1
    assert figures["agent_occupancy_ratio"] == 30 / 100
    by_span = agent_figures(truth, [(0, 50), (50, 80), (80, 200), (200, 300)])
    assert by_span.keys() == {("ada", 0), ("ada", 50), ("ada", 80)}
    assert [f["agent_available_seconds"] for f in by_span.values()] == [0.05, 0.02, 0]
    assert [f["agent_missed"] for f in by_span.values()] == [1, 0, 0]


@settings(max_examples=15)
@given(centres())
def test_groups_add_up_to_the_whole(simulation: Simulation) -> None:
    run = Run(simulation)
    for _ in run.events():
        pass
    whole = queue_figures(run.truth, lambda _: ()).get((), {})
    parts = queue_figures(run.truth).values()
    for count in ("offered", "answered", "abandoned", "ended", "missed_rings", "transferred"):
        assert sum(part[count] or 0 for part in parts) == whole.get(count, 0)
    assert sum(1 for _ in stays(run.truth)) == whole.get("offered", 0)
