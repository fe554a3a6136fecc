"""A block that is under way to the store, and what becomes of it.

Blocks of one flight are stored one after the other, in the thread of its lane; who fills the next
one waits for `ended`. A block that was given up takes its folds with it: their rows have left them,
so no later checkpoint may vouch for those, and they are begun again from what is stored.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping

from faust.types import TP

from schemas.rows import CheckpointRow, EventRow
from sinks.writer import WriteAbandoned, Writer
from streams.blocks import Block
from streams.health import Health
from streams.lanes import STORE, Lanes
from streams.progress import Progress
from streams.takeover import Held, Takeover

logger = logging.getLogger(__name__)


class Flight:
    """See the module's docstring.

    Args:
        lane: of whose threads it is stored in.
        held: the worker's folds; emptied when their block is given up.
        give_up: set when a block that waits is to be given up.
        is_stale: whether the logs (topic -> log) that a block was read from were made anew; it then
            also sees to what follows.
        landed: called with each block that is stored.
        failed: called with what no retry can mend.
    """

    def __init__(
        self,
        *,
        lane: str,
        held: dict[TP, Held],
        takeover: Takeover,
        writer: Writer,
        lanes: Lanes,
        health: Health,
        progress: Progress,
        is_stale: Callable[[Mapping[str, str], threading.Event], Awaitable[bool]],
        landed: Callable[[Block], None],
        failed: Callable[[BaseException], None],
        give_up: threading.Event,
    ) -> None:
        self._lane = lane
        self._held = held
        self._takeover = takeover
        self._writer = writer
        self._lanes = lanes
        self._health = health
        self._progress = progress
        self._is_stale = is_stale
        self._landed = landed
        self._failed = failed
        self._give_up = give_up
        self._task: asyncio.Task[None] | None = None
        self._since: float | None = None
        self.last_took_seconds = 0.0
        """What storing the last block took."""

    @property
    def under_way(self) -> bool:
        """Whether a block has not landed yet."""
        return self._task is not None and not self._task.done()

    @property
    def seconds(self) -> float:
        """For how long the block has been under way; 0 if there is none."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def begin(self, block: Block) -> None:
        """Send a block off; the one before has `ended`."""
        self._since = time.monotonic()
        self._task = asyncio.create_task(self._store(block), name="store")

    async def ended(self) -> None:
        """Wait until the block is stored or given up."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _store(self, block: Block) -> None:
        try:
            if await self._is_stale(block.logs, self._give_up):
                return
            seconds = await self._lanes.once(self._lane, lambda: self._write(block))
        except (WriteAbandoned, asyncio.CancelledError) as reason:
            logger.info("a block was given up: %s", reason)
            self._held.clear()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the folds are without its rows
            self._held.clear()
            self._failed(error)
        else:
            self._health.answered(STORE)
            self.last_took_seconds = seconds
            self._landed(block)
        finally:
            self._since = None

    def _write(self, block: Block) -> float:
        """In the lane's thread; seconds that storing took."""
        rows = block.rows()
        with self._progress.cpu_of("checkpoint"):
            if block.states:
                rows[CheckpointRow] = [
                    self._takeover.checkpoint_row(tp, held, offset, state)
                    for tp, held, offset, state in block.states
                ]
        with self._progress.cpu_of("insert"):
            seconds = self._writer.write(rows).seconds
        self._progress.stored(rows.get(EventRow, ()), block.latest)
        return seconds
