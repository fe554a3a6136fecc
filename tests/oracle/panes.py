"""The oracle's counts: what one contact adds to panes, by column name; map columns by pair."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.rows import AGENT_PANE_SECONDS
from tests.oracle.contact import Contact
from tests.oracle.stay import Stay

Counted = tuple[tuple[Any, ...], Counter[Any]]

_FLOWED_OUT = {
    "timed_out": "timed_out",
    "overflowed": "overflowed",
    "key_pressed": "key_pressed",
    "callback_accepted": "callback_accepted",
    "emptied": "emptied",
    "transferred": "transferred_waiting",
}
_GAMMA = 1.01 / 0.99


def queue_counts(
    contact: Contact, tenant: str, channel: str, thresholds: Mapping[str, Sequence[int]]
) -> Iterator[Counted]:
    """For each stay with a queue its counts, in the pane of its beginning and of its end."""
    for stay in contact.stays:
        counts = _of_stay(stay, thresholds.get(stay.queue, thresholds[""]))
        place = (tenant, stay.queue, channel, contact.direction)
        yield (*place, "offered", stay.began // 10_000 * 10), counts
        if stay.over is not None:
            yield (*place, "ended", stay.over // 10_000 * 10), counts


def _of_stay(stay: Stay, thresholds: Sequence[int]) -> Counter[Any]:
    counts: Counter[Any] = Counter(offered=1, missed_rings=stay.missed)
    if stay.outcome == "open":
        return counts
    wait = stay.wait or 0

    def count_within(column: str) -> None:
        counts.update({(column, threshold): 1 for threshold in thresholds if wait <= threshold})

    counts["wait_bins", _bin(wait)] += 1
    match stay.outcome:
        case "answered":
            counts.update(answered=1, wait_answered_ms=wait)
            count_within("answered_within")
        case "abandoned":
            counts.update(abandoned=1, wait_abandoned_ms=wait)
            count_within("abandoned_within")
        case exit_:
            counts.update({_FLOWED_OUT[exit_]: 1, "wait_exited_ms": wait})
            if exit_ == "callback_accepted":
                count_within("callback_within")
    if stay.talk is not None:
        counts.update(ended=1, talk_ms=stay.talk)
        count_within("ended_within")
        if stay.transfer:
            counts[f"transferred_{stay.transfer}"] += 1
    if stay.holds:
        counts.update(held=1, hold_ms=stay.hold)
    if stay.wrapup is not None:
        counts.update(wrapped_up=1, wrapup_ms=stay.wrapup)
    if stay.ring is not None:
        counts.update(rung=1, ring_ms=stay.ring)
    return counts


def conversation_counts(contact: Contact, tenant: str, channel: str) -> Iterator[Counted]:
    """What was written in the contact, each where and when it happened."""
    count = {"reply": "replies"}
    for name, at, queue, ms in contact.thread.durations():
        counts: Counter[Any] = Counter({count.get(name, f"{name}s"): 1, f"{name}_ms": ms})
        counts[f"{name}_bins", _bin(ms)] += 1
        yield (tenant, queue, channel, contact.direction, at // 10_000 * 10), counts


def agent_contact_counts(contact: Contact, tenant: str) -> Iterator[Counted]:
    """What the contact adds to the panes of the agents who had to do with it."""
    outbound = contact.direction == "outbound"
    for stay in contact.talks:
        if not stay.agent:
            continue
        if stay.connected is not None:
            counts: Counter[Any] = Counter(ring_ms=stay.ring or 0)
            counts["outbound_connected" if outbound else "answered"] += 1
            yield _agent_pane(tenant, stay.agent, stay.connected), counts
        if stay.over is not None:
            counts = Counter(handled=1, talk_ms=stay.talk or 0, hold_ms=stay.hold)
            counts.update(wrapup_ms=stay.wrapup or 0, transferred=int(bool(stay.transfer)))
            yield _agent_pane(tenant, stay.agent, stay.over), counts
    for at, agent in contact.misses:
        yield _agent_pane(tenant, agent, at), Counter(missed=1)
    for at, agent in contact.attempts:
        if agent:
            yield _agent_pane(tenant, agent, at), Counter(outbound_attempted=1)


def _agent_pane(tenant: str, agent: str, at: int) -> tuple[Any, ...]:
    return (tenant, agent, at // (AGENT_PANE_SECONDS * 1000) * AGENT_PANE_SECONDS)


def _bin(wait: int) -> int:
    """The first bin of the sketch whose upper edge is not below the wait, found by search."""
    if wait == 0:
        return -1
    index = max(0, math.floor(math.log(wait) / math.log(_GAMMA)) - 2)
    while _GAMMA**index < wait:
        index += 1
    return index
