"""Panes: what interactions contribute to them, and how that is added and taken back. Pure.

A contribution is invertible and made of integers, so that the sum over any interactions, in any
order, with any corrections between, is the same. Which thresholds a wait is counted under is the
pane's affair, not the contribution's: a pane keeps the thresholds it began with, and a change of
settings never leaves one half counted.
"""

from collections.abc import Sequence
from typing import Any, Final

from mypy_extensions import mypyc_attr

from schemas.rows import (
    AGENT_PANE_SECONDS,
    QUEUE_PANE_SECONDS,
    AgentPaneRow,
    ConversationPaneRow,
    KpiPaneRow,
    Row,
)
from schemas.sketch import bin_of
from streams.fold import conversation_panes
from streams.fold.conversation import Conversation
from streams.fold.conversation_panes import FIRST_SKETCH, SKETCH_SPAN, sketches_of
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
from streams.fold.rules import FoldRules

PANE_MS: Final = QUEUE_PANE_SECONDS * 1000
AGENT_PANE_MS: Final = AGENT_PANE_SECONDS * 1000

PaneKey = tuple[Any, ...]
"""Of a queue: tenant, queue, channel, direction, cohort, pane_at; of its conversations the same
without cohort; of an agent: tenant, agent, pane_at. `pane_at` in seconds since the epoch. Told
apart by their length."""
SavedPane = tuple[PaneKey, int, int, tuple[int, ...], list[int], dict[int, int]]
"""key, generation, references, thresholds, counts, bins"""
SavedContribution = tuple[PaneKey, tuple[int, ...], tuple[int, ...]]
"""key, counts, waits"""

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
_WHOLE: Final = (_Q["answered"], _Q["abandoned"], _Q["callback_accepted"], _Q["ended"])
"""By histogram, the column that counts all of its waits."""
_ENDED_WITHIN: Final = 3
_QUEUE_WIDTH: Final = len(QUEUE_COUNTS)
_WIDTH: Final = {3: len(AGENT_COUNTS), 5: len(conversation_panes.COUNTS)}
_TABLES: Final[dict[int, type[Row]]] = {3: AgentPaneRow, 5: ConversationPaneRow, 6: KpiPaneRow}

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


@mypyc_attr(acyclic=True)
class Pane:
    """The current absolute value of one pane.

    `counts` has the columns of `QUEUE_COUNTS` or `AGENT_COUNTS`; in a queue's, the waits within
    each of `thresholds` follow, for one histogram after the other. `bins` are those of the sketch.
    `generation` tells it from an earlier one of the same key that was already let go; `references`
    counts the interactions that contribute to it: while there are any it can change, and stays.
    `changed` says that its row is not written as it is now, `told` that stage 2 was told of it as
    it is, `listed` that this named contacts that were still open; `named` counts those named since
    it named all of them, and is negative until it does. `saved` is its saved form, or empty once it
    changed.
    """

    __slots__ = (
        "_references",
        "bins",
        "changed",
        "counts",
        "generation",
        "key",
        "listed",
        "named",
        "saved",
        "thresholds",
        "told",
    )

    def __init__(
        self, key: PaneKey, generation: int, thresholds: tuple[int, ...], width: int
    ) -> None:
        self.key = key
        self.counts: list[int] = [0] * width
        self.bins: dict[int, int] = {}
        self.generation = generation
        self._references = 0
        self.saved = b""
        self.thresholds = thresholds
        self.changed = False
        self.listed = False
        self.named = -1
        self.told = True

    @property
    def references(self) -> int:
        """How many interactions contribute to it."""
        return self._references

    @references.setter
    def references(self, references: int) -> None:
        self._references = references
        self.saved = b""

    def add(self, contribution: "Contribution", sign: int) -> None:
        """Add the contribution (`sign` 1) or take it back (-1)."""
        self.saved = b""
        self._add_counts(contribution.counts, sign)
        self._add_waits(contribution.waits, sign)

    def replace(self, old: "Contribution", new: "Contribution") -> None:
        """Take the one back and add the other: most often they have the same waits."""
        self.saved = b""
        before, after = old.counts, new.counts
        # Counts come in one order, so most often the one goes on where the other ends.
        together = min(len(before), len(after))
        same = 0
        while same < together and before[same] == after[same]:
            same += 1
        same -= same % 2
        self._add_counts(before, -1, same)
        self._add_counts(after, 1, same)
        if old.waits != new.waits:
            self._add_waits(old.waits, -1)
            self._add_waits(new.waits, 1)

    def _add_counts(self, vector: tuple[int, ...], sign: int, begin: int = 0) -> None:
        counts = self.counts
        for at in range(begin, len(vector), 2):
            column = vector[at]
            counts[column] += sign * vector[at + 1]

    def _add_waits(self, waits: tuple[int, ...], sign: int) -> None:
        for at in range(0, len(waits), 2):
            self._add_wait(waits[at], waits[at + 1], sign)

    def _add_wait(self, which: int, wait_ms: int, sign: int) -> None:
        if which >= FIRST_SKETCH:
            index = bin_of(wait_ms) + (which - FIRST_SKETCH) * SKETCH_SPAN
            left = self.bins.get(index, 0) + sign
            if left:
                self.bins[index] = left
            else:
                del self.bins[index]
            return
        thresholds = self.thresholds
        column = _QUEUE_WIDTH + which * len(thresholds)
        for threshold in thresholds:
            if wait_ms <= threshold:
                self.counts[column] += sign
            column += 1

    def save(self) -> SavedPane:
        """What makes the pane again."""
        references = self._references
        return (self.key, self.generation, references, self.thresholds, self.counts, self.bins)

    def within(self, which: int) -> dict[int, int]:
        """By threshold, how many waits kept it; `which` numbers the histogram.

        Empty where the pane counts no such wait at all: who reads it knows that none is within.
        """
        thresholds, counts = self.thresholds, self.counts
        first = _QUEUE_WIDTH + which * len(thresholds)
        found: dict[int, int] = {}
        # One taken back and one added leave no wait, and may have moved across a threshold.
        some = counts[_WHOLE[which]] != 0
        for at in range(first, first + len(thresholds)):
            some = some or counts[at] != 0
        if some:
            for threshold in thresholds:
                found[threshold] = counts[first]
                first += 1
        return found


