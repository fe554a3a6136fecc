"""Panes: what interactions contribute to them, and how that is added and taken back. Pure.

A contribution is invertible and made of integers, so that the sum over any interactions, in any
order, with any corrections between, is the same:

    (key, counts, waits)

`key` names the pane, `counts` is a sparse vector `(column, value, column, value, …)`, and `waits`
likewise pairs a histogram with a wait in milliseconds. Which thresholds a wait is counted under is
the pane's affair, not the contribution's: a pane keeps the thresholds it began with, and a change
of settings never leaves one half counted.
"""

from collections.abc import Sequence
from typing import Any, Final

from schemas.rows import AgentPaneRow, KpiPaneRow
from schemas.sketch import bin_of
from streams.fold.interaction import Interaction
from streams.fold.legs import Leg
from streams.fold.rules import FoldRules

PANE_MS: Final = 10_000
AGENT_PANE_MS: Final = 60_000

PaneKey = tuple[Any, ...]
"""Of a queue: tenant, queue, channel, direction, cohort, pane_at; of an agent: tenant, agent,
pane_at. `pane_at` in seconds since the epoch. Told apart by their length."""
Contribution = tuple[PaneKey, tuple[int, ...], tuple[int, ...]]

_HISTOGRAMS: Final = (
    "answered_within",
    "abandoned_within",
    "callback_within",
    "ended_within",
    "wait_bins",
)


