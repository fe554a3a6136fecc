"""What messages and tickets say: who waits, who answered, and what was solved."""

import pytest

from streams.fold.conversation import Conversation
from tests.support.fold import Happening, happening, told

STARTED = happening(0, "interaction.started")


def customer(at: float, **data: object) -> Happening:
    return happening(at, "message.received", author="customer", **data)


def agent(at: float, **data: object) -> Happening:
    return happening(at, "message.sent", author="agent", agent="ada", **data)


def ticket(at: float, status: str) -> Happening:
    return happening(at, "ticket.status_changed", status=status)


def ended(at: float, *, resolved: bool | None = None) -> Happening:
    return happening(at, "interaction.ended", by="agent", resolved=resolved)


def talk(*happenings: Happening) -> Conversation:
    known = told(STARTED, *happenings).conversation
    assert known is not None
    return known


def test_a_call_has_no_conversation() -> None:
    assert told(STARTED, ended(60, resolved=True)).conversation is None


def test_a_reply_counts_from_the_first_message_that_waits_for_it() -> None:
    found = talk(
        customer(10),
        happening(11, "message.sent", author="bot"),
        customer(20),
        agent(25, public=False),
        agent(26, automatic=True),
        agent(40),
        agent(50),
        customer(100),
        customer(101, automatic=True),
        agent(130),
    )
    assert (found.replies, found.reply_ms) == (2, 30_000 + 30_000)
    assert found.first_response_ms == 40_000
    assert [(first, reply) for *_, first, reply in found.responses] == [
        (40_000, 30_000),
        (None, 30_000),
    ]
    assert found.messages == [3, 4, 1, 2]


@pytest.mark.parametrize(
    ("last", "since"),
    [
        (agent(90, public=False), 60_000),
        (agent(90), None),
        (ended(90), None),
        (ticket(90, "pending"), 60_000),
        (ticket(90, "solved"), None),
    ],
)
def test_a_customer_waits_until_answered_or_until_no_answer_is_due(
    last: Happening, since: int | None
) -> None:
    assert talk(customer(5), agent(30), customer(60), customer(70), last).waiting_since == since


def test_responses_count_in_the_queue_that_was_entered_last() -> None:
    found = talk(
        agent(1),
        happening(2, "queue.entered", queue="sales"),
        customer(3),
        agent(4),
        happening(5, "queue.entered", queue="billing"),
        customer(6),
        agent(7),
    )
    assert [queue for _, queue, *_ in found.responses] == ["", "sales", "billing"]


def test_solutions_and_what_undid_them_go_by_turns() -> None:
    found = talk(
        customer(0),
        ticket(1, "new"),
        ticket(10, "solved"),
        ticket(20, "closed"),
        ticket(30, "open"),
        ticket(31, "pending"),
        ticket(40, "closed"),
    )
    assert [at for at, _, _ in found.solved] == [10_000, 40_000]
    assert found.reopened_at == [30_000]
    assert (found.ticket_status, found.ticket_status_at) == ("closed", 40_000)
    assert found.is_solved


def test_a_status_that_is_told_again_lasts_since_it_was_told_first() -> None:
    found = talk(ticket(1, "open"), ticket(5, "pending"), ticket(9, "pending"))
    assert found.ticket_status_at == 5_000


def test_statuses_of_one_second_go_the_way_of_a_ticket() -> None:
    found = talk(ticket(7, "solved"), ticket(7, "new"), ticket(7, "open"))
    assert found.ticket_status == "solved"
    assert found.reopened_at == []


def test_an_end_that_resolved_holds_until_the_contact_goes_on() -> None:
    assert [at for at, _, _ in talk(customer(0), ended(10)).solved] == []
    found = talk(customer(0), agent(5), ended(10, resolved=True), ticket(10, "solved"), agent(20))
    assert [at for at, _, _ in found.solved] == [10_000]
    assert found.reopened_at == [20_000]


def test_a_word_of_thanks_does_not_reopen_a_solved_ticket() -> None:
    found = talk(customer(0), agent(5), ticket(10, "solved"), customer(20))
    assert found.is_solved
    assert found.waiting_since == 20_000
