"""KPIs of queues and agents, computed over the truth by their definitions. Pure.

Written from the definitions, not from the views they are compared with: plain sums over what the
model decided. Ids are those of the catalogue. Counts and sums are whole numbers, ratios and means
floats, None where there is nothing to divide by.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

from simulator.truth import Contact, Leg, Staff, Truth, Visit

Value = int | float | None
Figures = dict[str, Value]
Cohort = Literal["offered", "ended"]
Key = tuple[Any, ...]


class Stay(NamedTuple):
    """A visit with the contact it belongs to."""

    contact: Contact
    visit: Visit


FLOWED_OUT: Final = {
    "timed_out": "timed_out",
    "overflowed": "overflowed",
    "key_pressed": "key_pressed",
    "callback_accepted": "callback_accepted",
    "emptied": "emptied",
    "transferred_waiting": "transferred",
}
"""Ids of the ways to flow out, with the exit that each counts."""


def stays(truth: Truth) -> Iterator[Stay]:
    """Every stay with a queue, in the order of the contacts."""
    for contact in truth.contacts:
        for visit in contact.visits:
            yield Stay(contact, visit)


def by_queue(stay: Stay) -> Key:
    """Queue and channel, how the catalogue splits first."""
    return stay.visit.queue, stay.contact.channel


def instant_of(stay: Stay, cohort: Cohort) -> int | None:
    """When a stay counts: as it was offered, or as it was concluded; None while it is not."""
    return stay.visit.entered_at if cohort == "offered" else stay.visit.concluded_at


def queue_figures(
    truth: Truth,
    key: Callable[[Stay], Key | None] = by_queue,
    *,
    target_seconds: float = 20,
    short_seconds: float = 5,
) -> dict[Key, Figures]:
    """KPIs of queues by `key`; stays of which it makes None are left out."""
    groups: dict[Key, list[Stay]] = defaultdict(list)
    for stay in stays(truth):
        place = key(stay)
        if place is not None:
            groups[place].append(stay)
    target_ms, short_ms = round(target_seconds * 1000), round(short_seconds * 1000)
    return {place: _of_stays(group, target_ms, short_ms) for place, group in groups.items()}


def _of_stays(group: list[Stay], target_ms: int, short_ms: int) -> Figures:
    visits = [visit for _, visit in group]
    answered = [v for v in visits if v.outcome == "answered"]
    abandoned = [v for v in visits if v.outcome == "abandoned"]
    flowed = {
        name: sum(v.outcome == outcome for v in visits) for name, outcome in FLOWED_OUT.items()
    }
    figures: Figures = {
        "offered": len(visits),
        "answered": len(answered),
        "abandoned": len(abandoned),
        **flowed,
        "open": sum(not v.outcome for v in visits),
    }
    flowed_out = sum(flowed.values())
    concluded = len(answered) + len(abandoned) + flowed_out
    in_target = _within(answered, target_ms)
    lost_in_target = _within(abandoned, target_ms)
    short = _within(abandoned, short_ms)
    back_in_target = _within((v for v in visits if v.outcome == "callback_accepted"), target_ms)
    ended = [v for v in answered if v.leg is not None and v.leg.ended_at is not None]
    ended_in_target = _within(ended, target_ms)
    a, b, f = len(answered), len(abandoned), flowed_out
    figures |= {
        "abandonment_ratio": ratio(b, concluded),
        "abandonment_net_of_short_ratio": ratio(b - short, concluded - short),
        "lost_ratio": ratio(b + flowed["timed_out"], concluded),
        "answered_in_target": in_target,
        "abandoned_in_target": lost_in_target,
        "abandoned_short": short,
        "service_level_ratio.offered": ratio(in_target, a + b + f),
        "service_level_ratio.answered_abandoned": ratio(in_target, a + b),
        "service_level_ratio.short_abandons_removed": ratio(in_target, a + b - short),
        "service_level_ratio.abandons_in_target_removed": ratio(in_target, a + b - lost_in_target),
        "service_level_ratio.answered_only": ratio(in_target, a),
        "service_level_ratio.all_exits": ratio(
            in_target + lost_in_target + back_in_target, a + b + f
        ),
        "service_level_ratio.asterisk_perf": ratio(ended_in_target, len(ended)),
        "service_level_ratio.asterisk_perf2": ratio(
            ended_in_target + lost_in_target, len(ended) + b
        ),
        "service_level_ratio.cisco_ignored": ratio(in_target, a + b + f - lost_in_target),
        "service_level_ratio.cisco_negative": ratio(in_target, a + b + f),
        "service_level_ratio.cisco_positive": ratio(in_target + lost_in_target, a + b + f),
    }
    waits = sorted(_wait(v) for v in visits if v.outcome)
    figures |= {
        "average_speed_of_answer_seconds": mean_seconds(map(_wait, answered), a),
        "average_time_to_abandon_seconds": mean_seconds(map(_wait, abandoned), b),
        "longest_wait_seconds": waits[-1] / 1000 if waits else None,
        **{f"wait_p{p}_seconds": quantile_seconds(waits, p) for p in (50, 90, 95)},
    }
    return figures | _handling(visits, ended)


def _handling(visits: list[Visit], ended: list[Visit]) -> Figures:
    legs = [v.leg for v in visits if v.leg is not None]
    over = [v.leg for v in ended if v.leg is not None]
    talk = sum(leg.talk_ms for leg in over)
    hold = sum(leg.hold_ms for leg in legs)
    wrapups = [leg.wrapup_ms for leg in legs if leg.wrapup_ms is not None]
    rings = [leg.ring_ms for leg in legs if leg.ring_ms is not None]
    kinds = {
        f"transferred_{kind}": sum(leg.transfer == kind for leg in over)
        for kind in ("blind", "consult", "recall")
    }
    transferred = sum(kinds.values())
    missed = sum(v.missed_rings for v in visits)
    handled = len(over)
    return {
        "ended": handled,
        "average_talk_seconds": mean_seconds([talk], handled),
        "average_hold_seconds": mean_seconds([hold], handled),
        "average_hold_per_held_seconds": mean_seconds([hold], sum(leg.holds > 0 for leg in legs)),
        "average_wrapup_seconds": mean_seconds(wrapups, handled),
        "average_wrapup_per_wrapped_up_seconds": mean_seconds(wrapups, len(wrapups)),
        "average_handle_seconds": mean_seconds([talk, hold, *wrapups], handled),
        "average_ring_seconds": mean_seconds(rings, len(rings)),
        **kinds,
        "transferred": transferred,
        "transfer_ratio": ratio(transferred, handled),
        **{
            f"transfer_{kind}_ratio": ratio(kinds[f"transferred_{kind}"], handled)
            for kind in ("blind", "consult", "recall")
        },
        "missed_rings": missed,
        "missed_rings_per_offered": ratio(missed, len(visits)),
    }


Span = tuple[int, int]
"""An interval in milliseconds: [from, to)."""
EVER: Final[Span] = (0, 1 << 60)


def agent_figures(truth: Truth, spans: Iterable[Span] = (EVER,)) -> dict[tuple[str, int], Figures]:
    """KPIs of agents by agent and the beginning of each span in which anything was counted.

    An answer counts when it came, talk and all handling when the agent was done with the contact,
    time in a state in the spans in which it passed.
    """
    legs: dict[str, list[tuple[Contact, Leg]]] = defaultdict(list)
    missed: dict[str, list[int]] = defaultdict(list)
    attempted: dict[str, list[int]] = defaultdict(list)
    for contact in truth.contacts:
        if contact.direction == "outbound":
            attempted[contact.agent].append(contact.started_at)
        for leg in contact.legs:
            legs[leg.agent].append((contact, leg))
        for ring in contact.rings:
            if ring.outcome == "missed":
                missed[ring.agent].append(ring.at)
    found = {}
    for span in spans:
        for staff in truth.staff:
            name = staff.agent
            figures = _of_agent(staff, legs[name], missed[name], attempted[name], span)
            if any(figures.values()):
                found[name, span[0]] = figures
    return found


def _of_agent(
    staff: Staff,
    legs: list[tuple[Contact, Leg]],
    missed_at: list[int],
    attempted_at: list[int],
    span: Span,
) -> Figures:
    connected = [contact.direction for contact, leg in legs if _is_within(leg.connected_at, span)]
    over = [
        leg
        for _, leg in legs
        if leg.concluded_at is not None and _is_within(leg.concluded_at, span)
    ]
    inbound = connected.count("inbound")
    missed = sum(_is_within(at, span) for at in missed_at)
    talk = sum(leg.talk_ms for leg in over)
    handle = talk + sum(leg.hold_ms + (leg.wrapup_ms or 0) for leg in over)
    states = time_in_states(staff, span)
    busy = states["on_contact"] + states["wrapup"]
    return {
        "agent_answered": inbound,
        "agent_missed": missed,
        "agent_handled": len(over),
        "agent_transferred": sum(leg.transfer != "" for leg in over),
        "agent_outbound_attempted": sum(_is_within(at, span) for at in attempted_at),
        "agent_outbound_connected": connected.count("outbound"),
        **{f"agent_{state}_seconds": ms / 1000 for state, ms in states.items()},
        "agent_average_talk_seconds": mean_seconds([talk], len(over)),
        "agent_average_handle_seconds": mean_seconds([handle], len(over)),
        "agent_answer_ratio": ratio(inbound, inbound + missed),
        # Without a word of being busy, nothing can be said of how much of the time it was.
        "agent_occupancy_ratio": (
            None if talk and not busy else ratio(busy, busy + states["available"])
        ),
        "agent_utilisation_ratio": ratio(handle, busy + states["available"] + states["paused"]),
        "agent_contacts_per_staffed_hour": ratio(
            len(over) * 3_600_000, busy + states["available"] + states["paused"]
        ),
    }


def _is_within(at: int, span: Span) -> bool:
    return span[0] <= at < span[1]


def time_in_states(staff: Staff, span: Span = EVER) -> dict[str, int]:
    """Milliseconds that an agent spent in each state at work; the one they are in is not over."""
    spent = dict.fromkeys(("available", "on_contact", "wrapup", "paused"), 0)
    for (begin, state, _), (end, _, _) in pairwise(staff.states):
        if state != "offline":
            spent[state] += max(0, min(end, span[1]) - max(begin, span[0]))
    return spent


def _within(visits: Iterable[Visit], threshold_ms: int) -> int:
    return sum(_wait(visit) <= threshold_ms for visit in visits)


def _wait(visit: Visit) -> int:
    if visit.wait_ms is None:
        raise ValueError(f"a visit of {visit.queue} that waits still has no wait yet")
    return visit.wait_ms


def ratio(part: float, whole: int) -> float | None:
    """A share, or a mean; None of nothing."""
    return part / whole if whole else None


def mean_seconds(milliseconds: Iterable[int], count: int) -> float | None:
    """The mean of durations, in seconds; None of nothing."""
    return sum(milliseconds) / count / 1000 if count else None


def quantile_seconds(ordered_ms: list[int], percent: int) -> float | None:
    """The lower quantile, as DDSketch defines it: rank floor(share x (n - 1)), from 0."""
    if not ordered_ms:
        return None
    return ordered_ms[math.floor(percent / 100 * (len(ordered_ms) - 1))] / 1000
