"""When blocks go out that are not full: at the pace's rhythm, sooner where somebody waits for one.

More seldom where storing one takes long: an insert costs much the same whatever its size, so who is
behind catches up in few blocks. Where events have ceased to come there is nothing to wait for.
Touches the event loop and its clock.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from streams.blocks import Pace, rest_after

SOON_SECONDS: Final = 0.25
"""How soon a block is stored after somebody's customer changed: they may be on the phone."""


class Rhythm:
    """See the module's docstring.

    Args:
        flush: hands what changed to the sink.
        stored_seconds: how long storing the last block took.
        events: how many events were applied so far.
    """

    def __init__(
        self,
        pace: Pace,
        flush: Callable[[], Awaitable[None]],
        stored_seconds: Callable[[], float],
        events: Callable[[], int],
    ) -> None:
        self._pace = pace
        self._flush = flush
        self._stored_seconds = stored_seconds
        self._events = events
        self._soon = asyncio.Event()
        self.stopped = asyncio.Event()

    def soon(self) -> None:
        """Somebody waits for what changed."""
        self._soon.set()

    def stop(self) -> None:
        """Let `run` end."""
        self.stopped.set()
        self._soon.set()

    async def run(self) -> None:
        """Flush until `stop`."""
        while not self.stopped.is_set():
            self._soon.clear()
            await self._flush()
            rest = rest_after(self._stored_seconds())
            soon = max(rest / 2, min(SOON_SECONDS, self._pace.flush_seconds))
            if await self._goes_on(soon, unless=self.stopped):
                await self._goes_on(max(rest, self._pace.flush_seconds) - soon, unless=self._soon)

    async def _goes_on(self, seconds: float, unless: asyncio.Event) -> bool:
        """Wait, while events come, until `unless`; whether they came, and it did not."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            before = self._events()
            if await happens(unless, min(left, self._pace.flush_seconds)):
                return False
            if self._events() == before and left > self._pace.flush_seconds:
                return False
        return True


async def happens(event: asyncio.Event, within_seconds: float) -> bool:
    """Wait for `event`, but not for longer; whether it is set."""
    try:
        async with asyncio.timeout(within_seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
