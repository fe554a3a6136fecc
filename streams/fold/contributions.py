"""What interactions and agents' states contribute to panes. Pure.

Each contribution follows from what is known alone, so what an interaction contributed before can be
told from what it contributes now, and taken back.
"""

from collections.abc import Sequence
from typing import Final

from schemas.rows import AGENT_PANE_SECONDS, QUEUE_PANE_SECONDS
from streams.fold import conversation_panes
from streams.fold.conversation import Conversation
from streams.fold.facts import (
    AUTOMATIC_MESSAGE,
    CALLBACK,
    HOLD_STARTED,
    IVR,
    OFFERED,
    OTHER,
)
from streams.fold.known import Interaction
from streams.fold.legs import Leg
from streams.fold.panes import AGENT_COUNTS, HISTOGRAMS, QUEUE_COUNTS, Contribution

PANE_MS: Final = QUEUE_PANE_SECONDS * 1000
AGENT_PANE_MS: Final = AGENT_PANE_SECONDS * 1000

_Q: Final = {name: at for at, name in enumerate(QUEUE_COUNTS)}
_A: Final = {name: at for at, name in enumerate(AGENT_COUNTS)}
_BINS: Final = HISTOGRAMS.index("wait_bins")
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

# Column numbers, for the two functions that run at every event.
_ENDED: Final = _Q["ended"]
_HELD: Final = _Q["held"]
_HOLD_MS: Final = _Q["hold_ms"]
_MISSED_RINGS: Final = _Q["missed_rings"]
_OFFERED: Final = _Q["offered"]
_RING_MS: Final = _Q["ring_ms"]
_RUNG: Final = _Q["rung"]
_TALK_MS: Final = _Q["talk_ms"]
_WAIT_ABANDONED_MS: Final = _Q["wait_abandoned_ms"]
_WAIT_ANSWERED_MS: Final = _Q["wait_answered_ms"]
_WAIT_EXITED_MS: Final = _Q["wait_exited_ms"]
_WRAPPED_UP: Final = _Q["wrapped_up"]
_WRAPUP_MS: Final = _Q["wrapup_ms"]
_AGENT_ANSWERED: Final = _A["answered"]
_AGENT_HANDLED: Final = _A["handled"]
_AGENT_HOLD_MS: Final = _A["hold_ms"]
_AGENT_MISSED: Final = _A["missed"]
_AGENT_OUTBOUND_ATTEMPTED: Final = _A["outbound_attempted"]
_AGENT_OUTBOUND_CONNECTED: Final = _A["outbound_connected"]
_AGENT_RING_MS: Final = _A["ring_ms"]
_AGENT_TALK_MS: Final = _A["talk_ms"]
_AGENT_TRANSFERRED: Final = _A["transferred"]
_AGENT_WRAPUP_MS: Final = _A["wrapup_ms"]
_ONE_MISSED: Final = (_AGENT_MISSED, 1)
_ONE_ATTEMPTED: Final = (_AGENT_OUTBOUND_ATTEMPTED, 1)

QUIET: Final = frozenset({IVR, OFFERED, HOLD_STARTED, AUTOMATIC_MESSAGE, CALLBACK, OTHER})
"""Kinds of facts that, coming after all others, change nothing that is contributed."""


def contributions_of(known: Interaction, tenant: str, channel: str) -> list[Contribution]:
    """Everything that one interaction adds to panes of queues and agents."""
    found: list[Contribution] = []
    direction = known.direction
    for visit in known.visits:
        counts, waits = _visit_vector(visit)
        queue, pane_at = visit.queue, _pane(visit.entered_at)
        key = (tenant, queue, channel, direction, "offered", pane_at)
        found.append(Contribution(key, counts, waits))
        concluded_at = visit.concluded_at
        if concluded_at is not None:
            key = (tenant, queue, channel, direction, "ended", _pane(concluded_at))
            found.append(Contribution(key, counts, waits))
    for leg in known.legs:
        if leg.agent:
            _add_agent_leg(found, leg, tenant, direction)
    for at, agent in known.misses:
        found.append(Contribution((tenant, agent, _agent_pane(at)), _ONE_MISSED))
    for at, agent in known.outbound_attempts:
        if agent:
            found.append(Contribution((tenant, agent, _agent_pane(at)), _ONE_ATTEMPTED))
    talk = known.conversation
    if talk is not None:
        _add_conversation(found, talk, (tenant, channel, direction), known.started_at)
    return found


