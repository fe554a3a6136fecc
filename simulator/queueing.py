"""Waiting for an agent, and what is common to every conversation with one. Pure."""

from collections.abc import Generator
from typing import Any, cast

from simpy import Event

from schemas.events import (
    AgentConnected,
    AgentLeg,
    AgentMissed,
    AgentOffered,
    ExitReason,
    QueueEntered,
    QueueExited,
    WrapupEnded,
)
from simulator.centre import Centre, Process
from simulator.people import customer_block
from simulator.settings import QueueModel
from simulator.staff import Agent
from simulator.truth import Contact, Leg, Ring, Visit

Limits = list[tuple[int, ExitReason]]
"""After how many milliseconds a customer leaves the queue, and how; the first one counts."""


def wait_for_agent(
    centre: Centre, contact: Contact, queue: QueueModel, limits: Limits, key: str = ""
) -> Generator[Event, Any, tuple[Agent, Leg] | None]:
    """A stay in a queue: with an agent at its end, or None, and `contact.visits[-1].outcome`."""
    env, floor = centre.env, centre.floor
    line = queue.name, contact.language
    centre.waiting[queue.name] += 1
    visit = Visit(queue.name, env.now, queue.priority, position=centre.waiting[queue.name])
    contact.visits.append(visit)
    entered = QueueEntered(
        queue=queue.name,
        priority=queue.priority,
        skills=(queue.skill,) if queue.skill else (),
        language=contact.language,
        position=visit.position,
        customer=customer_block(tuple(contact.identifiers)),
    )
    centre.say(contact, "queue.entered", entered)
    leaves_at: int | None = None
    reason: ExitReason = "abandoned"
    if limits:
        limit, reason = min(limits)
        leaves_at = env.now + limit
    while True:
        job = floor.request(line, priority=queue.priority, since=visit.entered_at)
        if leaves_at is None:
            yield job.assigned
        else:
            yield job.assigned | env.until(leaves_at)
        if not job.assigned.triggered:
            floor.withdraw(job)
            break
        agent = cast("Agent", job.assigned.value)
        leg = yield from _ring(centre, contact, visit, agent, leaves_at)
        if leg is not None:
            return agent, leg
        if env.now == leaves_at:
            break
    _leave(centre, contact, visit, reason, key)
    return None


def _ring(
    centre: Centre, contact: Contact, visit: Visit, agent: Agent, leaves_at: int | None
) -> Generator[Event, Any, Leg | None]:
    """The agent's phone rings: until it is taken, or in vain, or the customer is gone."""
    env, calls, dice = centre.env, centre.settings.calls, centre.dice_of("rings")
    misses = dice.chance(calls.miss_share)
    ring_ms = (
        round(calls.ring_timeout_seconds * 1000) if misses else dice.around(calls.ring_seconds)
    )
    began = env.now
    centre.say(contact, "agent.offered", AgentOffered(agent=agent.name, queue=visit.queue))
    if leaves_at is not None and began + ring_ms >= leaves_at:
        yield env.until(leaves_at)
        contact.rings.append(Ring(agent.name, began, env.now - began, "cancelled"))
        agent.release()
        return None
    yield env.timeout(ring_ms)
    if misses:
        visit.missed_rings += 1
        contact.rings.append(Ring(agent.name, env.now, ring_ms, "missed"))
        missed = AgentMissed(agent=agent.name, queue=visit.queue, ring_seconds=ring_ms / 1000)
        centre.say(contact, "agent.missed", missed)
        centre.start(_recover(centre, agent))
        return None
    contact.rings.append(Ring(agent.name, env.now, ring_ms, "answered"))
    visit.outcome = "answered"
    visit.wait_ms = env.now - visit.entered_at
    centre.waiting[visit.queue] -= 1
    visit.leg = connect(centre, contact, agent, visit.queue, ring_ms, visit.wait_ms)
    stated = centre.stated(visit.wait_ms)
    exited = QueueExited(queue=visit.queue, reason="answered", wait_seconds=stated)
    centre.say(contact, "queue.exited", exited)
    return visit.leg


def _recover(centre: Centre, agent: Agent) -> Process:
    """Who missed a ring gets the next one a little later."""
    yield centre.env.timeout(centre.dice_of("rings").within(3, 20))
    agent.release()


def _leave(centre: Centre, contact: Contact, visit: Visit, reason: ExitReason, key: str) -> None:
    visit.outcome = reason
    visit.wait_ms = centre.env.now - visit.entered_at
    centre.waiting[visit.queue] -= 1
    exited = QueueExited(
        queue=visit.queue,
        reason=reason,
        wait_seconds=centre.stated(visit.wait_ms),
        key=key if reason in ("key_pressed", "callback_accepted") else "",
    )
    centre.say(contact, "queue.exited", exited)


def connect(
    centre: Centre,
    contact: Contact,
    agent: Agent,
    queue: str = "",
    ring_ms: int | None = None,
    wait_ms: int | None = None,
) -> Leg:
    """Customer and agent have each other: a leg begins."""
    leg = Leg(agent.name, queue, centre.env.now, ring_ms)
    contact.legs.append(leg)
    connected = AgentConnected(
        agent=agent.name,
        queue=queue,
        wait_seconds=centre.stated(wait_ms),
        ring_seconds=None if ring_ms is None else ring_ms / 1000,
    )
    centre.say(contact, "agent.connected", connected)
    agent.begin_conversation()
    return leg


def wrap_up(
    centre: Centre,
    contact: Contact,
    leg: Leg,
    agent: Agent,
    mean_seconds: float,
    *,
    always: bool = False,
) -> None:
    """The agent's part is over; the work after it, if there is any, goes on by itself.

    `always` where nothing but the wrap-up tells that the leg has ended.
    """
    dice = centre.dice_of("work")
    if not always and dice.chance(0.1):
        agent.end_conversation(wrapping_up=False)
        return
    centre.say(contact, "wrapup.started", AgentLeg(agent=agent.name, queue=leg.queue))
    agent.end_conversation(wrapping_up=True)
    centre.start(_wrap_up(centre, contact, leg, agent, dice.around(mean_seconds)))


def _wrap_up(centre: Centre, contact: Contact, leg: Leg, agent: Agent, ms: int) -> Process:
    yield centre.env.timeout(ms)
    leg.wrapup_ms, leg.wrapped_up_at = ms, centre.env.now
    ended = WrapupEnded(agent=agent.name, queue=leg.queue, wrapup_seconds=centre.stated(ms))
    centre.say(contact, "wrapup.ended", ended)
    agent.end_wrapup()
