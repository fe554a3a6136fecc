"""What goes ahead of blocks: stage 2 is told of queues, and what it says of them is stored.

Neither waits for the block that is filled or under way. What is told goes to the broker, what is
shown to the store by a lane of its own. Both keep away from a fold whose rows a block takes, so no
checkpoint vouches for what is not acknowledged, stored, or back with its fold.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from faust.types import TP

from streams.blocks import Block, fill
from streams.flight import Flight
from streams.fold.partition import PartitionFold
from streams.monitor.fold import MonitorFold
from streams.present import current
from streams.progress import Progress
from streams.reading import Reader
from streams.takeover import Held

BEHIND_MS: Final = 5_000
"""Between two times that stage 2 is told of a partition that is behind. What its queues show is
marked as not current meanwhile, and most contacts of a backlog have come and gone until the next
time, so that little is to be said of them (docs/decisions/0102)."""


class Told(NamedTuple):
    """What came of telling stage 2 of queues.

    `seconds` is the processor time of finding out; `current` which partitions had been read up to
    the present as it began, as `streams.present` says: of those all is told that was read by then.
    """

    seconds: float
    current: dict[str, tuple[int, ...]]


class Telling:
    """See the module's docstring.

    Args:
        held: the worker's folds; `processed` gives those of its present assignment.
        shows: stores what stage 2 says, beside the flight of the blocks.
        reader: publishes what stage 2 is told.
    """

    def __init__(
        self,
        held: Mapping[TP, Held],
        processed: Callable[[], Mapping[TP, Held]],
        shows: Flight,
        reader: Reader,
        progress: Progress,
    ) -> None:
        self._held = held
        self._processed = processed
        self._shows = shows
        self._reader = reader
        self._progress = progress
        self._telling = asyncio.Lock()
        self._showing = asyncio.Lock()
        self._all_told_at = 0

    @property
    def storing_seconds(self) -> float:
        """For how long what is shown has been on its way to the store; 0 if nothing is."""
        return self._shows.seconds

    def current(self, ends: Mapping[TP, int], now_ms: int) -> dict[str, tuple[int, ...]]:
        """Topic -> partitions that are read up to the present, as `streams.present` says."""
        return current(self._processed(), ends, now_ms)

    async def tell(self, ends: Mapping[TP, int], now_ms: int) -> Told:
        """Pass on what stage 2 is to know of queues: at once of partitions that were read up to
        `now_ms`, seldom of others.
        """
        async with self._telling:
            read = self.current(ends, now_ms)
            everything = not 0 <= now_ms - self._all_told_at < BEHIND_MS
            if everything:
                self._all_told_at = now_ms
            began = time.thread_time()
            # What lies in a block comes first: told of what came after it alone, stage 2 would show
            # what never was.
            told = [
                (held.fold, held.fold.take_partials())
                for tp, held in self._held.items()
                if isinstance(held.fold, PartitionFold)
                and not held.untold
                and (everything or tp.partition in read.get(tp.topic, ()))
            ]
            took = time.thread_time() - began
            partials = [partial for _, of_fold in told for partial in of_fold]
            heard = not partials
            if partials:
                try:
                    heard = await self._reader.tell(partials)
                finally:  # Also where this is cancelled.
                    if not heard:
                        for fold, of_fold in told:
                            fold.put_back(of_fold)
            return Told(took, read if heard else {})

    def announced(self) -> None:
        """Stage 2 was told what lay for it in the block that is under way."""
        for held in self._held.values():
            held.untold = False

    async def show(self) -> None:
        """Store what stage 2 has to say, beside the block that is under way.

        A block like any other, of fewer partitions and without a checkpoint. None is filled while
        another is under way.
        """
        async with self._showing:
            if self._shows.under_way:
                return
            block = Block()
            for tp, held in self._held.items():
                if isinstance(held.fold, MonitorFold):
                    fill(block, tp, held, self._progress, checkpoint=False)
            if block.parts:
                self._shows.begin(block)

    @asynccontextmanager
    async def kept_from(self, held: Held) -> AsyncIterator[None]:
        """Nothing is told or shown of this one meanwhile, and what was shown of it is stored."""
        shows = isinstance(held.fold, MonitorFold)
        async with self._showing if shows else self._telling:
            if shows:
                await self._shows.ended()
            yield

    @asynccontextmanager
    async def showing_nothing(self) -> AsyncIterator[None]:
        """Nothing is shown meanwhile, and what was is stored or given up."""
        async with self._showing:
            await self._shows.ended()
            yield
