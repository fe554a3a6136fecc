"""Calls that agents make: callbacks that were promised, and those of sales and follow-up. Pure."""

from collections.abc import Generator
from typing import Any, Final

from simpy import Event

from schemas.events import Callback
from simulator.centre import Centre, Process
from simulator.conversation import finish, measure, speak
from simulator.queueing import connect, wrap_up
from simulator.settings import QueueModel
from simulator.staff import Agent
from simulator.truth import Contact

MOST_ATTEMPTS: Final = 3
PURPOSES: Final = {"sales": 0.5, "follow_up": 0.3, "telemarketing": 0.15, "market_research": 0.05}
FAILURES: Final = {"no_answer": 0.6, "busy": 0.25, "voicemail": 0.15}


def call_back(centre: Centre, asked: Contact, queue: QueueModel) -> Process:
    """An agent of the queue calls back who gave up their place; tried again if nobody answers."""
    dice = centre.dice_of("outbound")
    person = centre.population.person(asked.customer)
    yield centre.env.timeout(dice.within(60, 1200))
    for _ in range(MOST_ATTEMPTS):
        agent = yield from _agent_for(centre, queue, asked.language)
        if centre.is_blocked("outbound", agent):
            agent.release()
            yield centre.env.timeout(dice.within(60, 600))
            continue
        contact = centre.begin(
            "call",
            person,
            direction="outbound",
            purpose="follow_up",
            topic=asked.topic,
            agent=agent,
            linked_to=asked.interaction,
        )
        _step(centre, contact, "attempted", queue, agent)
        yield centre.env.timeout(dice.within(4, 25))
        if dice.chance(centre.settings.calls.callback_reached_share):
            _step(centre, contact, "connected", queue, agent)
            yield from _reached(centre, contact, queue, agent)
            return
        reason = dice.weighted(FAILURES)
        _step(centre, contact, "failed", queue, agent, reason)
        centre.end(contact, "system", disposition=reason, agent=agent.name)
        agent.release()
        yield centre.env.timeout(dice.within(300, 1200))


def outbound(centre: Centre, queue: QueueModel) -> Process:
    """An agent of the queue calls a customer of themselves."""
    dice = centre.dice_of("outbound")
    person = centre.population.somebody()
    agent = yield from _agent_for(centre, queue, person.language)
    if centre.is_blocked("outbound", agent):
        agent.release()
        return
    contact = centre.begin(
        "call", person, direction="outbound", purpose=dice.weighted(PURPOSES), agent=agent
    )
    yield centre.env.timeout(dice.within(3, 30))
    if dice.chance(centre.settings.calls.outbound_reached_share):
        yield from _reached(centre, contact, queue, agent)
        return
    centre.end(contact, "system", disposition=dice.weighted(FAILURES), agent=agent.name)
    agent.release()


def _agent_for(centre: Centre, queue: QueueModel, language: str) -> Generator[Event, Any, Agent]:
    """Whoever of the queue is free next; who waits in the queue was there before."""
    job = centre.floor.request((queue.name, language), priority=-1, since=centre.env.now)
    agent: Agent = yield job.assigned
    return agent


def _reached(centre: Centre, contact: Contact, queue: QueueModel, agent: Agent) -> Process:
    leg = connect(centre, contact, agent)
    yield from speak(centre, contact, leg, queue.talk_seconds / 2)
    finish(centre, contact, leg)
    measure(centre, contact, leg)
    wrap_up(centre, contact, leg, agent, queue.wrapup_seconds)


def _step(
    centre: Centre, contact: Contact, step: str, queue: QueueModel, agent: Agent, reason: str = ""
) -> None:
    contact.callback.append((centre.env.now, step, queue.name))
    told = Callback(queue=queue.name, agent=agent.name, reason=reason)
    centre.say(contact, f"callback.{step}", told)
