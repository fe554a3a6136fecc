"""Figures of what becomes of contacts: menus, ratings, replies, solutions, voice quality, … Pure.

By the definitions of the KPI catalogue, over the truth. Each function takes the contacts to count,
so that any split is a filter; instants and windows are milliseconds. Counts are whole numbers,
means and ratios floats, None where there is nothing to divide by.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from simulator.clock import DAY_MS
from simulator.customers import Who, person
from simulator.figures import Figures, mean_seconds, quantile_seconds, ratio
from simulator.truth import Contact, Leg, Staff

SOLVED: Final = ("solved", "closed")
HOUR_MS: Final = 3_600_000

Came = Callable[[Hashable, int, int], bool]
"""Whether a customer contacted the centre after the one instant and until the other."""


def inbound_contacts(contacts: Iterable[Contact], who: Who = person) -> Came:
    """What tells whether a customer came (again) within a time; nobody (None) never does."""
    starts: dict[Hashable, list[int]] = defaultdict(list)
    for contact in contacts:
        if contact.direction == "inbound" and who(contact) is not None:
            starts[who(contact)].append(contact.started_at)
    return lambda customer, after, until: any(after < at <= until for at in starts[customer])


def menu_figures(contacts: Sequence[Contact], came: Came, who: Who = person) -> Figures:
    """Voice menus. True containment: the goal was reached, and no contact came within 24 hours."""
    menus = [(c, c.menu) for c in contacts if c.menu is not None]
    outcomes = [menu.outcome for _, menu in menus]
    truly = sum(
        menu.goal and not came(who(c), c.started_at, c.started_at + DAY_MS) for c, menu in menus
    )
    entered = len(menus)
    contained, asked = outcomes.count("contained"), outcomes.count("agent_requested")
    return {
        "menu_entered": entered,
        "menu_contained": contained,
        "menu_hung_up": outcomes.count("hung_up"),
        "menu_agent_requested": asked,
        "menu_goal_reached": sum(menu.goal for _, menu in menus),
        "menu_truly_contained": truly,
        "menu_containment_ratio": ratio(contained, entered),
        "menu_true_containment_ratio": ratio(truly, entered),
        "menu_agent_requested_ratio": ratio(asked, entered),
    }


def rating_figures(contacts: Sequence[Contact], who: Who = person) -> Figures:
    """CSAT (4 and 5 of 5), NPS (a customer's last answer) and CES (mean of 1 to 7)."""
    rated = [(c, rating) for c in contacts for rating in c.ratings]
    csat = [rating.score for _, rating in rated if rating.kind == "csat"]
    ces = [rating.score for _, rating in rated if rating.kind == "ces"]
    last: dict[Hashable, int] = {}
    for contact, rating in sorted(rated, key=lambda pair: pair[1].at):
        if rating.kind == "nps":
            customer = who(contact)
            last[contact.interaction if customer is None else customer] = rating.score
    promoters = sum(score >= 9 for score in last.values())
    detractors = sum(score <= 6 for score in last.values())
    answered = sum(contact.answered for contact in contacts)
    return {
        "csat_ratings": len(csat),
        "csat_satisfied": sum(score >= 4 for score in csat),
        "csat_ratio": ratio(sum(score >= 4 for score in csat), len(csat)),
        "csat_mean": ratio(sum(csat), len(csat)),
        "csat_response_ratio": ratio(len(csat), answered),
        "nps_customers": len(last),
        "nps_promoters": promoters,
        "nps_detractors": detractors,
        "nps_ratio": ratio(promoters - detractors, len(last)),
        "ces_ratings": len(ces),
        "ces_mean": ratio(sum(ces), len(ces)),
    }


class Done(NamedTuple):
    """Something that a contact was waiting for, who did it, when, and how long it took."""

    what: Literal["first_response", "reply", "first_resolution", "full_resolution"]
    at: int
    agent: str
    took_ms: int


def done_for(contact: Contact) -> Iterator[Done]:
    """Responses, which no bot and no automatic message gives, and the first and last solution.

    Who solved it is the agent who had it last by then.
    """
    if contact.first_response_ms is not None:
        first = next(m for m in contact.messages if m.author == "agent" and m.public)
        yield Done("first_response", first.at, first.agent, contact.first_response_ms)
    for reply in replies_of(contact):
        yield Done("reply", *reply)
    if solved := [at for at, _ in solutions_of(contact)]:
        for what, at in (("first_resolution", solved[0]), ("full_resolution", solved[-1])):
            yield Done(what, at, agent_at(contact, at), at - contact.started_at)  # type: ignore[arg-type]


def agent_at(contact: Contact, at: int) -> str:
    """The agent who had a contact last by then."""
    return next((leg.agent for leg in reversed(contact.legs) if leg.connected_at <= at), "")


def done_figures(done: Iterable[Done]) -> Figures:
    """How much was done, and how long it took."""
    took: dict[str, list[int]] = defaultdict(list)
    for one in done:
        took[one.what].append(one.took_ms)
    return {
        "first_responses": len(took["first_response"]),
        **durations("first_response", took["first_response"]),
        "replies": len(took["reply"]),
        **durations("reply", took["reply"]),
        "contacts_solved": len(took["first_resolution"]),
        **durations("first_resolution", took["first_resolution"]),
        **durations("full_resolution", took["full_resolution"]),
    }


def durations(name: str, milliseconds: Sequence[int]) -> Figures:
    """Mean, median and 90 % of durations."""
    ordered = sorted(milliseconds)
    return {
        f"average_{name}_seconds": mean_seconds(ordered, len(ordered)),
        f"{name}_p50_seconds": quantile_seconds(ordered, 50),
        f"{name}_p90_seconds": quantile_seconds(ordered, 90),
    }


def replies_of(contact: Contact) -> Iterator[tuple[int, str, int]]:
    """When each reply was written and by whom, and how many milliseconds it was waited for."""
    waiting_from: int | None = None
    for message in contact.messages:
        if message.automatic or not message.public:
            continue
        if message.author == "customer" and waiting_from is None:
            waiting_from = message.at
        elif message.author == "agent" and waiting_from is not None:
            yield message.at, message.agent, message.at - waiting_from
            waiting_from = None


def solutions_of(contact: Contact) -> list[tuple[int, int | None]]:
    """When a written contact, or one with a ticket, was solved, and when that was undone.

    A contact without a ticket is solved when it ends so; one that goes on has a ticket.
    """
    if not contact.ticket:
        return [(contact.ended_at or 0, None)] if contact.messages and contact.resolved else []
    found: list[tuple[int, int | None]] = []
    for at, status in contact.ticket:
        if status in SOLVED:
            if not found or found[-1][1] is not None:
                found.append((at, None))
        elif found and found[-1][1] is None:
            found[-1] = (found[-1][0], at)
    return found


class Solution(NamedTuple):
    """One of a contact's solutions, and when it was undone; the agent had the contact last then."""

    contact: Contact
    at: int
    undone_at: int | None
    agent: str
    is_first: bool
    is_last: bool


def solutions(contacts: Iterable[Contact]) -> Iterator[Solution]:
    """All of them, with the agents who found them."""
    for contact in contacts:
        found = solutions_of(contact)
        for number, (at, undone_at) in enumerate(found, 1):
            agent = agent_at(contact, at)
            yield Solution(contact, at, undone_at, agent, number == 1, number == len(found))


OpenFor = Callable[[Contact, int, int], int]
"""Milliseconds of the business hours of a contact's queue between two instants."""


def always_open(_: Contact, since: int, until: int) -> int:
    """The calendar's."""
    return until - since


def solution_figures(
    solved: Iterable[Solution], latest_at: int, window_ms: int, open_for: OpenFor = always_open
) -> Figures:
    """Solutions in business hours, and those undone within the window, if that has passed."""
    found = list(solved)
    mature = [one for one in found if one.at + window_ms <= latest_at]
    undone = sum(o.undone_at is not None and o.undone_at <= o.at + window_ms for o in mature)
    first = [open_for(o.contact, o.contact.started_at, o.at) for o in found if o.is_first]
    full = [open_for(o.contact, o.contact.started_at, o.at) for o in found if o.is_last]
    return {
        "average_first_resolution_business_seconds": mean_seconds(first, len(first)),
        "average_full_resolution_business_seconds": mean_seconds(full, len(full)),
        "contacts_reopened": undone,
        "reopen_ratio": ratio(undone, len(mature)),
    }


def backlog(contacts: Sequence[Contact], at: int) -> list[int]:
    """Ages in milliseconds of the written contacts and tickets that were neither solved nor ended
    at an instant, the oldest first.
    """
    ages = []
    for contact in contacts:
        if not (contact.ticket or any(not m.automatic for m in contact.messages)):
            continue
        solved = any(
            then <= at and (undone is None or undone > at) for then, undone in solutions_of(contact)
        )
        ended = contact.ended_at is not None and contact.ended_at <= at
        if contact.started_at <= at and not solved and not ended:
            ages.append(at - contact.started_at)
    return sorted(ages, reverse=True)


def waiting_since(contact: Contact) -> int | None:
    """Since when the customer of an open contact waits for a reply, as it was in the end."""
    if contact.ended_at is not None or (contact.ticket and contact.ticket[-1][1] in SOLVED):
        return None
    unanswered: list[int] = []
    for message in contact.messages:
        if message.automatic or not message.public:
            continue
        if message.author == "customer":
            unanswered.append(message.at)
        elif message.author == "agent":
            unanswered = []
    return unanswered[0] if unanswered else None


def backlog_figures(contacts: Sequence[Contact], at: int) -> Figures:
    """The backlog by age, and who waits for a reply."""
    ages = backlog(contacts, at)
    waiting = [at - since for c in contacts if (since := waiting_since(c)) is not None]
    edges = (0, 1, 8, 24, 72, 168)
    names = ("under_1_hour", "1_to_8_hours", "8_to_24_hours", "1_to_3_days", "3_to_7_days")
    figures: Figures = {"backlog": len(ages)}
    for name, (begin, end) in zip(names, pairwise(edges), strict=True):
        figures[f"backlog_{name}"] = sum(begin <= age / HOUR_MS < end for age in ages)
    return figures | {
        "backlog_over_7_days": sum(age >= 168 * HOUR_MS for age in ages),
        "awaiting_reply": len(waiting),
        "longest_awaiting_reply_seconds": max(waiting) / 1000 if waiting else None,
    }


def quality_figures(contacts: Sequence[Contact]) -> Figures:
    """Voice quality as it was measured: a leg is one agent of a contact and one codec."""
    legs: dict[tuple[str, str, str], list[Leg]] = defaultdict(list)
    for contact in contacts:
        for leg in contact.legs:
            if leg.mos is not None:
                legs[contact.interaction, leg.agent, leg.codec].append(leg)
    scores = [[leg.mos or 0 for leg in of_leg] for of_leg in legs.values()]
    factors = [[leg.r_factor or 0 for leg in of_leg] for of_leg in legs.values()]
    return {
        "quality_legs": len(scores),
        "mos_mean": ratio(sum(sum(s) / len(s) for s in scores), len(scores)),
        "mos_min": min(map(min, scores), default=None),
        "r_factor_mean": ratio(sum(sum(r) / len(r) for r in factors), len(factors)),
    }


class Chatting(NamedTuple):
    """An agent was in a chat."""

    contact: Contact
    agent: str
    began_at: int
    ended_at: int


def chats(contacts: Iterable[Contact]) -> Iterator[Chatting]:
    """Chats of agents that are over."""
    for contact in contacts:
        for leg in contact.legs:
            if contact.channel == "chat" and leg.ended_at is not None:
                yield Chatting(contact, leg.agent, leg.connected_at, leg.ended_at)


def chat_figures(chatting: Iterable[Chatting]) -> Figures:
    """Chat time of agents divided by the time in which they had at least one."""
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in chatting:
        spans[one.agent].append((one.began_at, one.ended_at))
    chatting_ms = sum(end - begin for of_agent in spans.values() for begin, end in of_agent)
    at_all = sum(_union(of_agent) for of_agent in spans.values())
    return {"chat_concurrency": ratio(chatting_ms, at_all)}


def _union(spans: Iterable[tuple[int, int]]) -> int:
    covered, reached = 0, -1
    for begin, end in sorted(spans):
        covered += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return covered


Counts = Callable[[int], bool]
"""Whether what began at an instant is to be counted."""


def _always(_: int) -> bool:
    return True


def adherence_figures(staff: Sequence[Staff], counts: Counts = _always) -> Figures:
    """Time in the scheduled activity: at work for `work`, paused for everything else."""
    scheduled = adhered = 0
    for one in staff:
        for begin, end, activity in one.schedule:
            if not counts(begin):
                continue
            scheduled += end - begin
            for (since, state, _), (until, _, _) in pairwise(one.states):
                fits = (state == "paused") != (activity == "work") and state != "offline"
                if fits:
                    adhered += max(0, min(end, until) - max(begin, since))
    return {
        "scheduled_seconds": scheduled / 1000,
        "adhered_seconds": adhered / 1000,
        "adherence_ratio": ratio(adhered, scheduled),
    }


def slot_occupancy(staff: Sequence[Staff], counts: Counts = _always) -> Figures:
    """Slots in use, divided by those there were while available or on a contact."""
    used = offered = 0
    for one in staff:
        for (since, state, slots), (until, _, _) in pairwise(one.states):
            if state not in ("offline", "paused") and counts(since):
                used += slots * (until - since)
                offered += one.slots_max * (until - since)
    return {"slot_occupancy_ratio": ratio(used, offered)}
