"""Who is there: customers and their identifiers, agents and what they know and speak. Pure.

Phone numbers lie under +1 555, an area code that was never given to an area, because the numbers
that are kept for fiction are fewer than customers; mail domains are reserved ones.
"""

from functools import lru_cache
from typing import Final

from schemas.events import Customer, Identifier
from simulator.dice import Dice
from simulator.routing import Line
from simulator.settings import PeopleModel, QueueModel
from simulator.truth import Person, Staff

DOMAINS: Final = ("example.org", "example.com", "example.net")
NETWORKS: Final = ("x", "instagram", "facebook")
GIVEN: Final = ("Ada", "Alan", "Barbara", "Edsger", "Grace", "Ida", "Katherine", "Linus", "Radia")

SPREADING: Final = 2_654_435_761
"""Multiplied by it, neighbouring numbers lie far apart: 2^32 divided by the golden ratio."""

Shown = tuple[str, str, str]


class Population:
    """All customers there are; a person is made up when they first appear."""

    def __init__(self, people: PeopleModel, dice: Dice, known: dict[int, Person]) -> None:
        self._people = people
        self._dice = dice
        self._known = known

    def somebody(self) -> Person:
        """Anybody; who contacted before is as likely as who never did."""
        return self.person(self._dice.between(1, self._people.customers))

    def person(self, number: int) -> Person:
        """The customer of that number."""
        person = self._known.get(number)
        if person is None:
            person = self._known[number] = self._made_up(number)
        return person

    def _made_up(self, number: int) -> Person:
        dice = self._dice
        name = dice.pick(GIVEN)
        several = dice.chance(self._people.several_identifiers_share)
        identifiers = [
            ("phone", f"+1555{2_000_000 + number}", ""),
            ("email", f"{name.lower()}.{number}@{DOMAINS[number % len(DOMAINS)]}", ""),
            ("handle", f"{name.lower()}_{number}", NETWORKS[number % len(NETWORKS)]),
            ("customer_number", f"C{number:07d}", ""),
        ]
        if several:
            identifiers.append(("phone", f"+1555{6_000_000 + number}", ""))
        language = dice.weighted(self._people.languages)
        return Person(number, language, identifiers, name=name, shared=self._shared(number))

    def _shared(self, number: int) -> Shown | None:
        """The telephone of a household of two, of whom either may appear first."""
        household = (number + 1) // 2
        place = household * SPREADING % 2**32 / 2**32
        if place >= self._people.household_share:
            return None
        return ("phone", f"+1555{4_000_000 + household}", "")


def shown_by(person: Person, channel: str, dice: Dice, anonymous_share: float) -> list[Shown]:
    """What a contact on `channel` shows of its customer: nothing, if anonymous.

    A shared telephone is shown alone, or in a chat beside the number of the customer.
    """
    if dice.chance(anonymous_share):
        return []
    kinds = {"call": "phone", "chat": "customer_number", "email": "email", "social": "handle"}
    own = [i for i in person.identifiers if i[0] == kinds[channel]]
    others = person.identifiers
    if person.shared is not None and channel == "call":
        own = [*own, person.shared]
    elif person.shared is not None and channel == "chat":
        others = [person.shared]
    shown = [dice.pick(own)]
    if shown[0] != person.shared and dice.chance(0.2):
        more = dice.pick(others)
        if more not in shown:
            shown.append(more)
    return shown


@lru_cache(maxsize=1 << 12)
def customer_block(shown: tuple[Shown, ...]) -> Customer:
    """As events carry it; a contact's first events carry the same one."""
    return Customer(identifiers=tuple(identifier(item) for item in shown))


def identifier(item: Shown) -> Identifier:
    """As events carry it."""
    kind, value, network = item
    return Identifier(kind=kind, value=value, network=network)  # type: ignore[arg-type]


def subject_of(item: Shown) -> str:
    """The subject of events about a customer: kind and value."""
    kind, value, network = item
    return f"{kind}:{network}:{value}" if network else f"{kind}:{value}"


def hired(
    people: PeopleModel, queues: tuple[QueueModel, ...], dice: Dice
) -> list[tuple[Staff, tuple[Line, ...], float]]:
    """Every agent with their lines and the hour of their shift; all skills are spread evenly."""
    spoken = [queue for queue in queues if queue.channel == "call"]
    written = [queue for queue in queues if queue.channel != "call"]
    writers = round(people.agents * people.digital_share) if written else 0
    if not spoken:
        writers = people.agents
    found = []
    for number in range(people.agents):
        writes = number < writers
        place = number if writes else number - writers
        own = written if writes else spoken
        skills = sorted({queue.skill for queue in own})
        known = {skills[place % len(skills)]}
        if dice.chance(people.second_skill_share):
            known.add(dice.pick(skills))
        languages = {dice.weighted(people.languages)}
        if dice.chance(people.second_language_share):
            languages.add(dice.weighted(people.languages))
        lines = tuple(
            (queue.name, language)
            for queue in own
            if queue.skill in known
            for language in sorted(languages)
        )
        staff = Staff(
            agent=f"agent-{number + 1:04d}",
            site=dice.weighted(people.sites),
            remote=dice.chance(people.remote_share),
            languages=tuple(sorted(languages)),
            skills=tuple(sorted(known)),
            slots_max=people.chat_slots if writes else 1,
            queues=tuple(dict.fromkeys(queue for queue, _ in lines)),
        )
        starts = people.shift_starts
        found.append((staff, lines, starts[place // len(skills) % len(starts)]))
    return found
