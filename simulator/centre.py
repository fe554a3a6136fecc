"""The centre while it runs: simulated time, queues, agents, and what every process shares. Pure.

The processes are in `voice`, `outbound`, `chats`, `threads`, `aftermath`, `campaigns` and `staff`;
`simulator.run` starts them.
"""

from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from typing import Any, Final

from simpy import Event

from schemas.events import (
    CallBlocked,
    Channel,
    Data,
    Direction,
    InteractionEnded,
    InteractionStarted,
    Party,
)
from simulator.clock import DAY_MS, Clock
from simulator.dice import Dice
from simulator.people import Population, customer_block, hired, shown_by
from simulator.routing import Floor
from simulator.settings import QueueModel, Simulation
from simulator.staff import Agent
from simulator.telling import TOPIC_OF, Told
from simulator.truth import Blocked, Contact, Person, Truth

Process = Generator[Event, Any, None]
TOPICS: Final = ("delivery", "invoice", "defect", "contract", "account", "advice")
"""What contacts are about."""


class Centre:
    """What all processes share. Instants and durations are milliseconds since it began."""

    def __init__(self, settings: Simulation) -> None:
        self.settings = settings
        self.env = Clock()
        self.floor: Floor[Agent] = Floor(self.env)
        self.queues: dict[str, QueueModel] = {queue.name: queue for queue in settings.queues}
        self.waiting = dict.fromkeys(self.queues, 0)
        self.truth = Truth(settings.start_at)
        self.told: list[Told] = []
        self.lines_used = 0
        self.run = f"{settings.seed}-{settings.start_at:%Y%m%d}"
        self.closes_at = settings.days * DAY_MS
        self.arrive: Callable[[QueueModel, Person, str, str], None]
        """Lets a customer contact a queue: with which topic, and because of what."""
        self._dice: dict[str, Dice] = {}
        self._serial = 0
        self.population = Population(settings.people, self.dice_of("customers"), self.truth.people)
        self.agents: dict[str, tuple[Agent, float]] = {}
        for staff, lines, starts in hired(settings.people, settings.queues, self.dice_of("hiring")):
            self.truth.staff.append(staff)
            self.agents[staff.agent] = Agent(self, staff, lines), starts

    def dice_of(self, concern: str) -> Dice:
        """The stream of chance of one concern."""
        if concern not in self._dice:
            self._dice[concern] = Dice(self.settings.seed, concern)
        return self._dice[concern]

    def instant(self, at: int) -> datetime:
        """Simulated milliseconds as a time."""
        return self.settings.start_at + timedelta(milliseconds=at)

    def start(self, process: Process) -> None:
        """Let a process begin."""
        self.env.process(process)

    def tell(
        self, topic: str, event_type: str, subject: str, data: Data, at: int | None = None
    ) -> None:
        """An event, of now unless said otherwise."""
        self._serial += 1
        now = self.env.now if at is None else at
        self.told.append(Told(now, self._serial, topic, event_type, subject, data))

    def say(self, contact: Contact, event_type: str, data: Data) -> None:
        """An event of a contact, now."""
        self.tell(TOPIC_OF[contact.channel], event_type, contact.interaction, data)

    def is_blocked(self, direction: Direction, agent: Agent | None = None) -> bool:
        """Whether a call finds no free line; that it found none is written down and told."""
        lines = self.settings.calls.lines
        if lines is None or self.lines_used < lines:
            return False
        sites = self.settings.people.sites
        site = agent.staff.site if agent else self.dice_of("lines").weighted(sites)
        blocked = self.truth.blocked
        blocked.append(Blocked(self.env.now, direction, site))
        told = CallBlocked(direction=direction, site=site, trunk="carrier", reason="busy")
        self.tell(TOPIC_OF["call"], "call.blocked", f"attempt-{self.run}-{len(blocked)}", told)
        return True

    def begin(
        self,
        channel: Channel,
        person: Person,
        *,
        direction: Direction = "inbound",
        purpose: str = "",
        topic: str = "",
        cause: str = "",
        agent: Agent | None = None,
        linked_to: str = "",
    ) -> Contact:
        """A contact begins; it is written down and told."""
        contacts = self.truth.contacts
        dice = self.dice_of("customers")
        anonymous = self.settings.people.anonymous_share if channel == "call" else 0.0
        contact = Contact(
            interaction=f"{channel}-{self.run}-{len(contacts) + 1}",
            channel=channel,
            direction=direction,
            customer=person.number,
            started_at=self.env.now,
            language=person.language,
            site=agent.staff.site if agent else dice.weighted(self.settings.people.sites),
            purpose=purpose,
            topic=topic or dice.pick(TOPICS),
            agent=agent.name if agent else "",
            linked_to=linked_to,
            cause=cause,
            identifiers=shown_by(
                person, channel, dice, 0.0 if direction == "outbound" else anonymous
            ),
        )
        contacts.append(contact)
        self.lines_used += channel == "call"
        started = InteractionStarted(
            direction=direction,
            purpose=purpose,
            customer=customer_block(tuple(contact.identifiers)),
            language=contact.language,
            site=contact.site,
            linked_to=linked_to,
            agent=contact.agent,
        )
        self.say(contact, "interaction.started", started)
        return contact

    def end(
        self,
        contact: Contact,
        by: Party,
        *,
        disposition: str = "",
        resolved: bool | None = None,
        agent: str = "",
        talk_seconds: float | None = None,
    ) -> None:
        """A contact ends; it is written down and told."""
        self.lines_used -= contact.channel == "call"
        contact.ended_at = self.env.now
        contact.ended_by = by
        contact.disposition = disposition
        contact.resolved = resolved
        ended = InteractionEnded(
            by=by,
            disposition=disposition,
            resolved=resolved,
            topic=contact.topic,
            agent=agent,
            talk_seconds=talk_seconds,
        )
        self.say(contact, "interaction.ended", ended)

    def stated(self, milliseconds: int | None) -> float | None:
        """A duration as its source states it, in seconds; None where sources state none."""
        if milliseconds is None or not self.settings.states_durations:
            return None
        return milliseconds / 1000