def _counts_of(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(columns[columns.index("version") + 1 :])


QUEUE_COUNTS: Final = tuple(c for c in _counts_of(KpiPaneRow.columns()) if c not in _HISTOGRAMS)
AGENT_COUNTS: Final = _counts_of(AgentPaneRow.columns())

_Q: Final = {name: at for at, name in enumerate(QUEUE_COUNTS)}
_A: Final = {name: at for at, name in enumerate(AGENT_COUNTS)}
_BINS: Final = _HISTOGRAMS.index("wait_bins")
_EXIT_COUNT: Final = {
    "answered": _Q["answered"],
    "abandoned": _Q["abandoned"],
    "timed_out": _Q["timed_out"],
    "overflowed": _Q["overflowed"],
    "key_pressed": _Q["key_pressed"],
    "callback_accepted": _Q["callback_accepted"],
    "emptied": _Q["emptied"],
    "transferred": _Q["transferred_waiting"],
}
_WITHIN: Final = {"answered": 0, "abandoned": 1, "callback_accepted": 2}
_ENDED_WITHIN: Final = 3


class Pane:
    """The current absolute value of one pane.

    `generation` tells it from an earlier one of the same key that was already let go; `references`
    counts the interactions that contribute to it: while there are any it can change, and stays.
    """

    __slots__ = ("counts", "generation", "histograms", "references", "thresholds")

    def __init__(self, key: PaneKey, generation: int, thresholds: tuple[int, ...]) -> None:
        of_queue = is_of_queue(key)
        self.counts = [0] * len(QUEUE_COUNTS if of_queue else AGENT_COUNTS)
        self.generation = generation
        self.references = 0
        self.thresholds = thresholds
        self.histograms: list[dict[int, int]] = []
        if of_queue:
            self.histograms = [dict.fromkeys(thresholds, 0) for _ in range(_BINS)]
            self.histograms.append({})

    def add(self, contribution: Contribution, sign: int) -> None:
        """Add the contribution (`sign` 1) or take it back (-1)."""
        counts = self.counts
        sparse = contribution[1]
        for at in range(0, len(sparse), 2):
            counts[sparse[at]] += sign * sparse[at + 1]
        waits = contribution[2]
        for at in range(0, len(waits), 2):
            which, wait_ms = waits[at], waits[at + 1]
            histogram = self.histograms[which]
            if which == _BINS:
                index = bin_of(wait_ms)
                left = histogram.get(index, 0) + sign
                if left:
                    histogram[index] = left
                else:
                    del histogram[index]
                continue
            for threshold in self.thresholds:
                if wait_ms <= threshold:
                    histogram[threshold] += sign


def is_of_queue(key: PaneKey) -> bool:
    """Whether the pane is a queue's; else it is an agent's."""
    return len(key) == 6


def empty_pane(key: PaneKey, generation: int, rules: FoldRules) -> Pane:
    """A pane to which nothing was added yet."""
    return Pane(key, generation, rules.thresholds_of(key[1]) if is_of_queue(key) else ())


def contributions_of(known: Interaction, tenant: str, channel: str) -> tuple[Contribution, ...]:
    """Everything that one interaction adds to panes of queues and agents."""
    found: list[Contribution] = []
    for visit in known.visits:
        counts, waits = _visit_vector(visit)
        place = (tenant, visit.queue, channel, known.direction)
        found.append(((*place, "offered", _pane(visit.entered_at)), counts, waits))
        concluded_at = visit.concluded_at
        if concluded_at is not None:
            found.append(((*place, "ended", _pane(concluded_at)), counts, waits))
    for leg in known.legs:
        if leg.agent:
            found.extend(_agent_leg(leg, tenant, known.direction))
    for at, agent in known.misses:
        found.append(((tenant, agent, _minute(at)), (_A["missed"], 1), ()))
    for at, agent in known.outbound_attempts:
        if agent:
            found.append(((tenant, agent, _minute(at)), (_A["outbound_attempted"], 1), ()))
    return tuple(found)


def _visit_vector(visit: Leg) -> tuple[tuple[int, ...], tuple[int, ...]]:
    counts = [_Q["offered"], 1]
    waits: list[int] = []
    if visit.missed_rings:
        counts += (_Q["missed_rings"], visit.missed_rings)
    outcome = visit.outcome
    if not outcome:
        return tuple(counts), ()
    wait_ms = visit.wait_ms or 0
    counts += (_EXIT_COUNT[outcome], 1)
    within = _WITHIN.get(outcome)
    if within is not None:
        waits += (within, wait_ms)
    waits += (_BINS, wait_ms)
    if outcome == "answered":
        counts += (_Q["wait_answered_ms"], wait_ms)
    elif outcome == "abandoned":
        counts += (_Q["wait_abandoned_ms"], wait_ms)
    else:
        counts += (_Q["wait_exited_ms"], wait_ms)
    if visit.ring_ms is not None:
        counts += (_Q["ring_ms"], visit.ring_ms, _Q["rung"], 1)
    if outcome == "answered" and visit.ended_at is not None:
        counts += (_Q["ended"], 1, _Q["talk_ms"], visit.talk_ms or 0)
        waits += (_ENDED_WITHIN, wait_ms)
        if visit.transfer:
            counts += (_Q[f"transferred_{visit.transfer}"], 1)
    if visit.holds:
        counts += (_Q["hold_ms"], visit.hold_ms, _Q["held"], 1)
    if visit.wrapup_ms is not None:
        counts += (_Q["wrapup_ms"], visit.wrapup_ms, _Q["wrapped_up"], 1)
    return tuple(counts), tuple(waits)


def _agent_leg(leg: Leg, tenant: str, direction: str) -> list[Contribution]:
    found: list[Contribution] = []
    connected_at = leg.connected_at
    if connected_at is not None:
        counts = [_A["answered"], 1]
        if direction == "outbound":
            counts = [_A["outbound_connected"], 1]
        if leg.ring_ms is not None:
            counts += (_A["ring_ms"], leg.ring_ms)
        found.append(((tenant, leg.agent, _minute(connected_at)), tuple(counts), ()))
    concluded_at = leg.concluded_at
    if concluded_at is not None:
        counts = [_A["handled"], 1, _A["talk_ms"], leg.talk_ms or 0]
        if leg.hold_ms:
            counts += (_A["hold_ms"], leg.hold_ms)
        if leg.wrapup_ms is not None:
            counts += (_A["wrapup_ms"], leg.wrapup_ms)
        if leg.transfer:
            counts += (_A["transferred"], 1)
        found.append(((tenant, leg.agent, _minute(concluded_at)), tuple(counts), ()))
    return found


def state_contributions(
    tenant: str, agent: str, segments: Sequence[tuple[int, int, str]]
) -> list[Contribution]:
    """What stretches `(from_ms, to_ms, state)` add to an agent's minutes; time offline nothing."""
    found: list[Contribution] = []
    for begin, end, state in segments:
        if state == "offline":
            continue
        column = _A[f"state_{state}_ms"]
        at = begin
        while at < end:
            edge = min(end, at - at % AGENT_PANE_MS + AGENT_PANE_MS)
            found.append(((tenant, agent, _minute(at)), (column, edge - at), ()))
            at = edge
    return found


def pane_row(key: PaneKey, pane: Pane, position: tuple[str, int], version: int) -> tuple[Any, ...]:
    """The row of a queue's pane or an agent's; `position` is (log, source partition)."""
    head = (*key, *position, pane.generation, version, *pane.counts)
    if not pane.histograms:
        return head
    return (*head, *(dict(h) for h in pane.histograms))


def _pane(at_ms: int) -> int:
    return at_ms // PANE_MS * 10


def _minute(at_ms: int) -> int:
    return at_ms // AGENT_PANE_MS * 60
