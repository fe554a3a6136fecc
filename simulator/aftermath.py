"""What comes of a contact: ratings, self-service, the same customer again, customers lost. Pure."""

from typing import Final, Literal

from schemas.events import (
    CustomerIdentified,
    CustomerLifecycle,
    CustomerLinked,
    SelfserviceUsed,
    SurveySubmitted,
)
from schemas.topics import EVENTS_CUSTOMER
from simulator.centre import Centre, Process
from simulator.people import identifier, subject_of
from simulator.truth import Bond, Contact, Person, Rating, SelfService

RatingKind = Literal["csat", "nps", "ces"]
RATINGS: Final[dict[RatingKind, tuple[int, int]]] = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}
"""Kinds of survey with the ends of their scale."""
RESPONSE_SHARE: Final = 0.4
"""Of the customers who are asked, those who answer."""
SURFACES: Final = ("knowledge_base", "faq", "portal", "video", "forum", "feedback")
CHURN_REASONS: Final = ("price", "service", "competitor", "moved")
LINKED_BY_HAND_SHARE: Final = 0.3
MISTAKEN_SHARE: Final = 0.2
Outcome = Literal["solved", "escalated", "left"]


def of(centre: Centre, contact: Contact) -> None:
    """A contact is over: what may follow begins."""
    after, dice = centre.settings.after, centre.dice_of("aftermath")
    person = centre.population.person(contact.customer)
    if contact.answered:
        for kind in RATINGS:
            if dice.chance(min(1.0, after.survey_share.get(kind, 0.0) / RESPONSE_SHARE)):
                contact.asked_for_rating.append(kind)
                if dice.chance(RESPONSE_SHARE):
                    centre.start(_rate(centre, contact, kind))
    if dice.chance(after.selfservice_after_share):
        centre.start(help_themselves(centre, person, after_ms=dice.within(60, 7200)))
    if contact.resolved is not True and contact.direction == "inbound":
        if dice.chance(after.return_share):
            centre.start(_return(centre, contact, person))
        elif dice.chance(after.churn_share) and person.churned_at is None:
            centre.start(_churn(centre, person))


def _rate(centre: Centre, contact: Contact, kind: RatingKind) -> Process:
    dice = centre.dice_of("ratings")
    yield centre.env.timeout(dice.within(30, 3600))
    low, high = RATINGS[kind]
    glad = contact.resolved is True
    place = max(dice.random(), dice.random()) if glad else min(dice.random(), dice.random())
    score = low + int(place * (high - low + 1))
    contact.ratings.append(Rating(kind, centre.env.now, score, high))
    submitted = SurveySubmitted(
        kind=kind, score=float(score), scale_max=float(high), interaction=contact.interaction
    )
    centre.say(contact, "survey.submitted", submitted)


def _return(centre: Centre, contact: Contact, person: Person) -> Process:
    """The customer tries again: at the same queue, or on another channel."""
    dice, after = centre.dice_of("aftermath"), centre.settings.after
    queues = centre.settings.queues
    yield centre.env.timeout(dice.waiting(after.return_seconds))
    wanted = contact.channel
    if dice.chance(after.channel_change_share):
        wanted = dice.pick(sorted({queue.channel for queue in queues}))
    if contact.visits and contact.channel == wanted:
        queue = centre.queues[contact.visits[0].queue]
    else:
        queue = dice.pick([queue for queue in queues if queue.channel == wanted])
    if centre.env.now < centre.closes_at:
        centre.arrive(queue, person, contact.topic, contact.interaction)


def _churn(centre: Centre, person: Person) -> Process:
    dice = centre.dice_of("aftermath")
    yield centre.env.timeout(dice.within(600, 14_400))
    person.churned_at = centre.env.now
    subject = subject_of(person.identifiers[-1])
    told = CustomerLifecycle(reason=dice.pick(CHURN_REASONS))
    centre.tell(EVENTS_CUSTOMER, "customer.churned", subject, told)
    if dice.chance(0.2):
        yield centre.env.timeout(dice.within(3600, 86_400))
        person.returned_at = centre.env.now
        told = CustomerLifecycle(reason="offer")
        centre.tell(EVENTS_CUSTOMER, "customer.returned", subject, told)


def help_themselves(centre: Centre, person: Person, after_ms: int = 0) -> Process:
    """A visit to self-service; whom it does not help may contact the centre next."""
    after, dice = centre.settings.after, centre.dice_of("selfservice")
    yield centre.env.timeout(after_ms)
    if dice.chance(0.3):
        centre.start(identify(centre, person))
        yield centre.env.timeout(dice.within(1, 20))
    left: dict[Outcome, float] = {
        "solved": after.deflected_share,
        "left": (1 - after.deflected_share) * 0.6,
        "escalated": (1 - after.deflected_share) * 0.4,
    }
    outcome = dice.weighted(left)
    use_selfservice(centre, person, dice.pick(SURFACES), outcome)
    if outcome == "escalated" and centre.env.now < centre.closes_at:
        yield centre.env.timeout(dice.within(20, 900))
        centre.arrive(dice.pick(centre.settings.queues), person, "", "selfservice")


def use_selfservice(centre: Centre, person: Person, surface: str, outcome: Outcome) -> None:
    """One use of self-service, written down and told."""
    dice = centre.dice_of("selfservice")
    shown = person.identifiers[3] if surface == "portal" else person.identifiers[1]
    used = SelfService(person.number, centre.env.now, surface, outcome, shown=shown)
    if surface in ("knowledge_base", "faq", "video"):
        used.article = f"article-{dice.between(1, 120)}"
    centre.truth.selfservice.append(used)
    told = SelfserviceUsed(
        surface=surface,  # type: ignore[arg-type]  # pydantic checks it
        outcome=outcome,
        article=used.article,
    )
    centre.tell(EVENTS_CUSTOMER, "selfservice.used", subject_of(shown), told)


def identify(centre: Centre, person: Person) -> Process:
    """The customer logs in somewhere: their identifiers are known to be one person's.

    Sometimes an employee links two identifiers by hand, now and then those of two persons, which is
    noticed and undone before the last day is over.
    """
    dice, now = centre.dice_of("identities"), centre.env.now
    number = person.identifiers[3]
    told = CustomerIdentified(identifiers=tuple(identifier(item) for item in person.identifiers))
    centre.tell(EVENTS_CUSTOMER, "customer.identified", subject_of(number), told)
    bonds = centre.truth.bonds
    bonds += [Bond(number, other, now) for other in person.identifiers if other != number]
    if not dice.chance(LINKED_BY_HAND_SHARE):
        return
    yield centre.env.timeout(dice.within(60, 1800))
    noticed_ms = dice.within(300, 7200)
    mistaken = dice.chance(MISTAKEN_SHARE) and centre.env.now + noticed_ms < centre.closes_at
    whose = centre.population.somebody() if mistaken else person
    bond = Bond(number, whose.identifiers[1], centre.env.now)
    bonds.append(bond)
    link = CustomerLinked(a=identifier(bond.a), b=identifier(bond.b), rule="manual")
    centre.tell(EVENTS_CUSTOMER, "customer.linked", subject_of(number), link)
    if whose is not person:
        yield centre.env.timeout(noticed_ms)
        bond.undone_at = centre.env.now
        centre.tell(EVENTS_CUSTOMER, "customer.unlinked", subject_of(number), link)
