"""Panes of written conversations: what an interaction contributes to them, and their rows. Pure.

Each figure counts where and when it happened: a response in the queue and the ten seconds in which
it was written, a resolution in those in which the contact was solved. What responses contribute is
kept with them, because a thread may have hundreds and only the last is new.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.rows import QUEUE_PANE_SECONDS, ConversationPaneRow
from streams.fold.conversation import Conversation

_COLUMNS: Final = ConversationPaneRow.columns()
_BINS: Final = tuple(name for name in _COLUMNS if name.endswith("_bins"))
COUNTS: Final = tuple(
    name for name in _COLUMNS[_COLUMNS.index("version") + 1 :] if name not in _BINS
)
_C: Final = {name: at for at, name in enumerate(COUNTS)}
_FIRST_RESPONSES: Final = _C["first_responses"]
_FIRST_RESPONSE_MS: Final = _C["first_response_ms"]
_REPLIES: Final = _C["replies"]
_REPLY_MS: Final = _C["reply_ms"]
Place = tuple[str, str, str]
"""tenant, channel, direction"""
Vector = tuple[tuple[Any, ...], tuple[int, ...], tuple[int, ...]]
"""The key of a pane, counts and durations, as in `streams.fold.panes.Contribution`."""

_PANE_MS: Final = QUEUE_PANE_SECONDS * 1000

FIRST_SKETCH: Final = 4
"""Number of the first sketch among the histograms of contributions; `streams.fold.panes` has the
others."""
_FIRST_RESPONSE_BINS: Final = FIRST_SKETCH + _BINS.index("first_response_bins")
_REPLY_BINS: Final = FIRST_SKETCH + _BINS.index("reply_bins")
SKETCH_SPAN: Final = 4096
"""Bins of all sketches lie in one map, those of each after the other's; at 1 % accuracy, the 4096th
bin is some 10^24 years."""


def of_responses(talk: Conversation, place: Place, first: int) -> Iterator[Vector]:
    """What its responses contribute, from that number on."""
    tenant, channel, direction = place
    for at, queue, _, first_ms, reply_ms in talk.responses[first:]:
        counts: tuple[int, ...] = ()
        sketches: tuple[int, ...] = ()
        if first_ms is not None:
            counts = (_FIRST_RESPONSES, 1, _FIRST_RESPONSE_MS, first_ms)
            sketches = (_FIRST_RESPONSE_BINS, first_ms)
        if reply_ms is not None:
            counts += (_REPLIES, 1, _REPLY_MS, reply_ms)
            sketches += (_REPLY_BINS, reply_ms)
        yield (tenant, queue, channel, direction, _pane(at)), counts, sketches


def of_resolutions(talk: Conversation, place: Place, started_at: int) -> Iterator[Vector]:
    """What its first solution and its last contribute."""
    if not talk.solved:
        return
    tenant, channel, direction = place
    for which, (at, queue, _) in (("first", talk.solved[0]), ("full", talk.solved[-1])):
        passed = at - started_at
        counts = (_C[f"{which}_resolutions"], 1, _C[f"{which}_resolution_ms"], passed)
        sketches = (FIRST_SKETCH + _BINS.index(f"{which}_resolution_bins"), passed)
        yield (tenant, queue, channel, direction, _pane(at)), counts, sketches


def sketches_of(bins: Mapping[int, int]) -> tuple[dict[int, int], ...]:
    """The sketches that lie in one map, by bin, in the order of the row's columns."""
    found: tuple[dict[int, int], ...] = tuple({} for _ in _BINS)
    for index, count in bins.items():
        which, in_sketch = divmod(index + 1, SKETCH_SPAN)
        found[which][in_sketch - 1] = count
    return found


def _pane(at_ms: int) -> int:
    return at_ms // _PANE_MS * QUEUE_PANE_SECONDS
