"""What is to be let go at which minute of event time. Pure.

One heap a clock: interactions go by the clock of their source, panes by that of their partition. An
item may be expected again at another minute; it comes up once, at the earliest expected one.
"""

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)

MINUTE_MS = 60_000


def minute_of(at_ms: int) -> int:
    """The minute in which an instant lies."""
    return at_ms // MINUTE_MS


class Expiry(Generic[Item]):
    """Items by the minute at which each comes up."""

    def __init__(self) -> None:
        self._heaps: dict[str, list[tuple[int, int, Item]]] = {}
        self._expected: dict[Item, int] = {}
        self._entries = 0

    def expect(self, clock: str, item: Item, minute: int) -> None:
        """Let `item` come up at `minute`, unless it is expected earlier already."""
        expected = self._expected.get(item)
        if expected is not None and expected <= minute:
            return
        self._expected[item] = minute
        self._entries += 1
        # The running number keeps the heap from comparing items of different shapes.
        heapq.heappush(self._heaps.setdefault(clock, []), (minute, self._entries, item))

    def due(self, clock: str, minute: int) -> Iterator[Item]:
        """Every item expected at `minute` of `clock` or before; each is expected no more."""
        heap = self._heaps.get(clock)
        while heap and heap[0][0] <= minute:
            expected, _, item = heapq.heappop(heap)
            if self._expected.get(item) == expected:
                del self._expected[item]
                yield item
