"""E-mail and social messages: threads that wait for an agent, are solved, and come back. Pure."""

from collections.abc import Generator
from typing import Any

from simpy import Event

from simulator import aftermath
from simulator.centre import Centre, Process
from simulator.conversation import talk
from simulator.messages import set_status, write
from simulator.queueing import wait_for_agent, wrap_up
from simulator.settings import QueueModel
from simulator.staff import Agent
from simulator.truth import Contact, Leg, Person


def thread(
    centre: Centre, queue: QueueModel, person: Person, topic: str = "", cause: str = ""
) -> Process:
    """A customer writes; the thread goes on as long as anybody answers."""
    written, after, dice = centre.settings.written, centre.settings.after, centre.dice_of("threads")
    contact = centre.begin(queue.channel, person, purpose=queue.purpose, topic=topic, cause=cause)
    write(centre, contact, "customer")
    if queue.channel == "social" and dice.chance(written.mention_share):
        centre.end(contact, "system", disposition="mention")
        return
    set_status(centre, contact, "new")
    if queue.channel == "email" and dice.chance(written.auto_reply_share):
        yield centre.env.timeout(dice.within(0.5, 30))
        write(centre, contact, "bot", automatic=True)
    # Nothing limits the wait: it ends with an agent.
    while answered := (yield from wait_for_agent(centre, contact, queue, [])):
        solved = yield from _answer(centre, contact, queue, *answered)
        if queue.channel == "email" and dice.chance(written.out_of_office_share):
            yield centre.env.timeout(dice.within(1, 60))
            write(centre, contact, "customer", automatic=True)
        again = after.reopen_share if solved else written.follow_up_share
        if not dice.chance(again):
            break
        yield centre.env.timeout(dice.waiting(written.follow_up_seconds))
        write(centre, contact, "customer")
        set_status(centre, contact, "open")
        contact.reopen()
    aftermath.of(centre, contact)


def _answer(
    centre: Centre, contact: Contact, queue: QueueModel, agent: Agent, leg: Leg
) -> Generator[Event, Any, bool]:
    """An agent reads, and writes a reply; whether that solved it, as far as they think."""
    dice = centre.dice_of("threads")
    if not any(status == "open" for _, status in contact.ticket):
        set_status(centre, contact, "open", agent.name)
    write_ms = dice.around(queue.talk_seconds)
    if dice.chance(centre.settings.written.note_share) and write_ms > 1:
        before = dice.between(1, write_ms - 1)
        yield from talk(centre, leg, before)
        write(centre, contact, "agent", agent=agent.name, public=False)
        write_ms -= before
    yield from talk(centre, leg, write_ms)
    write(centre, contact, "agent", agent=agent.name)
    leg.ended_at = centre.env.now
    solved = dice.chance(centre.settings.after.resolved_share)
    set_status(centre, contact, "solved" if solved else "pending", agent.name)
    if solved:
        centre.end(
            contact,
            "agent",
            disposition="answered",
            resolved=True,
            agent=agent.name,
            talk_seconds=centre.stated(leg.talk_ms),
        )
    wrap_up(centre, contact, leg, agent, queue.wrapup_seconds, always=not solved)
    return solved
