"""A call, from the first ring to the last word: menu, queues, agents, transfers. Pure."""

from collections.abc import Generator
from typing import Any, Final

from simpy import Event

from schemas.events import Callback, IvrEntered, IvrExited, Party, Recording
from simulator import aftermath
from simulator.centre import Centre, Process
from simulator.conversation import finish, measure, speak, talk
from simulator.outbound import call_back
from simulator.queueing import Limits, connect, wait_for_agent, wrap_up
from simulator.settings import QueueModel
from simulator.staff import Agent
from simulator.transfers import consult, to_colleague, to_queue
from simulator.truth import Contact, Leg, Menu, MenuOutcome, Person

MOST_TRANSFERS: Final = 3


def inbound(
    centre: Centre, queue: QueueModel, person: Person, topic: str = "", cause: str = ""
) -> Process:
    """A customer calls, as often as it takes to find a line, or until they have enough."""
    dice = centre.dice_of("lines")
    while centre.is_blocked("inbound"):
        if not dice.chance(centre.settings.calls.redial_share):
            return
        yield centre.env.timeout(dice.within(5, 90))
    contact = centre.begin("call", person, purpose=queue.purpose, topic=topic, cause=cause)
    if centre.dice_of("menus").chance(centre.settings.calls.menu_share):
        goes_on = yield from _menu(centre, contact)
        if not goes_on:
            aftermath.of(centre, contact)
            return
    yield from _through_queues(centre, contact, queue)


def _menu(centre: Centre, contact: Contact) -> Generator[Event, Any, bool]:
    """The voice menu; whether the customer goes on to an agent."""
    calls, dice = centre.settings.calls, centre.dice_of("menus")
    menu = contact.menu = Menu("main", centre.env.now)
    centre.say(contact, "ivr.entered", IvrEntered(menu=menu.menu))
    menu_ms = dice.around(calls.menu_seconds)
    yield centre.env.timeout(menu_ms)
    menu.menu_ms = menu_ms
    shares: dict[MenuOutcome, float] = {
        "contained": calls.contained_share,
        "hung_up": calls.menu_hangup_share,
        "agent_requested": max(0.0, 1 - calls.contained_share - calls.menu_hangup_share),
    }
    outcome = dice.weighted(shares)
    menu.outcome = outcome
    menu.goal = outcome == "contained" and dice.chance(calls.goal_share)
    exited = IvrExited(
        outcome=outcome,
        goal=menu.goal if outcome == "contained" else None,
        path=f"main/{contact.topic}",
        menu=menu.menu,
    )
    centre.say(contact, "ivr.exited", exited)
    if outcome == "agent_requested":
        return True
    centre.end(
        contact,
        "customer",
        disposition=outcome,
        resolved=menu.goal if outcome == "contained" else None,
    )
    return False


def _through_queues(centre: Centre, contact: Contact, queue: QueueModel) -> Process:
    """From queue to queue, until somebody answers or the customer is gone."""
    calls = centre.settings.calls
    while True:
        limits = _limits(centre, contact, queue)
        if queue.callback_after_seconds is not None:
            centre.start(_offer_to_call_back(centre, contact, queue, len(contact.visits)))
        answered = yield from wait_for_agent(centre, contact, queue, limits, key="1")
        if answered is not None:
            next_queue = yield from _conversation(centre, contact, queue, *answered)
            if next_queue is None:
                aftermath.of(centre, contact)
                return
        else:
            outcome = contact.visits[-1].outcome
            if outcome == "overflowed":
                next_queue = centre.queues[queue.overflow_to]
            elif outcome == "transferred":
                next_queue = _another_queue(centre, queue)
            else:
                _unanswered(centre, contact, queue, outcome)
                return
        yield centre.env.timeout(centre.dice_of("queues").within(0.2, calls.ring_seconds))
        queue = next_queue


