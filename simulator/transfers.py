"""Passing a call on: blind to a queue or a colleague, after asking, and back again. Pure."""

from collections.abc import Generator
from typing import Any

from simpy import Event

from schemas.events import (
    AgentLeg,
    AgentMissed,
    AgentOffered,
    TransferCompleted,
    TransferKind,
    TransferStarted,
)
from simulator.centre import Centre
from simulator.conversation import off_hold, talk
from simulator.settings import QueueModel
from simulator.staff import Agent
from simulator.truth import Contact, Leg, Ring


def _pass_on(centre: Centre, contact: Contact, leg: Leg, kind: TransferKind, target: str) -> None:
    leg.transfer = kind
    if leg.ended_at is None and kind != "recall":
        leg.ended_at = centre.env.now
    completed = TransferCompleted(
        kind=kind,
        target=target,
        agent=leg.agent,
        queue=leg.queue,
        talk_seconds=None if kind == "recall" else centre.stated(leg.talk_ms),
    )
    centre.say(contact, "transfer.completed", completed)


def _begin_transfer(
    centre: Centre, contact: Contact, leg: Leg, kind: TransferKind, target: str
) -> None:
    started = TransferStarted(kind=kind, target=target, agent=leg.agent, queue=leg.queue)
    centre.say(contact, "transfer.started", started)


def to_queue(centre: Centre, contact: Contact, leg: Leg, target: QueueModel) -> None:
    """A blind transfer to a queue."""
    _begin_transfer(centre, contact, leg, "blind", target.name)
    _pass_on(centre, contact, leg, "blind", target.name)


def to_colleague(
    centre: Centre, contact: Contact, leg: Leg, agent: Agent
) -> Generator[Event, Any, Agent | None]:
    """A blind transfer to an extension: the colleague who has it now; None if it came back."""
    colleague = centre.floor.colleague_of(agent)
    if colleague is None:
        return None
    _begin_transfer(centre, contact, leg, "blind", colleague.name)
    left_at = centre.env.now
    if (yield from _ring_colleague(centre, contact, colleague)):
        leg.ended_at = left_at
        _pass_on(centre, contact, leg, "blind", colleague.name)
        return colleague
    _pass_on(centre, contact, leg, "recall", colleague.name)
    return None


def _ring_colleague(
    centre: Centre, contact: Contact, colleague: Agent
) -> Generator[Event, Any, bool]:
    calls, dice = centre.settings.calls, centre.dice_of("rings")
    centre.say(contact, "agent.offered", AgentOffered(agent=colleague.name))
    if not dice.chance(calls.recall_share):
        ring_ms = dice.around(calls.ring_seconds)
        yield centre.env.timeout(ring_ms)
        contact.rings.append(Ring(colleague.name, centre.env.now, ring_ms, "answered"))
        return True
    ring_ms = round(calls.ring_timeout_seconds * 1000)
    yield centre.env.timeout(ring_ms)
    contact.rings.append(Ring(colleague.name, centre.env.now, ring_ms, "missed"))
    contact.visits[-1].missed_rings += 1
    missed = AgentMissed(agent=colleague.name, ring_seconds=ring_ms / 1000)
    centre.say(contact, "agent.missed", missed)
    colleague.release()
    return False


def consult(
    centre: Centre, contact: Contact, leg: Leg, agent: Agent
) -> Generator[Event, Any, Agent | None]:
    """The agent asks a colleague while the customer is on hold; the colleague may take over."""
    env, dice = centre.env, centre.dice_of("work")
    colleague = centre.floor.colleague_of(agent)
    if colleague is None:
        return None
    held_at = env.now
    centre.say(contact, "hold.started", AgentLeg(agent=leg.agent, queue=leg.queue))
    _begin_transfer(centre, contact, leg, "consult", colleague.name)
    taken_over = False
    if (yield from _ring_colleague(centre, contact, colleague)):
        colleague.begin_conversation()
        yield env.timeout(dice.around(25))
        taken_over = dice.chance(0.8)
        colleague.conversations -= 1
        if not taken_over:
            colleague.release()
    off_hold(centre, contact, leg, env.now - held_at)
    if taken_over:
        _pass_on(centre, contact, leg, "consult", colleague.name)
        return colleague
    yield from talk(centre, leg, dice.around(20))
    return None
