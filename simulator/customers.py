"""Figures of customers: who called again, and whose question was settled at once. Pure.

Who is the same customer is decided by `who`: the truth knows it (`person`); a system that has never
heard more than one contact's identifiers can at best tell by the strongest of them (`shown`).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from typing import Final

from simulator.figures import Figures
from simulator.truth import Contact, Truth

Who = Callable[[Contact], Hashable]
STRENGTH: Final = ("customer_number", "email", "phone", "handle")
"""Kinds of identifier, the strongest first."""


def person(contact: Contact) -> Hashable:
    """The customer, as only the simulation knows them; None of whom nothing was shown."""
    return contact.customer if contact.identifiers else None


def shown(contact: Contact) -> Hashable:
    """The strongest identifier that the contact showed; None where it showed none."""
    if not contact.identifiers:
        return None
    return min(contact.identifiers, key=lambda one: (STRENGTH.index(one[0]), one))


def caller_figures(truth: Truth, who: Who = person) -> dict[tuple[str, str], Figures]:
    """Customers of inbound contacts by queue and channel, and those with more than one contact."""
    contacts: dict[tuple[str, str], Counter[Hashable]] = defaultdict(Counter)
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
) -> dict[tuple[str, str], Figures]:
    """First contact resolution by queue and channel: no other inbound contact within the window.

    A contact is eligible if it was answered, mature once the window has passed by `latest_at`. It
    belongs to the queue that answered it last. Whatever the customer came back about counts.
    """
    window_ms = round(window_seconds * 1000)
    of_customer: dict[Hashable, list[Contact]] = defaultdict(list)
    for contact in truth.contacts:
        customer = who(contact)
        if contact.direction == "inbound" and customer is not None:
            of_customer[customer].append(contact)
    eligible: Counter[tuple[str, str]] = Counter()
    mature: Counter[tuple[str, str]] = Counter()
    settled: Counter[tuple[str, str]] = Counter()
    for contacts in of_customer.values():
        starts = sorted(contact.started_at for contact in contacts)
        for contact in contacts:
            answered = [visit for visit in contact.visits if visit.outcome == "answered"]
            if not answered:
                continue
            place = answered[-1].queue, contact.channel
            eligible[place] += 1
            begin = contact.started_at
            if begin + window_ms > latest_at:
                continue
            mature[place] += 1
            settled[place] += sum(begin <= at <= begin + window_ms for at in starts) == 1
    return {
        place: {
            "first_contact_eligible": count,
            "first_contact_mature": mature[place],
            "first_contact_not_mature": count - mature[place],
            "first_contact_without_repeat": settled[place],
            "first_contact_resolution_ratio": (
                settled[place] / mature[place] if mature[place] else None
            ),
        }
        for place, count in eligible.items()
    }