def _add_conversation(
    found: list[Contribution], talk: Conversation, place: tuple[str, str, str], started_at: int
) -> None:
    made = talk.contributed
    for key, counts, waits in conversation_panes.of_responses(talk, place, len(made)):
        made.append(Contribution(key, counts, waits))
    found.extend(made)
    for key, counts, waits in conversation_panes.of_resolutions(talk, place, started_at):
        found.append(Contribution(key, counts, waits))


def _visit_vector(visit: Leg) -> tuple[tuple[int, ...], tuple[int, ...]]:
    counts = [_OFFERED, 1]
    waits: list[int] = []
    if visit.missed_rings:
        _put(counts, _MISSED_RINGS, visit.missed_rings)
    outcome = visit.outcome
    if not outcome:
        return tuple(counts), ()
    wait_ms = visit.wait_ms or 0
    _put(counts, _EXIT_COUNT[outcome], 1)
    within = _WITHIN.get(outcome)
    if within is not None:
        _put(waits, within, wait_ms)
    _put(waits, _BINS, wait_ms)
    if outcome == "answered":
        _put(counts, _WAIT_ANSWERED_MS, wait_ms)
    elif outcome == "abandoned":
        _put(counts, _WAIT_ABANDONED_MS, wait_ms)
    else:
        _put(counts, _WAIT_EXITED_MS, wait_ms)
    if visit.ring_ms is not None:
        _put(counts, _RING_MS, visit.ring_ms)
        _put(counts, _RUNG, 1)
    if outcome == "answered" and visit.ended_at is not None:
        _put(counts, _ENDED, 1)
        _put(counts, _TALK_MS, visit.talk_ms or 0)
        _put(waits, _ENDED_WITHIN, wait_ms)
        if visit.transfer:
            _put(counts, _Q[f"transferred_{visit.transfer}"], 1)
    if visit.holds:
        _put(counts, _HOLD_MS, visit.hold_ms)
        _put(counts, _HELD, 1)
    if visit.wrapup_ms is not None:
        _put(counts, _WRAPUP_MS, visit.wrapup_ms)
        _put(counts, _WRAPPED_UP, 1)
    return tuple(counts), tuple(waits)


def _put(vector: list[int], column: int, value: int) -> None:
    vector.append(column)
    vector.append(value)


def _add_agent_leg(found: list[Contribution], leg: Leg, tenant: str, direction: str) -> None:
    connected_at = leg.connected_at
    if connected_at is not None:
        counts = [_AGENT_OUTBOUND_CONNECTED if direction == "outbound" else _AGENT_ANSWERED, 1]
        if leg.ring_ms is not None:
            _put(counts, _AGENT_RING_MS, leg.ring_ms)
        key = (tenant, leg.agent, _agent_pane(connected_at))
        found.append(Contribution(key, tuple(counts)))
    concluded_at = leg.concluded_at
    if concluded_at is not None:
        counts = [_AGENT_HANDLED, 1, _AGENT_TALK_MS, leg.talk_ms or 0]
        if leg.hold_ms:
            _put(counts, _AGENT_HOLD_MS, leg.hold_ms)
        if leg.wrapup_ms is not None:
            _put(counts, _AGENT_WRAPUP_MS, leg.wrapup_ms)
        if leg.transfer:
            _put(counts, _AGENT_TRANSFERRED, 1)
        key = (tenant, leg.agent, _agent_pane(concluded_at))
        found.append(Contribution(key, tuple(counts)))


def state_contributions(
    tenant: str, agent: str, segments: Sequence[tuple[int, int, str]]
) -> list[Contribution]:
    """What stretches `(from_ms, to_ms, state)` add to an agent's panes; time offline nothing."""
    found: list[Contribution] = []
    for begin, end, state in segments:
        if state == "offline":
            continue
        column = _A[f"state_{state}_ms"]
        at = begin
        while at < end:
            edge = min(end, at - at % AGENT_PANE_MS + AGENT_PANE_MS)
            key = (tenant, agent, _agent_pane(at))
            found.append(Contribution(key, (column, edge - at)))
            at = edge
    return found


def _pane(at_ms: int) -> int:
    return at_ms // PANE_MS * QUEUE_PANE_SECONDS


def _agent_pane(at_ms: int) -> int:
    return at_ms // AGENT_PANE_MS * AGENT_PANE_SECONDS