def _limits(centre: Centre, contact: Contact, queue: QueueModel) -> Limits:
    """What may happen before an agent answers."""
    calls, dice = centre.settings.calls, centre.dice_of("queues")
    hasty = dice.chance(calls.short_abandon_share)
    patience = dice.within(0.5, 5) if hasty else dice.waiting(queue.patience_seconds)
    limits: Limits = [
        (patience, "abandoned"),
        (round(queue.timeout_seconds * 1000), "timed_out"),
    ]
    if queue.overflow_to and len(contact.visits) < MOST_TRANSFERS:
        limits.append((round(queue.overflow_after_seconds * 1000), "overflowed"))
    if dice.chance(calls.key_share):
        limits.append((dice.within(5, 90), "key_pressed"))
    if dice.chance(calls.moved_share) and _another_queue(centre, queue) is not queue:
        limits.append((dice.within(10, 60), "transferred"))
    offers = queue.callback_after_seconds
    if offers is not None and dice.chance(calls.callback_accepted_share):
        limits.append((round(offers * 1000) + dice.within(3, 12), "callback_accepted"))
    if not centre.floor.is_served((queue.name, contact.language)):
        limits.append((dice.within(1, 10), "emptied"))
    return limits


def _offer_to_call_back(centre: Centre, contact: Contact, queue: QueueModel, visit: int) -> Process:
    """Whoever waits for so long in a stay is offered to be called back."""
    yield centre.env.timeout(round((queue.callback_after_seconds or 0) * 1000))
    if not contact.visits[visit].outcome:
        contact.callback.append((centre.env.now, "offered", queue.name))
        centre.say(contact, "callback.offered", Callback(queue=queue.name))


def _another_queue(centre: Centre, queue: QueueModel) -> QueueModel:
    """The next call queue of the list, round and round."""
    calls = [q for q in centre.settings.queues if q.channel == "call"]
    return calls[(calls.index(queue) + 1) % len(calls)]


def _unanswered(centre: Centre, contact: Contact, queue: QueueModel, outcome: str) -> None:
    if outcome == "callback_accepted":
        contact.callback.append((centre.env.now, "requested", queue.name))
        centre.say(contact, "callback.requested", Callback(queue=queue.name))
        centre.start(call_back(centre, contact, queue))
    by: Party = "customer" if outcome in ("abandoned", "callback_accepted") else "system"
    centre.end(contact, by, disposition=outcome)
    aftermath.of(centre, contact)


def _conversation(
    centre: Centre, contact: Contact, queue: QueueModel, agent: Agent, leg: Leg
) -> Generator[Event, Any, QueueModel | None]:
    """One agent and whom they pass it on to; the queue it goes to next, if it goes on."""
    calls, dice = centre.settings.calls, centre.dice_of("work")
    recorded = dice.chance(calls.recording_share)
    reference = f"recordings/{contact.interaction}/{len(contact.legs)}"
    if recorded:
        centre.say(contact, "recording.started", Recording(reference=reference))
    yield from speak(centre, contact, leg, queue.talk_seconds)
    if recorded and dice.chance(calls.payment_share):
        # A card number is said, and must not be heard again.
        centre.say(contact, "recording.paused", Recording(reference=reference))
        yield from talk(centre, leg, dice.around(25))
        centre.say(contact, "recording.resumed", Recording(reference=reference))
    passed_on: Agent | None = None
    next_queue: QueueModel | None = None
    may_pass = len(contact.legs) < MOST_TRANSFERS
    if may_pass and dice.chance(calls.blind_share):
        if dice.chance(calls.to_queue_share):
            next_queue = _another_queue(centre, queue)
            to_queue(centre, contact, leg, next_queue)
        else:
            passed_on = yield from to_colleague(centre, contact, leg, agent)
    elif may_pass and dice.chance(calls.consult_share):
        passed_on = yield from consult(centre, contact, leg, agent)
    if leg.transfer in ("", "recall"):
        if leg.transfer:
            yield from speak(centre, contact, leg, queue.talk_seconds / 4)
        finish(centre, contact, leg)
    if recorded:
        centre.say(contact, "recording.stopped", Recording(reference=reference))
    measure(centre, contact, leg)
    wrap_up(centre, contact, leg, agent, queue.wrapup_seconds)
    if passed_on is not None:
        if dice.chance(calls.bridging_share):
            yield centre.env.timeout(dice.within(0.05, 0.8))
        second = connect(centre, contact, passed_on)
        yield from speak(centre, contact, second, queue.talk_seconds / 2)
        finish(centre, contact, second)
        measure(centre, contact, second)
        wrap_up(centre, contact, second, passed_on, queue.wrapup_seconds)
    return next_queue
