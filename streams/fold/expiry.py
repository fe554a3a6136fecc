"""What is to be let go at which minute of event time. Pure.

Interactions go by the clock of their source, panes by that of their partition. An item comes up at
each minute at which it was expected: whoever lets it go asks whether it is still due, and expects
it again where it is not.
"""

import heapq
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)

MINUTE_SECONDS: Final = 60
MINUTE_MS: Final = 60_000
_push: Final[Callable[[list[int], int], None]] = heapq.heappush
_pop: Final[Callable[[list[int]], int]] = heapq.heappop


def minute_of(at_ms: int) -> int:
    """The minute in which an instant lies."""
    return at_ms // MINUTE_MS


class Expiry(Generic[Item]):
    """Items of one clock by the minute at which each comes up."""

    def __init__(self) -> None:
        self._minutes: list[int] = []
        self._items: dict[int, list[Item]] = {}

    def __len__(self) -> int:
        """How many items are expected, each as often as it is."""
        return sum([len(together) for together in self._items.values()])

    def expect(self, item: Item, minute: int) -> None:
        """Let `item` come up at `minute`."""
        together = self._items.get(minute)
        if together is None:
            _push(self._minutes, minute)
            self._items[minute] = [item]
        else:
            together.append(item)

    def due(self, minute: int) -> list[Item]:
        """Every item expected at `minute` or before, each as often as it was."""
        found: list[Item] = []
        while self._minutes and self._minutes[0] <= minute:
            found += self._items.pop(_pop(self._minutes))
        return found
