"""The truth of what is counted over surveys, menus, callbacks, self-service, … Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from simulator import outcomes
from simulator.customers import known, known_by
from simulator.figures import Figures, Key, ratio
from simulator.run import Run
from simulator.truth import Contact, SelfService

One = TypeVar("One")


def family_truth(run: Run) -> dict[tuple[str, ...], dict[Key, Figures]]:
    """By split and place, the KPIs that are known there; customers are who they can be known as."""
    truth = run.truth
    who, root = known(truth), known_by(truth)
    came = outcomes.inbound_contacts(truth.contacts, who)

    def of_contacts(contacts: list[Contact]) -> Figures:
        return {
            **outcomes.rating_figures(contacts, who),
            **outcomes.menu_figures(contacts, came, who),
            **outcomes.quality_figures(contacts),
        }

    callbacks = outcomes.callback_figures(truth.contacts)
    if not callbacks["callback_offered"]:
        callbacks["callback_offered"] = None  # which is not known where no offer is ever told of
    mailings = outcomes.campaign_figures(
        truth.mailings, truth.contacts, who, lambda one: root(one.shown)
    )
    mailings.pop("campaign_contacts_caused")  # which nobody can measure

    def used(group: list[SelfService]) -> Figures:
        return outcomes.selfservice_figures(group, came, lambda one: root(one.shown))

    people = truth.people.values()
    lifecycle: Figures = {
        "customers_churned": sum(one.churned_at is not None for one in people),
        "customers_returned": sum(one.returned_at is not None for one in people),
    }
    whole: Figures = {
        **of_contacts(truth.contacts),
        **callbacks,
        **outcomes.trunk_figures(truth.contacts, truth.blocked, told=bool(truth.blocked)),
        **mailings,
        **used(truth.selfservice),
        **lifecycle,
        **outcomes.adherence_figures(truth.staff),
        **outcomes.slot_occupancy(truth.staff),
    }
    calls = [contact for contact in truth.contacts if contact.channel == "call"]
    blocked = _grouped(truth.blocked, lambda one: (one.direction, one.site))
    by_queue = _grouped(truth.contacts, lambda c: (_queue(c), c.channel))
    return {
        (): {(): whole},
        ("queue", "channel"): {
            place: of_contacts(group) for place, group in by_queue.items() if place[0]
        },
        ("site",): {
            place: of_contacts(group)
            for place, group in _grouped(truth.contacts, lambda c: (c.site,)).items()
        },
        ("direction", "site"): {
            place: outcomes.trunk_figures(group, blocked.get(place, ()), told=bool(truth.blocked))
            for place, group in _grouped(calls, lambda c: (c.direction, c.site)).items()
        },
        ("surface",): {
            place: used(group)
            for place, group in _grouped(truth.selfservice, lambda one: (one.surface,)).items()
        },
        ("agent",): {
            (one.agent,): {
                **outcomes.adherence_figures([one]),
                **outcomes.slot_occupancy([one]),
            }
            for one in truth.staff
        },
    }


def _queue(contact: Contact) -> str:
    """The queue that answered it last, else the one it entered first."""
    answered = [visit.queue for visit in contact.visits if visit.outcome == "answered"]
    return (answered[-1:] or [visit.queue for visit in contact.visits[:1]] or [""])[0]


def _grouped(ones: Iterable[One], key: Callable[[One], Key]) -> dict[Key, list[One]]:
    groups: dict[Key, list[One]] = defaultdict(list)
    for one in ones:
        groups[key(one)].append(one)
    return groups


def churn_from(run: Run) -> int:
    """An instant before some customers leave, when others are there; in milliseconds."""
    left = [one.churned_at for one in run.truth.people.values() if one.churned_at is not None]
    return min(left) // 10_000 * 10_000 if left else 0


def churn_truth(run: Run) -> Figures:
    """Churn from then on: of the customers who had been seen before, and had not left."""
    truth, since = run.truth, churn_from(run)
    who, root = known(truth), known_by(truth)
    seen: dict[Hashable, int] = {}

    def see(customer: Hashable, at: int) -> None:
        if customer is not None:
            seen[customer] = min(at, seen.get(customer, at))

    for contact in truth.contacts:
        see(who(contact), contact.started_at)
    for use in truth.selfservice:
        see(root(use.shown), use.at)
    for mailing in truth.mailings:
        see(root(mailing.shown), mailing.sent_at)
    moves = []
    for one in truth.people.values():
        for at, step in ((one.churned_at, -1), (one.returned_at, 1)):
            if at is not None:
                see(root(one.identifiers[-1]), at)
                moves.append((at, step))
    active = sum(at < since for at in seen.values())
    active += sum(step for at, step in moves if at < since)
    lost = sum(step == -1 for at, step in moves if at >= since)
    return {"customers_active": active, "churn_ratio": ratio(lost, active)}
