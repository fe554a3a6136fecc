"""Panes: how what interactions contribute is added to them and taken back. Pure.

A contribution is invertible and made of integers, so that the sum over any interactions, in any
order, with any corrections between, is the same. Which thresholds a wait is counted under is the
pane's affair, not the contribution's: a pane keeps the thresholds it began with, and a change of
settings never leaves one half counted.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw
from mypy_extensions import mypyc_attr

from schemas.rows import (
    AgentPaneRow,
    ConversationPaneRow,
    KpiPaneRow,
    Row,
)
from schemas.sketch import bin_of
from streams.fold import conversation_panes
from streams.fold.conversation_panes import FIRST_SKETCH, SKETCH_SPAN, sketches_of
from streams.fold.rules import FoldRules

PaneKey = tuple[Any, ...]
"""Of a queue: tenant, queue, channel, direction, cohort, pane_at; of its conversations the same
without cohort; of an agent: tenant, agent, pane_at. `pane_at` in seconds since the epoch. Told
apart by their length."""
SavedPane = tuple[PaneKey, int, int, tuple[int, ...], list[int], dict[int, int]]
"""key, generation, references, thresholds, counts, bins"""
SavedHead = tuple[PaneKey, int, int, tuple[int, ...], Raw, Raw]
"""The same, read without counts and bins."""
SavedContribution = tuple[PaneKey, tuple[int, ...], tuple[int, ...]]
"""key, counts, waits"""

HISTOGRAMS: Final = (
    "answered_within",
    "abandoned_within",
    "callback_within",
    "ended_within",
    "wait_bins",
)


def _counts_of(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(columns[columns.index("version") + 1 :])


QUEUE_COUNTS: Final = tuple(c for c in _counts_of(KpiPaneRow.columns()) if c not in HISTOGRAMS)
AGENT_COUNTS: Final = _counts_of(AgentPaneRow.columns())

_Q: Final = {name: at for at, name in enumerate(QUEUE_COUNTS)}
_BINS: Final = HISTOGRAMS.index("wait_bins")
_WHOLE: Final = (_Q["answered"], _Q["abandoned"], _Q["callback_accepted"], _Q["ended"])
"""By histogram, the column that counts all of its waits."""
_QUEUE_WIDTH: Final = len(QUEUE_COUNTS)
_WIDTH: Final = {3: len(AGENT_COUNTS), 5: len(conversation_panes.COUNTS)}
_TABLES: Final[dict[int, type[Row]]] = {3: AgentPaneRow, 5: ConversationPaneRow, 6: KpiPaneRow}

_decoder: Final = msgspec.msgpack.Decoder(SavedPane)
_NO_COUNTS: Final[list[int]] = []
_NO_BINS: Final[dict[int, int]] = {}
"""In place of those of packed panes, which are made anew before anybody sees them."""


@mypyc_attr(acyclic=True)
class Pane:
    """The current absolute value of one pane.

    `counts` has the columns of `QUEUE_COUNTS` or `AGENT_COUNTS`; in a queue's, the waits within
    each of `thresholds` follow, for one histogram after the other. `bins` are those of the sketch.
    `generation` tells it from an earlier one of the same key that was already let go; `references`
    counts the interactions that contribute to it: while there are any it can change, and stays.
    `changed` says that its row is not written as it is now, `expected` that it is to be let go at
    its minute unless something contributes to it then, `told` that stage 2 was told of it as it is,
    `listed` that this named contacts that were still open; `named` counts those named since
    it named all of them, and is negative until it does. `saved` is its saved form, or empty once it
    changed.

    A contact that does not end keeps its panes for a month, and few have many contacts. So of a
    pane that rests counts and bins are kept as they were saved, until they are asked for; that it
    is released by a contact does not ask for them.
    """

    __slots__ = (
        "_bins",
        "_counts",
        "_packed",
        "_references",
        "changed",
        "expected",
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
        self._counts: list[int] = [0] * width
        self._bins: dict[int, int] = {}
        self._packed = b""
        self.generation = generation
        self._references = 0
        self.saved = b""
        self.thresholds = thresholds
        self.changed = False
        self.expected = False
        self.listed = False
        self.named = -1
        self.told = True

    @property
    def counts(self) -> list[int]:
        """What is counted, by column."""
        if self._packed:
            self._unpack()
        return self._counts

    @property
    def bins(self) -> dict[int, int]:
        """Waits of the sketch, by bin."""
        if self._packed:
            self._unpack()
        return self._bins

    @property
    def references(self) -> int:
        """How many interactions contribute to it."""
        return self._references

    @references.setter
    def references(self, references: int) -> None:
        self._references = references
        self.saved = b""

    def restored(self, saved: bytes, references: int) -> None:
        """Nothing is known of it but this saved form."""
        self._references = references
        self.saved = saved
        self.pack()

    def pack(self) -> None:
        """Keep counts and bins as they were saved, if nothing changed since."""
        if self.saved and not self._packed:
            self._packed = self.saved
            self._counts = _NO_COUNTS
            self._bins = _NO_BINS

    def _unpack(self) -> None:
        saved: SavedPane = _decoder.decode(self._packed)
        self._counts = saved[4]
        self._bins = saved[5]
        self._packed = b""

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
            bins = self.bins
            left = bins.get(index, 0) + sign
            if left:
                bins[index] = left
            else:
                del bins[index]
            return
        thresholds, counts = self.thresholds, self.counts
        column = _QUEUE_WIDTH + which * len(thresholds)
        for threshold in thresholds:
            if wait_ms <= threshold:
                counts[column] += sign
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
