"""Figures of customers: who called again, and whose question was settled at once. Pure.

Who is the same customer is decided by `who`: the simulation knows the `person`; from what was ever
said of identifiers, what is `known` follows. A contact that showed nothing is nobody's: None.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable

from simulator.figures import Figures, ratio
from simulator.truth import Contact, Truth

Who = Callable[[Contact], Hashable]
Place = tuple[str, str]
"""Queue and channel; no queue where the contact met none."""


def person(contact: Contact) -> Hashable:
    """The customer, as only the simulation knows them."""
    return contact.customer if contact.identifiers else None


def known(truth: Truth) -> Who:
    """The customer, as far as anybody can know: by identifiers that were shown together or linked.

    What was undone binds nothing, and nothing binds two customer numbers: they are two customers,
    and what both were shown with (a household's telephone) is that of whom it was first shown with.
    """
    root = known_by(truth)
    return lambda contact: root(contact.identifiers[0]) if contact.identifiers else None


def known_by(truth: Truth) -> Callable[[Hashable], Hashable]:
    """From an identifier to its customer, as far as anybody can know."""
    parents: dict[Hashable, Hashable] = {}

    def root(identifier: Hashable) -> Hashable:
        while (parent := parents.setdefault(identifier, identifier)) != identifier:
            parents[identifier] = parents[parent]
            identifier = parent
        return identifier

    bound = [(bond.at, bond.a, bond.b) for bond in truth.bonds if bond.undone_at is None]
    for contact in truth.contacts:
        first, *others = contact.identifiers or [("", "", "")]
        bound += [(contact.started_at, other, first) for other in others]
    numbers: dict[Hashable, Hashable] = {}
    for _, *pair in sorted(bound):
        for identifier in pair:
            if identifier[0] == "customer_number":
                numbers.setdefault(root(identifier), identifier)
        one, other = map(root, pair)
        if one != other and not {one, other} <= numbers.keys():
            parents[one] = other
            if one in numbers:
                numbers[other] = numbers[one]
    return root


def caller_figures(truth: Truth, who: Who = person) -> dict[Place, Figures]:
    """Customers of inbound contacts by queue and channel, and those with more than one contact."""
    contacts: dict[Place, Counter[Hashable]] = defaultdict(Counter)
    for contact in truth.contacts:
        customer = who(contact)
        if contact.direction != "inbound" or customer is None:
            continue
        for queue in {visit.queue for visit in contact.visits}:
            contacts[queue, contact.channel][customer] += 1
    return {
        place: {
            "callers": len(customers),
            "repeat_callers": sum(count > 1 for count in customers.values()),
        }
        for place, customers in contacts.items()
    }


def first_contact_figures(
    truth: Truth, latest_at: int, window_seconds: float, who: Who = person
) -> dict[Place, Figures]:
    """First contact resolution and repeats by queue and channel, on whatever topic.

    A contact is eligible if it was answered, by the queue that did so last; mature once the window
    has passed by `latest_at`; settled without another inbound contact within it. It repeats an
    earlier one that began within the window before it, for the queue that it entered first.
    """
    window_ms = round(window_seconds * 1000)
    of_customer: dict[Hashable, list[Contact]] = defaultdict(list)
    for contact in truth.contacts:
        customer = who(contact)
        if contact.direction == "inbound" and customer is not None:
            of_customer[customer].append(contact)
    counted: dict[Place, Counter[str]] = defaultdict(Counter)
    for contacts in of_customer.values():
        starts = [contact.started_at for contact in contacts]
        for contact in contacts:
            begin = contact.started_at
            queues = [visit.queue for visit in contact.visits]
            counts = counted[queues[0] if queues else "", contact.channel]
            counts["contacts"] += 1
            counts["repeats"] += any(begin - window_ms <= at < begin for at in starts)
            answered = [visit.queue for visit in contact.visits if visit.outcome == "answered"]
            if answered:
                counts = counted[answered[-1], contact.channel]
                counts["eligible"] += 1
                mature = begin + window_ms <= latest_at
                again = any(begin < at <= begin + window_ms for at in starts)
                counts["mature"] += mature
                counts["settled"] += mature and not again
    return {place: _of_counts(counts) for place, counts in counted.items()}


def _of_counts(counts: Counter[str]) -> Figures:
    return {
        "repeat_contacts": counts["repeats"],
        "repeat_contact_ratio": ratio(counts["repeats"], counts["contacts"]),
        "first_contact_eligible": counts["eligible"],
        "first_contact_mature": counts["mature"],
        "first_contact_not_mature": counts["eligible"] - counts["mature"],
        "first_contact_without_repeat": counts["settled"],
        "first_contact_resolution_ratio": ratio(counts["settled"], counts["mature"]),
    }
