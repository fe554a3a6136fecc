"""Lives of contacts, forced one way by settings: what happens, in which order, and what is told."""

from collections import defaultdict
from typing import Any

import pytest

from simulator.run import Run
from simulator.settings import (
    AfterModel,
    CallModel,
    CampaignModel,
    PeopleModel,
    QueueModel,
    Simulation,
    WrittenModel,
)
from simulator.telling import Told
from simulator.truth import Contact

CALM = AfterModel(
    return_share=0, selfservice_before_share=0, selfservice_after_share=0, selfservice_a_day=0,
    survey_share={}, churn_share=0,
)  # fmt: skip
PLAIN = {
    "menu_share": 0, "short_abandon_share": 0, "miss_share": 0, "hold_share": 0, "key_share": 0,
    "moved_share": 0, "blind_share": 0, "consult_share": 0, "recording_share": 0,
    "quality_share": 0, "callback_accepted_share": 0,
}  # fmt: skip


def ran(
    queue: dict[str, Any], calls: dict[str, Any] | None = None, **changes: Any
) -> tuple[Run, dict[str, list[Told]]]:
    """A day of one queue in which nothing happens but what is asked for."""
    model = QueueModel.model_validate(
        {"name": "q", "skill": "s", "contacts_a_day": 60, "patience_seconds": 86_400} | queue
    )
    defaults = {
        "people": PeopleModel(agents=12, customers=500, languages={"en": 1}, anonymous_share=0),
        "after": CALM,
        "calls": CallModel.model_validate(PLAIN | (calls or {})),
    }
    run = Run(Simulation.model_validate({"queues": (model,), **defaults, **changes}))
    told = defaultdict(list)
    for one in run.events():
        told[one.subject].append(one)
    return run, told


def daytime(run: Run) -> list[Contact]:
    """Contacts that began while there were agents, and that were over before the end."""
    return [c for c in run.truth.contacts if 9 * 3_600_000 < c.started_at < 15 * 3_600_000]


def types(told: list[Told]) -> list[str]:
    return [one.type for one in told if not one.type.startswith("wrapup")]


def test_a_plain_call() -> None:
    run, told = ran({})
    for contact in daytime(run):
        assert types(told[contact.interaction]) == [
            "interaction.started", "queue.entered", "agent.offered", "agent.connected",
            "queue.exited", "interaction.ended",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "outcome", "by"),
    [
        ({"contained_share": 1, "menu_hangup_share": 0}, "contained", "customer"),
        ({"contained_share": 0, "menu_hangup_share": 1}, "hung_up", "customer"),
    ],
)
def test_a_menu_may_be_the_end(shares: dict[str, float], outcome: str, by: str) -> None:
    run, told = ran({}, {"menu_share": 1, **shares})
    assert run.truth.contacts
    for contact in run.truth.contacts:
        assert contact.menu is not None
        assert (contact.menu.outcome, contact.ended_by) == (outcome, by)
        assert not contact.visits
        assert types(told[contact.interaction])[1:] == [
            "ivr.entered", "ivr.exited", "interaction.ended"
        ]  # fmt: skip


def test_a_missed_ring_is_followed_by_another_for_the_same_customer() -> None:
    run, told = ran({}, {"miss_share": 0.5})
    missed = [c for c in daytime(run) if c.visits[0].missed_rings]
    assert missed
    for contact in missed:
        said = types(told[contact.interaction])
        assert said.count("agent.missed") == contact.visits[0].missed_rings
        assert said.count("agent.offered") == contact.visits[0].missed_rings + 1
        assert contact.visits[0].outcome == "answered"


def test_a_call_that_nobody_takes_over_comes_back() -> None:
    run, told = ran({}, {"blind_share": 1, "to_queue_share": 0, "recall_share": 1})
    legs = [leg for c in daytime(run) for leg in c.legs]
    assert "recall" in {leg.transfer for leg in legs} <= {"", "recall"}
    for contact in daytime(run):
        (leg,) = contact.legs
        if leg.transfer:
            assert types(told[contact.interaction])[5:] == [
                "transfer.started", "agent.offered", "agent.missed", "transfer.completed",
                "interaction.ended",
            ]  # fmt: skip
            assert leg.ended_at == contact.ended_at


def test_a_colleague_who_takes_over_has_a_leg_without_a_queue() -> None:
    run, told = ran({}, {"consult_share": 1, "recall_share": 0})
    passed_on = [c for c in daytime(run) if len(c.legs) == 2]
    assert passed_on
    for contact in passed_on:
        first, second = contact.legs
        assert (first.transfer, second.queue, first.holds) == ("consult", "", 1)
        assert first.agent != second.agent
        assert first.ended_at is not None
        assert 0 <= second.connected_at - first.ended_at < 1_000
        assert types(told[contact.interaction])[5:] == [
            "hold.started", "transfer.started", "agent.offered", "hold.ended",
            "transfer.completed", "agent.connected", "interaction.ended",
        ]  # fmt: skip


