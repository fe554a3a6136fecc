"""A chat: a bot perhaps, then an agent who has several at once. Pure."""

from collections.abc import Generator
from typing import Any

from simpy import Event

from schemas.events import Party
from simulator import aftermath
from simulator.aftermath import use_selfservice
from simulator.centre import Centre, Process
from simulator.messages import write
from simulator.queueing import Limits, wait_for_agent, wrap_up
from simulator.settings import QueueModel
from simulator.staff import Agent
from simulator.truth import Contact, Leg, Person


def chat(
    centre: Centre, queue: QueueModel, person: Person, topic: str = "", cause: str = ""
) -> Process:
    """A customer opens a chat."""
    contact = centre.begin("chat", person, purpose=queue.purpose, topic=topic, cause=cause)
    write(centre, contact, "customer")
    written, dice = centre.settings.written, centre.dice_of("chats")
    if dice.chance(written.bot_share):
        solved = yield from _bot(centre, contact, person)
        if solved:
            centre.end(contact, "customer", disposition="bot", resolved=True)
            aftermath.of(centre, contact)
            return
    limits: Limits = [
        (dice.waiting(queue.patience_seconds), "abandoned"),
        (round(queue.timeout_seconds * 1000), "timed_out"),
    ]
    if not centre.floor.is_served((queue.name, contact.language)):
        limits.append((dice.within(1, 10), "emptied"))
    answered = yield from wait_for_agent(centre, contact, queue, limits)
    if answered is None:
        outcome = contact.visits[-1].outcome
        by: Party = "customer" if outcome == "abandoned" else "system"
        centre.end(contact, by, disposition=outcome)
    else:
        yield from _conversation(centre, contact, queue, *answered)
    aftermath.of(centre, contact)


def _bot(centre: Centre, contact: Contact, person: Person) -> Generator[Event, Any, bool]:
    """The bot answers at once, and helps or hands over; whether it helped."""
    written, dice = centre.settings.written, centre.dice_of("chats")
    for turn in range(dice.between(1, 3)):
        if turn:
            yield centre.env.timeout(dice.within(3, 40))
            write(centre, contact, "customer")
        yield centre.env.timeout(dice.within(0.2, 1.5))
        write(centre, contact, "bot")
    yield centre.env.timeout(dice.within(2, 20))
    solved = dice.chance(written.bot_solved_share)
    use_selfservice(centre, person, "bot", "solved" if solved else "escalated")
    return solved


def _conversation(
    centre: Centre, contact: Contact, queue: QueueModel, agent: Agent, leg: Leg
) -> Generator[Event, Any, None]:
    """Agent and customer write in turn."""
    env, dice = centre.env, centre.dice_of("chats")
    mean = centre.settings.written.chat_turns
    turns = 1
    while dice.chance(1 - 1 / mean):
        turns += 1
    turn_ms = round(queue.talk_seconds * 1000 / mean)
    for turn in range(turns):
        if turn:
            yield from _pass(centre, leg, dice.around(turn_ms / 2000))
            write(centre, contact, "customer")
        yield from _pass(centre, leg, dice.around(turn_ms / 2000))
        write(centre, contact, "agent", agent=agent.name)
    yield from _pass(centre, leg, dice.within(2, 60))
    leg.ended_at = env.now
    centre.end(
        contact,
        dice.weighted({"customer": 0.5, "agent": 0.4, "system": 0.1}),
        disposition="completed",
        resolved=dice.chance(centre.settings.after.resolved_share),
        agent=agent.name,
        talk_seconds=centre.stated(leg.talk_ms),
    )
    wrap_up(centre, contact, leg, agent, queue.wrapup_seconds)


def _pass(centre: Centre, leg: Leg, ms: int) -> Generator[Event, Any, None]:
    yield centre.env.timeout(ms)
    leg.talk_ms += ms
