"""Figures of what becomes of contacts: menus, callbacks, replies, ratings, campaigns, … Pure.

By the definitions of the KPI catalogue, over the truth. Each function takes the contacts to count,
so that any split is a filter; instants and windows are milliseconds. Counts are whole numbers,
means and ratios floats, None where there is nothing to divide by.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from operator import attrgetter

from simulator.clock import DAY_MS
from simulator.customers import Who, person
from simulator.figures import Figures, mean_seconds, ratio
from simulator.truth import Contact, Leg, Mailing, Person, SelfService, Staff

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


def callback_figures(contacts: Sequence[Contact]) -> Figures:
    """Callbacks: asked for by one interaction, attempted and connected by others linked to it."""
    requested = {
        c.interaction: at for c in contacts for at, step in c.callback if step == "requested"
    }
    steps = [(c, at, step) for c in contacts for at, step in c.callback]
    reached = [at - requested[c.linked_to] for c, at, step in steps if step == "connected"]
    kinds = [step for _, _, step in steps]
    return {
        "callback_requested": len(requested),
        "callback_attempted": kinds.count("attempted"),
        "callback_connected": len(reached),
        "callback_failed": kinds.count("failed"),
        "callback_connected_ratio": ratio(len(reached), len(requested)),
        "average_time_to_callback_seconds": mean_seconds(reached, len(reached)),
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


def reply_figures(contacts: Sequence[Contact]) -> Figures:
    """First responses, and replies since the customer waits; no bots, no automatic messages."""
    first = [c.first_response_ms for c in contacts if c.first_response_ms is not None]
    replies = [ms for contact in contacts for ms in _replies(contact)]
    return {
        "first_responses": len(first),
        "average_first_response_seconds": mean_seconds(first, len(first)),
        "replies": len(replies),
        "average_reply_seconds": mean_seconds(replies, len(replies)),
    }


def _replies(contact: Contact) -> Iterator[int]:
    waiting_since: int | None = None
    for message in contact.messages:
        if message.automatic or not message.public:
            continue
        if message.author == "customer" and waiting_since is None:
            waiting_since = message.at
        elif message.author == "agent" and waiting_since is not None:
            yield message.at - waiting_since
            waiting_since = None


def ticket_figures(contacts: Sequence[Contact]) -> Figures:
    """Tickets: solved, how long that took, and those that were open again after it."""
    tickets = [c for c in contacts if c.ticket]
    solved = {c.interaction: [at for at, s in c.ticket if s == "solved"] for c in tickets}
    solved = {interaction: times for interaction, times in solved.items() if times}
    begun = {c.interaction: c.started_at for c in tickets}
    reopened = sum(
        any(a == "solved" and b == "open" for (_, a), (_, b) in pairwise(c.ticket)) for c in tickets
    )
    return {
        "tickets": len(tickets),
        "tickets_solved": len(solved),
        "tickets_reopened": reopened,
        "reopen_ratio": ratio(reopened, len(solved)),
        "average_first_resolution_seconds": mean_seconds(
            [times[0] - begun[i] for i, times in solved.items()], len(solved)
        ),
        "average_full_resolution_seconds": mean_seconds(
            [times[-1] - begun[i] for i, times in solved.items()], len(solved)
        ),
    }


def backlog(contacts: Sequence[Contact], at: int) -> list[int]:
    """Ages in milliseconds of the tickets that were not solved at an instant, the oldest first."""
    ages = []
    for contact in contacts:
        said = [status for then, status in contact.ticket if then <= at]
        if said and said[-1] not in ("solved", "closed"):
            ages.append(at - contact.started_at)
    return sorted(ages, reverse=True)


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


def chat_concurrency(contacts: Sequence[Contact]) -> Figures:
    """Chat time of agents divided by the time in which they had at least one."""
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for contact in contacts:
        for leg in contact.legs:
            if contact.channel == "chat" and leg.ended_at is not None:
                spans[leg.agent].append((leg.connected_at, leg.ended_at))
    chatting = sum(end - begin for of_agent in spans.values() for begin, end in of_agent)
    at_all = sum(_union(of_agent) for of_agent in spans.values())
    return {
        "chat_seconds": chatting / 1000,
        "chat_wall_clock_seconds": at_all / 1000,
        "chat_concurrency": ratio(chatting, at_all),
    }


def _union(spans: Iterable[tuple[int, int]]) -> int:
    covered, reached = 0, -1
    for begin, end in sorted(spans):
        covered += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return covered


def adherence_figures(staff: Sequence[Staff]) -> Figures:
    """Time in the scheduled activity: at work for `work`, paused for everything else."""
    scheduled = adhered = 0
    for one in staff:
        for begin, end, activity in one.schedule:
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


def slot_occupancy(staff: Sequence[Staff]) -> Figures:
    """Slots in use, divided by those there were while available or on a contact."""
    used = offered = 0
    for one in staff:
        for (since, state, slots), (until, _, _) in pairwise(one.states):
            if state not in ("offline", "paused"):
                used += slots * (until - since)
                offered += one.slots_max * (until - since)
    return {"slot_occupancy_ratio": ratio(used, offered)}


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


def campaign_figures(
    mailings: Sequence[Mailing],
    contacts: Sequence[Contact],
    who: Who = person,
    whose: Callable[[Mailing], Hashable] = attrgetter("customer"),
) -> Figures:
    """Messages of campaigns, the contacts within 24 hours after one, and those it really caused."""
    sent = len(mailings)
    names = {one.campaign for one in mailings}
    delivered = sum(one.delivered_at is not None for one in mailings)
    opened = sum(one.opened_at is not None for one in mailings)
    clicked = sum(one.clicked_at is not None for one in mailings)
    written: dict[Hashable, list[int]] = defaultdict(list)
    for one in mailings:
        written[whose(one)].append(one.sent_at)
    after = sum(
        any(sent_at < c.started_at <= sent_at + DAY_MS for sent_at in written[who(c)])
        for c in contacts
        if c.direction == "inbound" and who(c) is not None
    )
    return {
        "campaign_sent": sent,
        "campaign_failed": sum(one.failed_at is not None for one in mailings),
        "campaign_delivered": delivered,
        "campaign_opened": opened,
        "campaign_clicked": clicked,
        "campaign_delivered_ratio": ratio(delivered, sent),
        "campaign_opened_ratio": ratio(opened, sent),
        "campaign_clicked_ratio": ratio(clicked, sent),
        "campaign_contacts": after,
        "campaign_contacts_caused": sum(contact.cause in names for contact in contacts),
    }


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
