"""What a set of facts says of an interaction. Times are seconds; facts come in any order."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.fold.conversation import Conversation
from streams.fold.facts import Fact
from streams.fold.interaction import interaction_of, told_more
from streams.fold.known import Interaction
from streams.fold.legs import Leg
from tests.support.contact_centre import contacts
from tests.support.fold import Happening, fact_told, happening, told

T = happening


def entered(at: float, queue: str = "IT") -> Happening:
    return T(at, "queue.entered", queue=queue)


def exited(at: float, reason: str, queue: str = "IT", **data: Any) -> Happening:
    return T(at, "queue.exited", queue=queue, reason=reason, **data)


def connected(at: float, agent: str = "ada", queue: str = "IT", **data: Any) -> Happening:
    return T(at, "agent.connected", agent=agent, queue=queue, **data)


def ended(at: float, by: str = "customer", **data: Any) -> Happening:
    return T(at, "interaction.ended", by=by, **data)


def outcomes(known: Interaction) -> list[tuple[str, float, str]]:
    return [(v.queue, v.entered_at / 1000, v.outcome or "open") for v in known.visits]


def test_an_answered_call_has_wait_talk_hold_and_wrapup() -> None:
    known = told(
        T(0, "interaction.started"),
        entered(0),
        exited(20, "answered"),
        connected(20, ring_seconds=4),
        T(50, "hold.started", agent="ada"),
        T(60, "hold.ended", agent="ada"),
        ended(100, talk_seconds=None),
        T(100, "wrapup.started", agent="ada"),
        T(130, "wrapup.ended", agent="ada"),
    )
    (visit,) = known.visits
    assert (visit.wait_ms, visit.ring_ms, visit.talk_ms) == (20_000, 4_000, 70_000)
    assert (visit.hold_ms, visit.holds, visit.wrapup_ms) == (10_000, 1, 30_000)
    assert (visit.ended_at, visit.concluded_at) == (100_000, 130_000)
    assert (known.status, known.ended_by, known.ended_at) == ("ended", "customer", 100_000)


def test_any_order_of_the_facts_says_the_same() -> None:
    facts = [entered(0), exited(9, "timed_out"), entered(9), connected(30), ended(60)]
    expected = outcomes(told(*facts))
    assert expected == [("IT", 0, "timed_out"), ("IT", 9, "answered")]
    assert all(outcomes(told(*some)) == expected for some in permutations(facts))


def test_leaving_a_queue_and_entering_it_again_in_one_second_are_two_visits() -> None:
    known = told(entered(0), exited(300, "timed_out"), entered(300), exited(310, "abandoned"))
    assert outcomes(known) == [("IT", 0, "timed_out"), ("IT", 300, "abandoned")]
    assert [v.wait_ms for v in known.visits] == [300_000, 10_000]


def test_an_exit_without_entry_begins_a_visit_as_long_ago_as_it_says() -> None:
    known = told(exited(100, "abandoned", wait_seconds=30), entered(200))
    assert outcomes(known) == [("IT", 70, "abandoned"), ("IT", 200, "open")]


def test_a_connection_without_entry_does_not_take_a_later_visit() -> None:
    known = told(connected(5, wait_seconds=3), entered(100), exited(120, "abandoned"))
    assert outcomes(known) == [("IT", 2, "answered"), ("IT", 100, "abandoned")]
    assert known.visits[0].agent == "ada"


def test_an_entry_told_a_second_late_is_still_that_of_its_exit() -> None:
    known = told(entered(11), exited(10, "abandoned"))
    assert outcomes(known) == [("IT", 11, "abandoned")]
    assert known.visits[0].wait_ms == 0


def test_a_conversation_begun_a_second_before_its_entry_goes_on() -> None:
    known = told(entered(11), connected(10), ended(60))
    assert outcomes(known) == [("IT", 11, "answered")]
    assert known.visits[0].talk_ms == 50_000


def test_a_source_that_tells_no_answered_exits_has_no_visit_abandoned_twice() -> None:
    known = told(
        entered(0), connected(10), ended(50), entered(100), exited(130, "abandoned"), ended(130)
    )
    assert outcomes(known) == [("IT", 0, "answered"), ("IT", 100, "abandoned")]
    assert known.visits[1].wait_ms == 30_000


def test_an_end_while_waiting_is_an_abandon_by_the_customer_and_a_removal_by_others() -> None:
    assert outcomes(told(entered(0), ended(9)))[0][2] == "abandoned"
    assert outcomes(told(entered(0), ended(9, by="system")))[0][2] == "emptied"


def test_an_exit_told_just_after_the_end_replaces_what_was_presumed() -> None:
    assert outcomes(told(entered(0), ended(9), exited(10, "timed_out"))) == [("IT", 0, "timed_out")]
    assert outcomes(told(entered(0), ended(9), exited(10, "answered"))) == [("IT", 0, "answered")]
    assert outcomes(told(entered(0), ended(9), connected(10))) == [("IT", 0, "answered")]


def test_a_contact_that_comes_back_is_not_matched_to_the_visit_it_gave_up() -> None:
    known = told(
        entered(0), ended(10), entered(100), exited(110, "answered"), connected(110), ended(200)
    )
    assert outcomes(known) == [("IT", 0, "abandoned"), ("IT", 100, "answered")]
    assert known.visits[1].wait_ms == 10_000


def test_connected_says_one_and_gone_another_it_is_one_visit_and_answered() -> None:
    assert outcomes(told(entered(0), connected(10), exited(11, "abandoned"))) == [
        ("IT", 0, "answered")
    ]


def test_an_answered_exit_long_after_the_end_belongs_to_its_connection() -> None:
    known = told(entered(0), connected(10), ended(20), exited(60, "answered"))
    assert outcomes(known) == [("IT", 0, "answered")]


def test_a_wait_that_the_source_measured_is_preferred_and_disagreement_is_counted() -> None:
    known = told(entered(0), exited(20, "abandoned", wait_seconds=17))
    assert (known.visits[0].wait_ms, known.disagreements) == (17_000, 1)
    assert told(entered(0), exited(20, "abandoned", wait_seconds=18)).disagreements == 0


def test_a_measured_talk_agrees_with_or_without_the_time_on_hold() -> None:
    def talked(seconds: float) -> Interaction:
        return told(
            connected(0, queue=""),
            T(10, "hold.started"),
            T(30, "hold.ended"),
            ended(100, talk_seconds=seconds),
        )

    assert [talked(s).disagreements for s in (100, 80, 90)] == [0, 0, 1]
    assert talked(90).legs[0].talk_ms == 90_000


def test_the_first_measured_talk_stands_against_later_ends() -> None:
    known = told(
        connected(0),
        T(60, "transfer.completed", agent="ada", kind="consult", talk_seconds=59),
        ended(300, talk_seconds=290),
    )
    assert (known.visits[0].talk_ms, known.visits[0].ended_at) == (59_000, 60_000)
    assert known.status == "ended"


def test_a_measured_talk_replaces_an_end_that_was_only_concluded() -> None:
    wrapped = told(connected(0), T(49, "wrapup.started"), ended(50, talk_seconds=50))
    assert (wrapped.visits[0].talk_ms, wrapped.visits[0].ended_at) == (50_000, 50_000)


def test_holds_that_end_and_begin_in_one_second_are_two() -> None:
    known = told(
        connected(0),
        T(10, "hold.started"),
        T(12, "hold.ended"),
        T(12, "hold.started", id="again"),
        T(15, "hold.ended"),
        ended(20),
    )
    assert (known.visits[0].holds, known.visits[0].hold_ms) == (2, 5_000)
    assert known.visits[0].talk_ms == 15_000


def test_a_hold_told_twice_is_one_and_one_without_start_or_measure_is_none() -> None:
    twice = told(connected(0), T(10, "hold.started"), T(11, "hold.started"), T(15, "hold.ended"))
    assert (twice.visits[0].holds, twice.visits[0].hold_ms) == (1, 5_000)
    assert told(connected(0), T(15, "hold.ended")).visits[0].holds == 0
    measured = told(connected(0), T(15, "hold.ended", hold_seconds=3))
    assert (measured.visits[0].holds, measured.visits[0].hold_ms) == (1, 3_000)


def test_a_hold_that_nobody_ended_lasts_until_the_contact_ends() -> None:
    known = told(connected(0), T(10, "hold.started"), ended(40))
    assert (known.visits[0].hold_ms, known.visits[0].talk_ms) == (30_000, 10_000)


def test_who_transfers_blindly_has_talked_until_then() -> None:
    known = told(
        connected(0, queue=""),
        T(40, "transfer.started", agent="ada", kind="blind"),
        T(50, "transfer.completed", agent="ada", kind="blind", target="1125"),
    )
    assert (known.legs[0].talk_ms, known.legs[0].transfer) == (40_000, "blind")
    assert (known.transfers, known.status, known.ended_at) == (
        ["blind:1125"],
        "transferred",
        50_000,
    )


def test_who_consults_talks_on_until_the_transfer_is_completed() -> None:
    known = told(
        connected(0),
        T(40, "transfer.started", agent="ada", kind="consult"),
        T(50, "transfer.completed", agent="ada", kind="consult"),
    )
    assert known.visits[0].talk_ms == 50_000


def test_a_recalled_contact_stays_with_the_agent() -> None:
    known = told(
        connected(0),
        T(40, "transfer.started", agent="ada", kind="blind"),
        T(60, "transfer.completed", agent="ada", kind="recall"),
        ended(90),
    )
    # From 40 to 60 it rang at somebody else.
    assert (known.visits[0].talk_ms, known.visits[0].transfer) == (70_000, "recall")
    assert known.status == "ended"


@pytest.mark.parametrize("entered_at", [49, 50, 51])
def test_a_contact_passed_on_to_a_queue_is_open_while_it_waits_there(entered_at: int) -> None:
    passed_on = T(50, "transfer.completed", agent="ada", kind="blind", target="sales")
    known = told(entered(0), connected(10), passed_on, entered(entered_at, "sales"))
    assert (known.status, known.visits[0].ended_at) == ("open", min(50, entered_at) * 1000)
    later = told(
        entered(0),
        connected(10),
        passed_on,
        entered(entered_at, "sales"),
        connected(70, "bob", "sales"),
        ended(90, agent="bob"),
    )
    assert [v.talk_ms for v in later.visits] == [min(50, entered_at) * 1000 - 10_000, 20_000]
    assert list(later.agents) == ["ada", "bob"]


def test_a_consulted_agent_without_a_queue_has_a_leg_and_no_visit() -> None:
    known = told(entered(0), connected(10), connected(50, "bob", ""), ended(80))
    assert [leg.agent for leg in known.legs] == ["ada", "bob"]
    assert [leg.talk_ms for leg in known.legs] == [40_000, 30_000]
    assert len(known.visits) == 1


def test_of_several_outbound_attempts_the_last_outcome_counts() -> None:
    def dialled(at: float) -> Happening:
        return T(at, "interaction.started", direction="outbound", agent="ada")

    known = told(
        dialled(0),
        ended(20, by="system", disposition="busy"),
        dialled(30),
        connected(40, queue="", wait_seconds=10),
        ended(100, by="agent", agent="ada", talk_seconds=60),
    )
    assert (known.status, known.ended_by, known.disposition) == ("ended", "agent", "")
    assert known.outbound_attempts == [(0, "ada"), (30_000, "ada")]
    assert (known.legs[0].talk_ms, known.visits) == (60_000, [])


def test_who_ends_it_twice_says_it_better() -> None:
    known = told(ended(10, disposition="sold", resolved=True, topic="car"), ended(11, by="agent"))
    assert (known.ended_by, known.disposition, known.resolved, known.topic) == (
        "agent",
        "sold",
        True,
        "car",
    )


def test_a_customer_who_writes_after_the_end_opens_it_again() -> None:
    known = told(
        T(0, "interaction.started"),
        ended(10, by="agent", resolved=True, disposition="done"),
        T(20, "message.received", author="customer"),
    )
    assert (known.status, known.ended_by, known.resolved, known.disposition) == (
        "open",
        "",
        None,
        "",
    )


@pytest.mark.parametrize(
    "message",
    [
        {"author": "bot"},
        {"author": "agent", "public": False},
        {"author": "agent", "automatic": True},
    ],
)
def test_bots_notes_and_automatic_replies_open_nothing(message: dict[str, Any]) -> None:
    known = told(T(0, "interaction.started"), ended(10), T(20, "message.sent", **message))
    assert known.status == "ended"
    assert known.conversation is not None
    assert known.conversation.responses == []


def test_the_first_response_is_the_first_public_word_of_a_person() -> None:
    known = told(
        T(0, "interaction.started"),
        T(0, "message.received", author="customer"),
        T(1, "message.sent", author="agent", automatic=True),
        T(2, "message.sent", author="bot"),
        T(3, "message.sent", author="agent", agent="ada", public=False),
        T(60, "message.sent", author="agent", agent="ada"),
        T(90, "message.sent", author="agent", agent="ada"),
    )
    assert known.conversation is not None
    assert known.conversation.first_response_ms == 60_000
    assert known.conversation.messages == [1, 3, 1, 1]
    assert list(known.agents) == ["ada"]


def test_what_an_agent_writes_first_of_their_own_accord_answers_nobody() -> None:
    begun = [
        T(0, "interaction.started", direction="outbound"),
        T(5, "message.sent", author="agent", agent="ada"),
    ]
    unanswered = told(*begun).conversation
    assert unanswered is not None
    assert unanswered.first_response_ms is None
    answered = told(
        *begun,
        T(100, "message.received", author="customer"),
        T(130, "message.sent", author="agent", agent="ada"),
    ).conversation
    assert answered is not None
    assert answered.first_response_ms == 30_000


def test_missed_rings_belong_to_the_visit_of_their_time() -> None:
    def missed(at: float) -> Happening:
        return T(at, "agent.missed", agent="ada", queue="IT")

    known = told(entered(0), missed(5), exited(9, "timed_out"), entered(20), missed(25), missed(30))
    assert [v.missed_rings for v in known.visits] == [1, 2]
    assert len(known.misses) == 3


def test_wrapup_alone_ends_a_talk_whose_end_nobody_told() -> None:
    known = told(connected(0), T(90, "wrapup.ended", agent="ada", wrapup_seconds=30))
    assert (known.visits[0].ended_at, known.visits[0].talk_ms) == (60_000, 60_000)
    assert known.visits[0].concluded_at == 90_000


def test_a_wrapup_told_after_the_next_contact_began_is_its_agents() -> None:
    known = told(
        connected(0),
        T(50, "transfer.completed", agent="ada", kind="blind"),
        entered(50, "sales"),
        connected(60, "bob", "sales"),
        T(70, "wrapup.ended", agent="ada", wrapup_seconds=20),
    )
    assert [v.wrapup_ms for v in known.visits] == [20_000, None]


def test_identifiers_of_beginning_and_queue_are_collected_in_order() -> None:
    def customer(*values: str) -> dict[str, Any]:
        return {"identifiers": [{"kind": "phone", "value": v} for v in values], "name": ""}

    known = told(
        T(0, "interaction.started", customer=customer("+12")),
        T(5, "queue.entered", queue="IT", customer=customer("+12", "34")),
    )
    assert list(known.identifiers) == ["phone:+12", "phone:34"]


@pytest.mark.parametrize(
    ("kind", "data", "enough"),
    [
        ("interaction.started", {}, True),
        ("ivr.entered", {}, True),
        ("queue.exited", {"queue": "IT", "reason": "abandoned"}, True),
        ("message.received", {"author": "customer"}, True),
        ("callback.requested", {}, True),
        ("call.blocked", {"trunk": "carrier"}, False),
        ("message.sent", {"author": "agent", "automatic": True}, False),
        ("survey.submitted", {"kind": "csat", "score": 5, "scale_max": 5}, False),
        ("interaction.ended", {"by": "agent"}, False),
        ("wrapup.ended", {"wrapup_seconds": 4}, False),
        ("hold.started", {}, False),
        ("ticket.status_changed", {"status": "solved"}, False),
    ],
)
def test_only_what_says_enough_makes_a_row(kind: str, data: dict[str, Any], enough: bool) -> None:
    assert told(T(0, kind, **data)).has_beginning is enough


def test_the_direction_is_that_of_the_first_beginning_and_inbound_by_default() -> None:
    assert told(entered(0)).direction == "inbound"
    known = told(
        T(9, "interaction.started", direction="inbound"),
        T(5, "interaction.started", direction="outbound"),
    )
    assert known.direction == "outbound"


def said(value: Any) -> Any:
    """All that is known, as plain values."""
    if isinstance(value, Fact):
        return value.save()
    if isinstance(value, Interaction | Leg | Conversation):
        attributes = {name: getattr(value, name) for name in dir(value) if name[:2] != "__"}
        return {name: said(held) for name, held in attributes.items() if not callable(held)}
    if isinstance(value, dict):
        return [(key, said(held)) for key, held in value.items()]
    return [said(held) for held in value] if isinstance(value, list | tuple) else value


@given(contacts(0), st.randoms(use_true_random=False))
def test_facts_told_one_by_one_say_what_they_say_together(
    happenings: list[Happening], dice: Any
) -> None:
    """Those of one instant in any order."""
    in_time = sorted(happenings, key=lambda each: (each.at, dice.random()))
    facts = list({fact.key: fact for fact in map(fact_told, in_time)}.values())
    known = interaction_of(facts[:1])
    for at, fact in enumerate(facts[1:], 1):
        together = interaction_of(facts[: at + 1])
        known = known if told_more(known, fact) else together
        assert said(known) == said(together)


def test_an_answered_exit_told_after_its_connection_is_taken_in_as_it_comes() -> None:
    first, late = entered(8), exited(28, "answered", wait_seconds=19.5)
    for connection in (connected(28), connected(28, wait_seconds=20), connected(28, queue="")):
        facts = [fact_told(each) for each in (first, connection, late)]
        known = interaction_of(facts[:2])
        assert told_more(known, facts[2])
        assert said(known) == said(interaction_of(facts))
        assert not told_more(known, fact_told(exited(28, "answered", wait_seconds=5)))
