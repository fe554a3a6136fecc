import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings

from schemas.authority import Rejected
from schemas.decode import decode
from schemas.events import EVENT_DATA
from schemas.topics import CHANNEL_OF
from simulator.figures import queue_figures, stays
from simulator.presets import small
from simulator.run import Run
from simulator.settings import (
    OFFICE_HOURS,
    AfterModel,
    CallModel,
    PeopleModel,
    QueueModel,
    Simulation,
)
from simulator.truth import Truth
from tests.simulator.centres import centres, small_run, tiny

FEW = settings(max_examples=25)


def bytes_of(simulation: Simulation) -> list[bytes]:
    return [event.value for event in Run(simulation).deliveries()]


def test_the_same_seed_gives_the_same_bytes_and_the_same_truth() -> None:
    first, second = Run(tiny(7)), Run(tiny(7))
    assert list(first.deliveries()) == list(second.deliveries())
    assert list(first.truth.documents()) == list(second.truth.documents())
    assert bytes_of(tiny(8)) != bytes_of(tiny(7))


@FEW
@given(centres())
def test_every_event_is_accepted_and_comes_in_order(simulation: Simulation) -> None:
    run = Run(simulation)
    before = 0
    ids = Counter[tuple[str, str]]()
    for event in run.deliveries():
        decoded = decode(event.value)
        assert not isinstance(decoded, Rejected), decoded
        assert decoded.subject == event.subject
        assert event.due_at >= before
        before = event.due_at
        ids[decoded.source, decoded.id] += 1
    assert set(ids.values()) <= {1}


@FEW
@given(centres())
def test_nobody_vanishes_from_a_queue(simulation: Simulation) -> None:
    run = Run(simulation)
    for _ in run.events():
        pass
    for figures in queue_figures(run.truth).values():
        exits = ("timed_out", "overflowed", "key_pressed", "callback_accepted", "emptied")
        left = ("answered", "abandoned", *exits, "transferred_waiting", "open")
        assert figures["offered"] == sum(figures[name] or 0 for name in left)
    waiting = Counter(stay.visit.queue for stay in stays(run.truth) if not stay.visit.outcome)
    assert run.centre.waiting == {queue.name: waiting[queue.name] for queue in simulation.queues}


@FEW
@given(centres())
def test_times_of_a_contact_follow_each_other(simulation: Simulation) -> None:
    run = Run(simulation)
    for _ in run.events():
        pass
    for contact in run.truth.contacts:
        for visit in contact.visits:
            assert visit.entered_at >= contact.started_at
            if visit.leg is not None:
                assert visit.wait_ms == visit.leg.connected_at - visit.entered_at
                assert 0 < (visit.leg.ring_ms or 0) <= visit.wait_ms
        for leg in contact.legs:
            if leg.ended_at is not None:
                spent = leg.ended_at - leg.connected_at
                # Of a call that came back, some was spent ringing at a colleague's.
                assert leg.talk_ms + leg.hold_ms <= spent
                assert leg.talk_ms + leg.hold_ms == spent or leg.transfer == "recall"
            if leg.wrapped_up_at is not None:
                assert leg.ended_at is not None
                assert leg.wrapped_up_at >= leg.ended_at + (leg.wrapup_ms or 0)


@FEW
@given(centres())
def test_no_agent_has_more_than_their_slots(simulation: Simulation) -> None:
    run = Run(simulation)
    for _ in run.events():
        for agent, _shift in run.centre.agents.values():
            assert 0 <= agent.slots_used <= agent.staff.slots_max
    for staff in run.truth.staff:
        assert all(early[0] < late[0] for early, late in pairwise(staff.states))
        for at, state, used in staff.states:
            assert used <= staff.slots_max, (staff.agent, at)
            assert (state in ("on_contact", "wrapup")) == (used > 0)