@mypyc_attr(acyclic=True)
class Contribution:
    """What one interaction or one stretch of an agent's time adds to one pane; never changed.

    `key` names the pane, `counts` is a sparse vector `(column, value, column, value, …)`, and
    `waits` likewise pairs a histogram with a wait in milliseconds. `pane` is the pane that holds
    it, as long as it holds it.
    """

    __slots__ = ("counts", "key", "pane", "waits")

    def __init__(self, key: PaneKey, counts: tuple[int, ...], waits: tuple[int, ...] = ()) -> None:
        self.key = key
        self.counts = counts
        self.waits = waits
        self.pane: Pane | None = None

    def equals(self, other: "Contribution") -> bool:
        """Whether the two add the same to the same pane."""
        return self.counts == other.counts and self.key == other.key and self.waits == other.waits

    def save(self) -> SavedContribution:
        """What makes the contribution again: `Contribution(*saved)`."""
        return (self.key, self.counts, self.waits)


def table_of(key: PaneKey) -> type[Row]:
    """The table that the pane's row goes to."""
    return _TABLES[len(key)]


def empty_pane(key: PaneKey, generation: int, rules: FoldRules) -> Pane:
    """A pane to which nothing was added yet."""
    if len(key) != 6:
        return Pane(key, generation, (), _WIDTH[len(key)])
    thresholds = rules.thresholds_of(key[1])
    return Pane(key, generation, thresholds, _QUEUE_WIDTH + _BINS * len(thresholds))


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


def pane_row(pane: Pane, position: tuple[str, int], version: int) -> tuple[Any, ...]:
    """The row of `table_of(pane.key)`; `position` is (log, source partition)."""
    key = pane.key
    if len(key) == 3:
        return (*key, *position, pane.generation, version, *pane.counts)
    if len(key) == 5:
        head = (*key, *position, pane.generation, version)
        return (*head, *pane.counts, *sketches_of(pane.bins))
    return (
        *key,
        *position,
        pane.generation,
        version,
        *pane.counts[:_QUEUE_WIDTH],
        pane.within(0),
        pane.within(1),
        pane.within(2),
        pane.within(3),
        pane.bins.copy(),
    )


def _pane(at_ms: int) -> int:
    return at_ms // PANE_MS * QUEUE_PANE_SECONDS


def _agent_pane(at_ms: int) -> int:
    return at_ms // AGENT_PANE_MS * AGENT_PANE_SECONDS
