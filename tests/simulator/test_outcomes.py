"""Each definition on cases small enough to count by hand, then all of them on a whole day."""

from typing import Any

import pytest

from simulator import outcomes, surroundings
from simulator.figures import Figures
from simulator.truth import (
    Blocked,
    Contact,
    Leg,
    Mailing,
    Menu,
    Rating,
    SelfService,
    Staff,
    Written,
)
from tests.simulator.centres import small_run

HOUR_MS = 3_600_000


def contact(customer: int = 1, at: int = 0, **more: Any) -> Contact:
    one = Contact(f"c{customer}-{at}", "call", "inbound", customer, at, "en")
    one.identifiers = [("phone", str(customer), "")]
    for name, value in more.items():
        setattr(one, name, value)
    return one


def test_containment_is_true_only_if_nobody_comes_back_within_a_day() -> None:
    contacts = [
        contact(1, 0, menu=Menu("m", 0, "contained", goal=True)),
        contact(2, 0, menu=Menu("m", 0, "contained", goal=True)),
        contact(2, HOUR_MS, menu=Menu("m", 0, "agent_requested")),
        contact(3, 0, menu=Menu("m", 0, "contained", goal=False)),
        contact(4, 0, menu=Menu("m", 0, "hung_up")),
        contact(5, 0, menu=Menu("m", 0, "contained", goal=True)),
        contact(5, 25 * HOUR_MS),
    ]
    figures = outcomes.menu_figures(contacts, outcomes.inbound_contacts(contacts))
    assert figures["menu_entered"] == 6
    assert figures["menu_containment_ratio"] == 4 / 6
    assert figures["menu_truly_contained"] == 2
    assert figures["menu_agent_requested_ratio"] == 1 / 6


def test_time_to_callback_runs_from_asking_to_being_reached() -> None:
    asked = contact(1, 0, callback=[(9_000, "offered", "q"), (10_000, "requested", "q")])
    missed = contact(1, 50_000, linked_to=asked.interaction)
    missed.callback = [(50_000, "attempted", "q"), (60_000, "failed", "q")]
    reached = contact(1, 80_000, linked_to=asked.interaction)
    reached.callback = [(80_000, "attempted", "q"), (90_000, "connected", "q")]
    offered = contact(2, 0, callback=[(9_000, "offered", "q")])
    steps = surroundings.callback_steps([asked, missed, reached, offered])
    figures = surroundings.callback_figures(steps)
    assert figures["callback_accepted_ratio"] == 1 / 2
    assert figures["average_time_to_callback_seconds"] == 80
    assert figures["callback_attempted"] == 2
    assert figures["callback_connected_ratio"] == 1


def test_nothing_is_said_of_blocked_calls_where_nobody_tells_of_them() -> None:
    calls = [contact(1, 0), contact(2, 0)]
    told = surroundings.trunk_figures(calls, [Blocked(5, "inbound", "north")], told=True)
    assert told == {"calls_attempted": 3, "calls_blocked": 1, "blocked_ratio": 1 / 3}
    assert set(surroundings.trunk_figures(calls, [], told=False).values()) == {None}


def test_of_a_customers_nps_answers_the_last_counts() -> None:
    contacts = [
        contact(1, legs=[Leg("a", "q", 0)], ratings=[Rating("nps", 9, 10, 10)]),
        contact(1, ratings=[Rating("nps", 20, 3, 10)]),
        contact(2, ratings=[Rating("nps", 1, 9, 10), Rating("csat", 1, 4, 5)]),
        contact(3, ratings=[Rating("nps", 1, 8, 10), Rating("csat", 1, 3, 5)]),
    ]
    figures = outcomes.rating_figures(contacts)
    assert figures["nps_customers"] == 3
    assert figures["nps_ratio"] == 0
    assert figures["csat_ratio"] == 1 / 2
    assert figures["csat_mean"] == 3.5
    assert figures["ces_mean"] is None


def test_a_reply_counts_from_the_first_message_that_waits_for_it() -> None:
    messages = [
        Written("customer", 0),
        Written("bot", 1, automatic=True),
        Written("customer", 5_000),
        Written("agent", 6_000, public=False),
        Written("agent", 10_000),
        Written("agent", 12_000),
        Written("customer", 20_000),
        Written("customer", 21_000, automatic=True),
        Written("agent", 26_000),
    ]
    figures = outcomes.done_figures(
        outcomes.done_for(contact(messages=messages, first_response_ms=10_000))
    )
    assert figures["replies"] == 2
    assert figures["average_reply_seconds"] == 8
    assert figures["average_first_response_seconds"] == 10