def test_a_day_has_everything_in_it() -> None:
    # What is rare in a small centre happens often in this one.
    often = CallModel(
        lines=8,
        blind_share=0.15,
        consult_share=0.15,
        recall_share=0.4,
        payment_share=0.5,
        key_share=0.05,
    )
    run = Run(small(calls=often, after=AfterModel(churn_share=0.2, selfservice_a_day=300)))
    told = list(run.events())
    types = Counter(one.type for one in told)
    assert EVENT_DATA.keys() - types.keys() <= {"customer.unlinked", "customer.returned"}
    topics = {one.topic for one in told}
    assert topics == {*CHANNEL_OF, "events.agent", "events.customer"}
    truth = run.truth
    assert {contact.direction for contact in truth.contacts} == {"inbound", "outbound"}
    assert {contact.purpose for contact in truth.contacts} >= {"service", "sales", "follow_up"}
    assert {leg.transfer for c in truth.contacts for leg in c.legs} == {
        "", "blind", "consult", "recall"
    }  # fmt: skip
    outcomes = {stay.visit.outcome for stay in stays(truth)}
    assert outcomes >= {"answered", "abandoned", "overflowed", "callback_accepted", "emptied", ""}
    assert any(used > 1 for staff in truth.staff for _, _, used in staff.states)
    assert any(c.cause.startswith("call-") for c in truth.contacts)
    assert any(c.cause == "spring" for c in truth.contacts)
    assert any(len({i[0] for i in c.identifiers}) > 1 for c in truth.contacts)
    asked = sum(len(c.asked_for_rating) for c in truth.contacts)
    rated = sum(len(c.ratings) for c in truth.contacts)
    assert 0 < rated < asked


def stationary(seed: int) -> Truth:
    """One queue, the same load all day, as many agents at every hour."""
    queue = QueueModel(
        name="q", skill="q", contacts_a_day=2400, load_by_hour=(1,) * 24, talk_seconds=240,
        patience_seconds=3600, timeout_seconds=86_400,
    )  # fmt: skip
    people = PeopleModel(
        agents=24, shift_seconds=8 * 3600, shift_starts=(0, 8, 16), languages={"en": 1},
        unplanned_pauses=0, lateness_seconds=1,
    )  # fmt: skip
    calm = CallModel(
        menu_share=0, miss_share=0, blind_share=0, consult_share=0, moved_share=0, key_share=0
    )
    run = Run(Simulation(seed=seed, queues=(queue,), people=people, calls=calm))
    for _ in run.events():
        pass
    return run.truth


def test_littles_law_holds_roughly() -> None:
    """L = lambda W, with L as arrivals saw it: they see time averages (PASTA)."""
    truth = stationary(3)
    visits = [stay.visit for stay in stays(truth)]
    day_ms = 86_400_000
    waiting_as_seen = sum(visit.position - 1 for visit in visits) / len(visits)
    mean_wait_ms = sum(visit.wait_ms or 0 for visit in visits) / len(visits)
    assert waiting_as_seen > 0.5
    assert waiting_as_seen == pytest.approx(len(visits) / day_ms * mean_wait_ms, rel=0.15)


def test_arrivals_follow_the_hours() -> None:
    run, _ = small_run()
    first = [c.visits[0] for c in run.truth.contacts if c.visits and not c.cause]
    by_hour = Counter(visit.entered_at // 3_600_000 for visit in first if visit.queue == "support")
    expected = [300 * share / sum(OFFICE_HOURS) for share in OFFICE_HOURS]
    peak = by_hour[10]
    # Those whom the menu sent on: three deviations of a Poisson count.
    sent_on = expected[10] * (1 - 0.8 * 0.24)
    assert abs(peak - sent_on) < 3 * math.sqrt(sent_on)
    assert by_hour[3] == 0


def test_a_run_that_is_cut_off_leaves_contacts_open() -> None:
    run = Run(tiny(overtime_seconds=0, queues=tuple(
        queue.model_copy(update={"load_by_hour": (1,) * 24}) for queue in tiny().queues
    )))  # fmt: skip
    last = max(one.at for one in run.events())
    assert last <= run.ends_at + 1
    assert any(contact.ended_at is None for contact in run.truth.contacts)
