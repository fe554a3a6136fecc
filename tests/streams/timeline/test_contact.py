"""A contact folded from its events is what the worker stored of it, and what the events add."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decode import Event, Rejected, decode
from schemas.rows import InteractionRow
from schemas.timeline import Contact
from schemas.topics import CHANNEL_OF
from streams.identity.normalise import Identifiers
from streams.timeline.contact import contact_of_events, contact_of_row
from streams.timeline.happenings import instant
from tests.support.contact_centre import contacts
from tests.support.fold import MONDAY_MS, Happening, folded, happening, log_of
from tests.support.timeline import NEVER_LET_GO

OF_EVENTS_ALONE = (
    "transfers",
    "holds",
    "menus",
    "callbacks",
    "messages",
    "tickets",
    "ratings",
    "recordings",
    "has_events",
)


def read(told: Happening) -> tuple[int, Event]:
    event = decode(told.value())
    assert not isinstance(event, Rejected)
    return MONDAY_MS + told.at, event


def contact(*told: Happening, channel: str = "call") -> Contact:
    found = contact_of_events(map(read, told), channel, Identifiers())
    assert found is not None
    return found


@settings(max_examples=100)
@given(told=contacts(1), random=st.randoms())
def test_from_events_in_any_order_it_is_what_the_worker_stored(
    told: list[Happening], random: Any
) -> None:
    rows = folded(log_of(told), NEVER_LET_GO).tables[InteractionRow]
    for row in rows.values():
        events = [h for h in told if h.subject == row["interaction_id"]]
        random.shuffle(events)
        channel = CHANNEL_OF[events[0].topic]
        ours = contact(*events, *events[:3], channel=channel)
        stored = contact_of_row(row)
        assert ours.has_events
        assert not stored.has_events
        left_out = set(OF_EVENTS_ALONE)
        assert ours.model_dump(exclude=left_out) == stored.model_dump(exclude=left_out)


def test_no_event_of_a_contact_is_no_contact() -> None:
    other = happening(0, "selfservice.used", surface="faq", outcome="left", on="events.customer")
    assert contact_of_events([read(other)], "call", Identifiers()) is None


def test_transfers_are_a_chain() -> None:
    found = contact(
        happening(0, "interaction.started"),
        happening(1, "agent.connected", agent="ada"),
        happening(20, "transfer.started", agent="ada", kind="consult", target="bob"),
        happening(30, "transfer.completed", agent="ada", kind="consult", target="bob"),
        happening(40, "transfer.started", agent="bob", kind="blind", target="sales"),
    )
    said = [(t.kind, t.from_agent, t.target, t.completed) for t in found.transfers]
    assert said == [("consult", "ada", "bob", True), ("blind", "bob", "sales", False)]
    assert found.transfers[0].at == instant(MONDAY_MS + 20_000)


def test_a_transfer_that_only_its_end_tells_is_in_the_chain() -> None:
    done = happening(9, "transfer.completed", agent="ada", kind="blind", target="bob")
    (found,) = contact(happening(0, "interaction.started"), done).transfers
    assert (found.from_agent, found.target, found.completed) == ("ada", "bob", True)


def test_holds_take_the_sources_measure_before_their_own() -> None:
    found = contact(
        happening(0, "agent.connected", agent="ada"),
        happening(10, "hold.started", agent="ada"),
        happening(15, "hold.ended", agent="ada"),
        happening(20, "hold.started", agent="ada"),
        happening(30, "hold.ended", agent="ada", hold_seconds=9.5),
        happening(44, "hold.ended", agent="bob", hold_seconds=4),
        happening(50, "hold.started", agent="ada"),
    )
    assert [h.seconds for h in found.holds] == [5, 9.5, 4, None]
    assert found.holds[2].started_at == instant(MONDAY_MS + 40_000)


def test_recordings_know_where_they_are() -> None:
    found = contact(
        happening(0, "interaction.started"),
        happening(1, "recording.started", reference="a.wav"),
        happening(2, "recording.started"),
        happening(8, "recording.stopped", reference="b.wav"),
        happening(9, "recording.stopped", reference="a.wav"),
    )
    stopped = [(r.reference, r.stopped_at) for r in found.recordings]
    assert stopped == [
        ("a.wav", instant(MONDAY_MS + 9_000)),
        ("b.wav", instant(MONDAY_MS + 8_000)),
    ]


def test_a_callback_a_menu_a_ticket_and_a_rating() -> None:
    found = contact(
        happening(0, "interaction.started", linked_to="c-0"),
        happening(1, "ivr.entered", menu="main"),
        happening(9, "ivr.exited", menu="main", outcome="agent_requested", path="1-3"),
        happening(10, "callback.requested", queue="support"),
        happening(11, "callback.failed", agent="ada", reason="busy"),
        happening(12, "ticket.status_changed", status="solved", agent="ada"),
        happening(13, "survey.submitted", kind="csat", score=4, scale_max=5, comment="fine"),
    )
    assert found.continues == "c-0"
    (menu,) = found.menus
    assert (menu.menu, menu.outcome, menu.path) == ("main", "agent_requested", "1-3")
    assert [(c.step, c.reason) for c in found.callbacks] == [("requested", ""), ("failed", "busy")]
    assert [t.status for t in found.tickets] == ["solved"]
    (rating,) = found.ratings
    assert (rating.kind, rating.score, rating.interaction_id) == ("csat", 4, "c-1")


def test_messages_are_in_threads() -> None:
    found = contact(
        happening(0, "message.received", author="customer", text="Where is it?", id="m1"),
        happening(9, "message.sent", author="agent", agent="ada", in_reply_to="m1", id="m3"),
        happening(5, "message.received", author="customer", text="And the bill?", id="m2"),
        channel="email",
    )
    assert [(m.id, m.depth, m.author) for m in found.messages] == [
        ("m1", 0, "customer"),
        ("m3", 1, "agent"),
        ("m2", 0, "customer"),
    ]


def test_who_waits_since_when_and_what_became_of_the_ticket() -> None:
    found = contact(
        happening(0, "interaction.started"),
        happening(0, "message.received", author="customer"),
        happening(60, "message.sent", author="agent", agent="ada"),
        happening(65, "ticket.status_changed", status="solved"),
        happening(300, "ticket.status_changed", status="open"),
        happening(300, "message.received", author="customer"),
        channel="email",
    )
    assert (found.first_response_seconds, found.replies, found.reply_seconds) == (60, 1, 60)
    assert found.waiting_since == instant(MONDAY_MS + 300_000)
    assert (found.ticket_status, found.ticket_status_at) == ("open", found.waiting_since)
    assert found.solved_at == [instant(MONDAY_MS + 65_000)]
    assert found.reopened_at == [found.waiting_since]


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ([happening(0, "queue.entered", queue="q")], "open"),
        ([happening(0, "queue.exited", queue="q", reason="timed_out")], "timed_out"),
        ([happening(0, "agent.connected", agent="ada", queue="q")], "answered"),
        ([happening(0, "message.received", author="customer")], ""),
    ],
)
def test_the_outcome_of_a_contact(told: list[Happening], outcome: str) -> None:
    assert contact(*told).outcome == outcome