def test_tickets_are_solved_reopened_and_wait_in_the_backlog() -> None:
    tickets = [
        contact(1, ticket=[(0, "new"), (9_000, "solved"), (10_000, "open"), (30_000, "solved")]),
        contact(2, ticket=[(0, "new"), (5_000, "open")]),
        contact(3, ticket=[(0, "new"), (11_000, "solved")]),
    ]
    figures = outcomes.done_figures(one for t in tickets for one in outcomes.done_for(t))
    assert figures["average_first_resolution_seconds"] == 10
    assert figures["average_full_resolution_seconds"] == 20.5
    solved = list(outcomes.solutions(tickets))
    assert outcomes.solution_figures(solved, 40_000, 10_000)["reopen_ratio"] == 1 / 3
    assert outcomes.solution_figures(solved, 20_000, 10_000)["reopen_ratio"] == 1
    assert outcomes.backlog(tickets, 8_000) == [8_000, 8_000, 8_000]
    assert outcomes.backlog(tickets, 40_000) == [40_000]
    figures = outcomes.backlog_figures(tickets, 3_600_000)
    assert (figures["backlog_under_1_hour"], figures["backlog_1_to_8_hours"]) == (0, 1)


def test_concurrency_counts_time_twice_above_and_once_below() -> None:
    chats = [
        contact(legs=[Leg("ada", "q", begin, ended_at=end)], channel="chat")
        for begin, end in ((0, 100), (50, 150), (200, 250))
    ]
    assert outcomes.chat_figures(outcomes.chats(chats))["chat_concurrency"] == 250 / 200


def test_adherence_is_work_in_work_and_pause_in_pause() -> None:
    ada = Staff("ada", "north", False, ("en",), ("q",), 1)
    ada.schedule = [(0, 100, "work"), (100, 200, "lunch")]
    ada.states = [
        (10, "available", 0),
        (120, "paused", 0),
        (190, "on_contact", 1),
        (300, "offline", 0),
    ]
    assert outcomes.adherence_figures([ada])["adherence_ratio"] == (90 + 70) / 200


def test_slots_count_by_how_many_are_used() -> None:
    ada = Staff("ada", "north", False, ("en",), ("q",), 4)
    ada.states = [
        (0, "available", 0),
        (50, "on_contact", 3),
        (100, "paused", 0),
        (900, "offline", 0),
    ]
    assert outcomes.slot_occupancy([ada])["slot_occupancy_ratio"] == 150 / 400


def test_deflected_is_who_does_not_come_within_a_day() -> None:
    came = outcomes.inbound_contacts([contact(1, 5_000)])
    used = [SelfService(1, 0, "faq", "left"), SelfService(2, 0, "faq", "solved")]
    figures = surroundings.selfservice_figures(used, came)
    assert figures["deflection_ratio"] == figures["selfservice_success_ratio"] == 1 / 2


def test_a_campaign_counts_what_became_of_its_messages() -> None:
    mailings = [
        Mailing("spring", "sms", 1, 0, delivered_at=5, opened_at=9, clicked_at=12),
        Mailing("spring", "sms", 2, 0, failed_at=5),
    ]
    contacts = [contact(1, 20, cause="spring"), contact(2, 20, cause="other")]
    figures = surroundings.campaign_figures(surroundings.campaign_steps(mailings, contacts))
    assert figures["campaign_clicked_ratio"] == 1 / 2
    assert figures["campaign_contacts"] == 2
    assert surroundings.caused_contacts(mailings, contacts) == 1


def test_a_whole_day_has_a_figure_for_each() -> None:
    truth = small_run()[0].truth
    came = outcomes.inbound_contacts(truth.contacts)
    figures: Figures = {
        **outcomes.menu_figures(truth.contacts, came),
        **surroundings.callback_figures(surroundings.callback_steps(truth.contacts)),
        **outcomes.rating_figures(truth.contacts),
        **outcomes.done_figures(one for c in truth.contacts for one in outcomes.done_for(c)),
        **outcomes.solution_figures(
            outcomes.solutions(truth.contacts), small_run()[0].ends_at, 3_600_000
        ),
        **outcomes.quality_figures(truth.contacts),
        **outcomes.chat_figures(outcomes.chats(truth.contacts)),
        **outcomes.adherence_figures(truth.staff),
        **outcomes.slot_occupancy(truth.staff),
        **surroundings.selfservice_figures(truth.selfservice, came),
        **surroundings.campaign_figures(
            surroundings.campaign_steps(truth.mailings, truth.contacts)
        ),
        **surroundings.churn_figures(truth.people.values()),
    }
    assert not [name for name, value in figures.items() if value is None]
    shares = [n for n in figures if n.endswith("_ratio") and n != "nps_ratio"]
    assert all(0 <= (figures[name] or 0) <= 1 for name in shares)
    assert (figures["chat_concurrency"] or 0) >= 1
    assert figures["adherence_ratio"] == pytest.approx(0.85, abs=0.15)
