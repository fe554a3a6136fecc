"""Which partitions' checkpoints a block ends with, and when there are any. Pure; the time is given.

Serialising states stops everything else, and takes as long as they are large. So once a round over
all partitions is due they are serialised ahead, slice by slice, and a block takes a state of which
little is left. The round is spread over as many blocks as it needs, and what follows is a rest.
"""

import math
from collections.abc import Collection
from typing import Final

from faust.types import TP

from streams.blocks import Block, Pace

REST: Final = 49.0
"""A round is followed by so many times the processor time of serialising: at most a fiftieth of a
worker. By the clock it would be more where others use the machine, and rounds the rarer."""
LONGEST_REST_SECONDS: Final = 60.0
"""What a crash costs is replayed; `SwitchboardCheckpointOld` waits for two minutes."""
AT_ONCE_SECONDS: Final = 0.25
"""After so long serialising goes on with the next block: queues are told of between."""
SLICE: Final = 2_000
"""So many contacts are serialised ahead at once: some twenty milliseconds."""
LITTLE: Final = 5_000
"""A state of which no more is left goes with the next block."""
LONGEST_AHEAD_SECONDS: Final = 20.0
"""So does any after so long: with a backlog, contacts change as fast as they are serialised."""


class CheckpointRounds:
    """Rounds of checkpoints; `now` is always in seconds of one monotonic clock."""

    def __init__(self, pace: Pace, now: float) -> None:
        self._pace = pace
        self._due_at = now + pace.checkpoint_seconds
        self._rests_until = now
        self._events = 0
        self._uncovered: list[TP] = []
        self._began_at = now
        self._took = 0.0

    def applied(self, events: int) -> None:
        """So many events were applied."""
        self._events += events

    def wanted(
        self, held: Collection[TP], now: float, *, everything: bool
    ) -> tuple[list[TP], float]:
        """The partitions whose states the next block is to end with, and within how many seconds.

        `everything` is to be covered where a worker gives up partitions, or ends.
        """
        self._uncovered = [tp for tp in self._uncovered if tp in held]
        due = now >= self._due_at or self._events >= self._pace.checkpoint_events
        if everything or (not self._uncovered and due and now >= self._rests_until):
            self._uncovered = list(held)
            self._began_at = now
            self._took = 0.0
            self._events = 0
            self._due_at = now + self._pace.checkpoint_seconds
        return list(self._uncovered), math.inf if everything else AT_ONCE_SECONDS

    @property
    def under_way(self) -> tuple[TP, ...]:
        """The partitions that the round has not covered yet."""
        return tuple(self._uncovered)

    def takes(self, left: int, now: float, *, everything: bool) -> bool:
        """Whether a block takes a state of which so much is left to serialise."""
        return everything or left <= LITTLE or now - self._began_at >= LONGEST_AHEAD_SECONDS

    def serialised_ahead(self, seconds: float) -> None:
        """It took so much processor time."""
        self._took += seconds

    def covered(self, block: Block, now: float) -> None:
        """The block was filled: it covers its `positions`."""
        if not self._uncovered:
            return
        self._uncovered = [tp for tp in self._uncovered if tp not in block.positions]
        self._took += block.serialising_seconds
        if not self._uncovered:
            self._rests_until = now + min(REST * self._took, LONGEST_REST_SECONDS)
