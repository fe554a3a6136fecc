"""Blocking calls to the store and to the broker, off the event loop, tried until they are answered.

A thread each, so that questions to the broker do not wait behind a store that is away, and what
queues show not behind a block of everything else; the calls of one run in order. What is waited for
is told to the health it is given.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from sinks.errors import StoreError, StoreUnavailable
from sinks.writer import WriteAbandoned
from streams.broker_admin import BrokerUnavailableError
from streams.health import Health

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRY_SECONDS: Final = 1.0
STORE: Final = "ClickHouse"
BROKER: Final = "the broker"
SHOWS: Final = "queues in ClickHouse"
"""The store again, for what queues show."""


class Lanes:
    """See the module's docstring.

    `one_shot`: nobody waits for a person to mend the store; what only a person can mend is raised.
    """

    one_shot = False

    def __init__(self, health: Health) -> None:
        self._health = health
        self._threads = {
            STORE: ThreadPoolExecutor(1, thread_name_prefix="sink"),
            SHOWS: ThreadPoolExecutor(1, thread_name_prefix="sink_shows"),
            BROKER: ThreadPoolExecutor(1, thread_name_prefix="broker"),
        }
        self._under_way: Counter[str] = Counter()

    def busy(self, part: str) -> bool:
        """Whether `part` was asked for something, and has not answered."""
        return self._under_way[part] > 0

    async def once(self, part: str, call: Callable[[], Result]) -> Result:
        """The result of a call, whatever it raises."""

        def counted() -> Result:
            self._under_way[part] += 1
            try:
                return call()
            finally:
                self._under_way[part] -= 1

        return await asyncio.get_running_loop().run_in_executor(self._threads[part], counted)

    async def patiently(
        self, part: str, call: Callable[[], Result], unless: threading.Event | None = None
    ) -> Result:
        """The result of a call, tried until `part` is there.

        Raises `WriteAbandoned` if it is not there and `unless` is set.
        """
        while True:
            try:
                result = await self.once(part, call)
            except (StoreError, BrokerUnavailableError) as error:
                passes = isinstance(error, StoreUnavailable | BrokerUnavailableError)
                if self.one_shot and not passes:
                    raise
                if self._health.waits(part, error):
                    logger.warning("waiting for %s: %s", part, error)
                await asyncio.sleep(RETRY_SECONDS)
                if unless is not None and unless.is_set():
                    raise WriteAbandoned(f"{part} was not there in time: {error}") from error
            else:
                self._health.answered(part)
                return result

    async def close(self, within_seconds: float) -> bool:
        """Take no more calls. Whether those under way ended in time."""
        loop = asyncio.get_running_loop()
        behind_all = [loop.run_in_executor(lane, _nothing) for lane in self._threads.values()]
        _, busy = await asyncio.wait(behind_all, timeout=within_seconds)
        for lane in self._threads.values():
            lane.shutdown(wait=False, cancel_futures=True)
        return not busy


def _nothing() -> None:
    """What is run to see that everything before it is done."""
