"""Whether this worker works, and if not, why: what it waits for, and which partitions stand still.

Pure but for the clock that it is given. `waits` and `answered` may be called from any thread, the
rest from one.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from faust.types import TP

GRACE_SECONDS: Final = 5.0
"""How long a part may fail before that is worth telling: a single retry is not."""

REMIND_SECONDS: Final = 30.0
"""How often the same trouble is told again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that does not answer: since when (on the health's clock), and its words."""

    since: float
    words: str
    told_at: float


@dataclass(slots=True)
class _Still:
    """A partition at `position` since `since`; its log went on to `end` at `behind_since`."""

    position: int
    since: float
    behind_since: float | None = None
    end: int = 0
    nudged: bool = False
    stalled: bool = False


class Health:
    """See the module's docstring.

    Args:
        stall_seconds: how long a partition may stand still while its log has more.
        now: a clock that never goes back, in seconds.
    """

    def __init__(self, stall_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.stall_seconds = stall_seconds
        self._now = now
        self._waiting: dict[str, Waiting] = {}
        self._still: dict[TP, _Still] = {}

    def waits(self, part: str, error: object) -> bool:
        """`part` failed with `error`, and is tried again. Returns whether that is worth telling."""
        now, words = self._now(), str(error)
        before = self._waiting.get(part)
        tell = before is None or now - before.told_at >= REMIND_SECONDS
        since = now if before is None else before.since
        told_at = now if before is None or tell else before.told_at
        self._waiting[part] = Waiting(since, words, told_at)
        return tell

    def answered(self, part: str) -> None:
        """`part` did what was asked."""
        self._waiting.pop(part, None)

    def waiting(self, *, longer_than: float = 0.0) -> str:
        """What is waited for, and for how long by now; "" if nothing."""
        now = self._now()
        return "; ".join(
            f"waiting for {part} for {now - found.since:.0f} s: {found.words}"
            for part, found in list(self._waiting.items())
            if now - found.since >= longer_than
        )

    def observe(
        self,
        positions: Mapping[TP, int],
        fetched: Mapping[TP, tuple[int, int]],
        *,
        excused: bool,
    ) -> list[TP]:
        """Take note of how far each held partition is; which ones should be read again.

        A partition stands still when its position stays although its log has more. After half of
        the time it should be read again from its position: that mends whatever was lost on the way.
        After all of it, it is stalled if that did not help: either the log went on growing, or the
        consumer itself did not get to its end. (What lies between, if it did, are markers of
        transactions: nothing that could be read.)

        Args:
            positions: next offset of each partition.
            fetched: offset to be fetched next, and the log's end, of each partition; of one that
                is missing nothing is known.
            excused: positions stay for another reason, such as a store that is away.
        """
        now = self._now()
        for gone in self._still.keys() - positions.keys():
            del self._still[gone]
        to_nudge = []
        for tp, position in positions.items():
            reached, end = fetched.get(tp, (position, position))
            still = self._still.get(tp)
            if still is None or excused or still.position != position:
                self._still[tp] = still = _Still(position, now)
            if end <= position:
                continue
            if still.behind_since is None:
                still.behind_since, still.end = now, end
            for_seconds = now - still.behind_since
            if not still.nudged and for_seconds >= self.stall_seconds / 2:
                still.nudged = True
                to_nudge.append(tp)
            still.stalled = for_seconds >= self.stall_seconds and (end > still.end or reached < end)
        return to_nudge

    def quiet(self) -> list[TP]:
        """Partitions that have not moved for half the time: is there really no more in them?"""
        limit = self._now() - self.stall_seconds / 2
        return [tp for tp, still in self._still.items() if still.since <= limit]

    def stalled(self) -> str:
        """Which partitions are stalled, and where; "" if none is."""
        now = self._now()
        return "; ".join(
            f"{tp.topic}[{tp.partition}] has stood still at offset {still.position} for"
            f" {now - still.since:.0f} s, though its log goes on: a restart takes over from its"
            " checkpoint"
            for tp, still in self._still.items()
            if still.stalled
        )
