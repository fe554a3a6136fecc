"""One run: everything started, and what is told as it is told. Pure."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from simulator import campaigns
from simulator.aftermath import help_themselves, use_selfservice
from simulator.arrivals import moments
from simulator.centre import Centre, Process
from simulator.chats import chat
from simulator.clock import DAY_MS, HOUR_MS
from simulator.faults import deliveries
from simulator.outbound import outbound
from simulator.queue_log import lines
from simulator.settings import OFFICE_HOURS, QueueModel, Simulation
from simulator.staff import Agent
from simulator.telling import Encoded, Encoder, Told
from simulator.threads import thread
from simulator.truth import Person, Truth
from simulator.voice import inbound

_CONTACT: Final[dict[str, Callable[..., Process]]] = {
    "call": inbound,
    "chat": chat,
    "email": thread,
    "social": thread,
}


class Run:
    """A simulation that can be run once. `truth` is complete when `events` is exhausted."""

    def __init__(self, settings: Simulation) -> None:
        self.settings = settings
        self.centre = Centre(settings)
        self.ends_at = self.centre.closes_at + round(settings.overtime_seconds * 1000)
        _start(self.centre)

    @property
    def truth(self) -> Truth:
        """What has happened so far."""
        return self.centre.truth

    def deliveries(self, tenant: str = "default") -> Iterator[Encoded]:
        """Everything that is told as it reaches the broker, faults included."""
        encoder = Encoder(self.settings.start_at, self.centre.run, tenant)
        return deliveries(self.events(), encoder, self.settings.faults, self.settings.seed)

    def queue_log(self) -> Iterator[str]:
        """The lines of Asterisk's queue_log instead, without their line feeds."""
        queues_of = {
            name: tuple(dict.fromkeys(queue for queue, _ in agent.lines))
            for name, (agent, _) in self.centre.agents.items()
        }
        return lines(self.events(), int(self.settings.start_at.timestamp()), queues_of)

    def events(self) -> Iterator[Told]:
        """Everything that is told, in the order of its times."""
        centre, env = self.centre, self.centre.env
        ahead: list[Told] = []
        while env.peek() <= self.ends_at:
            env.step()
            if not centre.told:
                continue
            now = env.now
            while ahead and ahead[0].at <= now:
                yield heapq.heappop(ahead)
            for told in centre.told:
                if told.at > now:
                    heapq.heappush(ahead, told)
                else:
                    yield told
            centre.told.clear()
        while ahead:
            yield heapq.heappop(ahead)


def _start(centre: Centre) -> None:
    """Let everything begin that does not come of something else."""
    settings = centre.settings

    def arrive(queue: QueueModel, person: Person, topic: str, cause: str) -> None:
        centre.start(_CONTACT[queue.channel](centre, queue, person, topic, cause))

    centre.arrive = arrive
    for agent, starts in centre.agents.values():
        centre.start(_shifts(centre, agent, starts))
    for queue in settings.queues:
        contact = partial(_somebody, centre, queue)
        load = queue.contacts_a_day, queue.load_by_hour
        centre.start(_at_random(centre, contact, f"arrivals/{queue.name}", *load))
        call = partial(outbound, centre, queue)
        load = queue.outbound_a_day, OFFICE_HOURS
        centre.start(_at_random(centre, call, f"outbound/{queue.name}", *load))
    load = settings.after.selfservice_a_day, OFFICE_HOURS
    centre.start(_at_random(centre, partial(_visitor, centre), "selfservice visits", *load))
    for campaign in settings.campaigns:
        centre.start(campaigns.send(centre, campaign))


def _at_random(
    centre: Centre,
    begin: Callable[[], Process],
    name: str,
    a_day: float,
    load_by_hour: Sequence[float],
) -> Process:
    """Begins a process again and again."""
    for at in moments(centre.dice_of(name), a_day, load_by_hour, centre.settings.days):
        yield centre.env.until(at)
        centre.start(begin())


def _visitor(centre: Centre) -> Process:
    """Anybody tries to help themselves."""
    return help_themselves(centre, centre.population.somebody())


def _somebody(centre: Centre, queue: QueueModel) -> Process:
    """Anybody contacts a queue, some of them after trying to help themselves."""
    person, dice = centre.population.somebody(), centre.dice_of("selfservice")
    if dice.chance(centre.settings.after.selfservice_before_share):
        use_selfservice(centre, person, "faq", "left")
        yield centre.env.timeout(dice.within(10, 1200))
    yield from _CONTACT[queue.channel](centre, queue, person)


def _shifts(centre: Centre, agent: Agent, starts: float) -> Process:
    for day in range(centre.settings.days):
        yield from agent.work(day, day * DAY_MS + round(starts * HOUR_MS))
