"""Figures of what leads to contacts and comes of them: callbacks, campaigns, …

By the definitions of the KPI catalogue, over the truth, as in `simulator.outcomes`. Pure.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from simulator.clock import DAY_MS
from simulator.customers import Who, person
from simulator.figures import Figures, mean_seconds, ratio
from simulator.outcomes import Came
from simulator.truth import Blocked, Contact, Mailing, Person, SelfService


class Step(NamedTuple):
    """A step of a callback, and how long after it was asked for, if that is known."""

    contact: Contact
    at: int
    what: str
    queue: str
    waited_ms: int | None


def callback_steps(contacts: Iterable[Contact]) -> Iterator[Step]:
    """All of them: asked for by one interaction, attempted and connected by others linked to it."""
    everybody = list(contacts)
    asked = {
        c.interaction: at for c in everybody for at, what, _ in c.callback if what == "requested"
    }
    for contact in everybody:
        for at, what, queue in contact.callback:
            waited_ms = at - asked[contact.linked_to] if what == "connected" else None
            yield Step(contact, at, what, queue, waited_ms)


def callback_figures(steps: Iterable[Step]) -> Figures:
    """Callbacks, each step of them when it was taken."""
    taken = list(steps)
    kinds = [step.what for step in taken]
    reached = [step.waited_ms for step in taken if step.waited_ms is not None]
    offered, requested = kinds.count("offered"), kinds.count("requested")
    return {
        "callback_offered": offered,
        "callback_accepted_ratio": ratio(requested, offered),
        "callback_requested": requested,
        "callback_attempted": kinds.count("attempted"),
        "callback_connected": len(reached),
        "callback_failed": kinds.count("failed"),
        "callback_connected_ratio": ratio(len(reached), requested),
        "average_time_to_callback_seconds": mean_seconds(reached, len(reached)),
    }


def trunk_figures(
    contacts: Iterable[Contact], blocked: Iterable[Blocked], *, told: bool
) -> Figures:
    """Attempts to call, and those that found no line; unknown where no attempt is ever `told` of
    that did not.
    """
    blocks = len(list(blocked))
    attempts = blocks + sum(contact.channel == "call" for contact in contacts)
    return {
        "calls_attempted": attempts if told else None,
        "calls_blocked": blocks if told else None,
        "blocked_ratio": ratio(blocks, attempts) if told else None,
    }


def selfservice_figures(
    used: Sequence[SelfService],
    came: Came,
    whose: Callable[[SelfService], Hashable] = attrgetter("customer"),
) -> Figures:
    """Self-service: solved, and deflected, which is used without a contact within 24 hours."""
    solved = sum(one.outcome == "solved" for one in used)
    deflected = sum(not came(whose(one), one.at, one.at + DAY_MS) for one in used)
    return {
        "selfservice_used": len(used),
        "selfservice_solved": solved,
        "selfservice_deflected": deflected,
        "selfservice_success_ratio": ratio(solved, len(used)),
        "deflection_ratio": ratio(deflected, len(used)),
    }


class Posted(NamedTuple):
    """A step of a campaign's message; `contact` where the customer came within 24 hours after."""

    mailing: Mailing
    at: int
    what: str


def campaign_steps(
    mailings: Sequence[Mailing],
    contacts: Iterable[Contact] = (),
    who: Who = person,
    whose: Callable[[Mailing], Hashable] = attrgetter("customer"),
) -> Iterator[Posted]:
    """All steps; an inbound contact counts for the last message before, when that was sent."""
    written: dict[Hashable, list[Mailing]] = defaultdict(list)
    for one in mailings:
        written[whose(one)].append(one)
        for what in ("sent", "failed", "delivered", "opened", "clicked"):
            at = getattr(one, f"{what}_at")
            if at is not None:
                yield Posted(one, at, what)
    for contact in contacts:
        if contact.direction == "inbound" and who(contact) is not None:
            before = [m for m in written[who(contact)] if m.sent_at < contact.started_at]
            last = max(before, key=attrgetter("sent_at"), default=None)
            if last is not None and contact.started_at <= last.sent_at + DAY_MS:
                yield Posted(last, last.sent_at, "contact")


def campaign_figures(steps: Iterable[Posted]) -> Figures:
    """Messages of campaigns, each step when it was taken, and the contacts within 24 hours."""
    kinds = [step.what for step in steps]
    sent = kinds.count("sent")
    return {
        **{
            f"campaign_{what}": kinds.count(what)
            for what in ("sent", "failed", "delivered", "opened", "clicked")
        },
        **{
            f"campaign_{what}_ratio": ratio(kinds.count(what), sent)
            for what in ("delivered", "opened", "clicked")
        },
        "campaign_contacts": kinds.count("contact"),
    }


def caused_contacts(mailings: Iterable[Mailing], contacts: Iterable[Contact]) -> int:
    """Contacts that campaigns really caused, which only the model knows."""
    names = {one.campaign for one in mailings}
    return sum(contact.cause in names for contact in contacts)


def churn_figures(people: Iterable[Person]) -> Figures:
    """Customers who said that they leave, and those of them who came back."""
    known = list(people)
    churned = sum(one.churned_at is not None for one in known)
    return {
        "customers": len(known),
        "customers_churned": churned,
        "customers_returned": sum(one.returned_at is not None for one in known),
        "churn_ratio": ratio(churned, len(known)),
    }
