"""Rolling windows over panes, kept up by adding and taking away. Pure.

A window holds the panes from `begin` on: the last ones that fit its length, the present one
included. The day's begins at midnight in the queue's time zone.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from schemas.live import QUANTILES, WINDOWS
from schemas.rows import QUEUE_PANE_SECONDS
from streams.monitor.rules import ServiceLevel, day_begin
from streams.monitor.vectors import (
    ABANDONED,
    ANSWERED,
    ANSWERED_IN_TARGET,
    FLOWED_OUT,
    OFFERED,
    WAIT_ANSWERED,
    WIDTH,
    Vector,
    met_and_counted,
    quantiles_ms,
    ratio,
)

Bins = Mapping[int, int]
InPane = Callable[[int, int], Iterable[tuple[Vector, Bins]]]
"""What lies in the panes from one instant (seconds) up to another."""
DAY: Final = "day"


class WindowValues(NamedTuple):
    """One window of a queue; times in milliseconds, None where there is nothing to divide by.

    `waits_ms` goes by `QUANTILES`.
    """

    offered: int
    answered: int
    abandoned: int
    flowed_out: int
    answered_in_target: int
    service_level: float | None
    abandonment: float | None
    speed_of_answer_ms: float | None
    waits_ms: tuple[float | None, ...]


class Window:
    """The sums of the panes from `begin` (seconds since the epoch) on."""

    __slots__ = ("_missed", "_rule", "_values", "begin", "bins", "name", "sums")

    def __init__(self, name: str, begin: int) -> None:
        self.name = name
        self.begin = begin
        self.sums = [0] * WIDTH
        self.bins: dict[int, int] = {}
        self._values: WindowValues | None = None
        """What `values` gave last, for `_rule` and `_missed`, where nothing was added since."""
        self._rule: ServiceLevel | None = None
        self._missed = 0

    def values(self, rule: ServiceLevel, missed: int) -> WindowValues:
        """What the sums say; `missed` still wait past the target, and count as missed already.

        That is Cisco's service-level event: whatever follows, they have missed it.
        """
        # A queue is looked at three times a second, and in most windows of most queues nothing has
        # changed since.
        known = self._values
        if known is not None and rule is self._rule and missed == self._missed:
            return known
        sums = self.sums
        met, counted = met_and_counted(sums, rule)
        known = WindowValues(
            sums[OFFERED],
            sums[ANSWERED],
            sums[ABANDONED],
            sums[FLOWED_OUT],
            sums[ANSWERED_IN_TARGET],
            ratio(met, counted + missed),
            ratio(sums[ABANDONED], sums[OFFERED]),
            ratio(sums[WAIT_ANSWERED], sums[ANSWERED]),
            quantiles_ms(self.bins, QUANTILES),
        )
        self._values, self._rule, self._missed = known, rule, missed
        return known

    def add(self, vector: Vector, bins: Bins, sign: int) -> None:
        """Add what lies in a pane of the window (`sign` 1), or take it away (-1)."""
        self._values = None
        sums = self.sums
        for at, n in enumerate(vector):
            if n:
                sums[at] += sign * n
        own = self.bins
        for index, n in bins.items():
            left = own.get(index, 0) + sign * n
            if left:
                own[index] = left
            else:
                own.pop(index, None)

    def advance(self, begin: int, between: InPane) -> None:
        """Let the window begin later, without what lay before."""
        if begin > self.begin:
            for vector, bins in between(self.begin, begin):
                self.add(vector, bins, -1)
            self.begin = begin


def slot(now_ms: int) -> int:
    """Number of the pane of an instant: no window begins anew while it stays the same."""
    return now_ms // (QUEUE_PANE_SECONDS * 1000)


def begins_at(name: str, now_ms: int, timezone: str) -> int:
    """Where a window begins, in seconds since the epoch."""
    if name == DAY:
        return day_begin(now_ms, timezone)
    now = now_ms // 1000
    return now - now % QUEUE_PANE_SECONDS - WINDOWS[name] + QUEUE_PANE_SECONDS