def test_a_callback_is_another_interaction_that_names_the_first() -> None:
    busy = {"contacts_a_day": 2500, "callback_after_seconds": 20}
    run, _ = ran(busy, {"callback_accepted_share": 1, "callback_reached_share": 0.5})
    contacts = {c.interaction: c for c in run.truth.contacts}
    backs = [c for c in run.truth.contacts if c.direction == "outbound"]
    assert backs
    for back in backs:
        asked = contacts[back.linked_to]
        assert asked.visits[-1].outcome == "callback_accepted"
        assert asked.customer == back.customer
        assert asked.ended_at is not None
        assert asked.ended_at < back.started_at
        steps = [step for _, step, _ in back.callback]
        assert steps[0] == "attempted"
        assert steps[1:] in ([], ["connected"], ["failed"])
        assert ("connected" in steps) == bool(back.legs)
    assert {step for back in backs for _, step, _ in back.callback} == {
        "attempted", "connected", "failed"
    }  # fmt: skip


def test_who_overflows_waits_again_elsewhere() -> None:
    second = QueueModel(name="other", skill="s", contacts_a_day=0, patience_seconds=86_400)
    first = QueueModel(
        name="q", skill="nobody", contacts_a_day=60, overflow_to="other",
        overflow_after_seconds=5, patience_seconds=86_400,
    )  # fmt: skip
    run, _ = ran({}, queues=(first, second), people=PeopleModel(agents=4, languages={"en": 1}))
    over = [c for c in daytime(run) if c.visits[0].outcome == "overflowed"]
    assert over
    for contact in over:
        assert [visit.queue for visit in contact.visits] == ["q", "other"]
        assert contact.visits[0].wait_ms == 5_000


def test_a_bot_that_helps_needs_no_agent() -> None:
    written = WrittenModel(bot_share=1, bot_solved_share=1)
    run, _ = ran({"channel": "chat"}, written=written)
    for contact in run.truth.contacts:
        assert contact.first_response_ms is None
        assert contact.resolved is True
        assert {message.author for message in contact.messages} == {"customer", "bot"}
        assert not contact.visits
    assert {one.outcome for one in run.truth.selfservice} == {"solved"}
    assert {one.surface for one in run.truth.selfservice} == {"bot"}


def test_a_thread_is_reopened_when_the_customer_writes_again() -> None:
    written = WrittenModel(auto_reply_share=1, out_of_office_share=0, note_share=1)
    after = CALM.model_copy(update={"resolved_share": 1.0, "reopen_share": 0.5})
    run, _ = ran({"channel": "email"}, written=written, after=after)
    reopened = [c for c in daytime(run) if len(c.visits) > 1]
    assert reopened
    for contact in reopened:
        statuses = [status for _, status in contact.ticket]
        assert statuses[:4] == ["new", "open", "solved", "open"]
        answers = [m for m in contact.messages if m.author == "agent" and m.public]
        assert contact.first_response_ms == answers[0].at - contact.started_at
        assert contact.messages[1].automatic
        assert any(not message.public for message in contact.messages)


def test_of_a_campaign_only_what_was_delivered_is_opened_and_clicked() -> None:
    campaign = CampaignModel(
        name="spring", messages=300, delivered_share=0.8, opened_share=0.5, clicked_share=0.5,
        contact_share=0.5,
    )  # fmt: skip
    run, _ = ran({}, campaigns=(campaign,))
    mailings = run.truth.mailings
    assert len(mailings) == 300
    for one in mailings:
        assert (one.failed_at is None) != (one.delivered_at is None)
        assert one.opened_at is None or one.delivered_at is not None
        assert one.clicked_at is None or one.opened_at is not None
    assert any(one.clicked_at for one in mailings)
    caused = [c for c in run.truth.contacts if c.cause == "spring"]
    opened = {one.customer for one in mailings if one.opened_at is not None}
    assert caused
    assert {c.customer for c in caused} <= opened


def test_who_got_no_help_comes_back_about_the_same() -> None:
    after = CALM.model_copy(update={"resolved_share": 0.0, "return_share": 0.5})
    run, _ = ran({}, after=after)
    contacts = {c.interaction: c for c in run.truth.contacts}
    again = [c for c in run.truth.contacts if c.cause]
    assert again
    for contact in again:
        before = contacts[contact.cause]
        assert (before.customer, before.topic) == (contact.customer, contact.topic)
        assert before.ended_at is not None
        assert before.ended_at < contact.started_at
