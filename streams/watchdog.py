"""Sees every second whether Faust works and partitions move, and does something where they do not.

Asks the consumer, and the broker through it; has a partition read again that stands still.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.broker_admin import BrokerUnavailableError
from streams.health import GRACE_SECONDS, Health
from streams.progress import Progress
from streams.worker import Worker

logger = logging.getLogger(__name__)

WATCH_SECONDS: Final = 1.0
ASK_SECONDS: Final = 10.0
LOGS_SECONDS: Final = 5.0
"""How often a worker that may have nothing to store asks whether topics were made anew."""


class Watchdog:
    """See the module's docstring. `app` is Faust's."""

    def __init__(self, app: Any, worker: Worker, health: Health, progress: Progress) -> None:
        self._app = app
        self._worker = worker
        self._health = health
        self._progress = progress
        self._ends: Mapping[TP, int] = {}

    async def run(self) -> None:
        """Until it is cancelled. Raises what Faust crashed of."""
        loop = asyncio.get_running_loop()
        ask_at = loop.time() + self._health.stall_seconds / 2
        compare_at = loop.time() + LOGS_SECONDS
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._app.crashed:
                raise self._app.crash_reason
            consumer: Any = self._app._consumer
            if consumer is None or not consumer.started or self._app.rebalancing:
                continue
            await self._answer(consumer.check())
            if loop.time() >= compare_at:
                await self._compare_logs()
                compare_at = loop.time() + LOGS_SECONDS
            if loop.time() >= ask_at:
                await self._ask_ends(consumer)
                ask_at = loop.time() + self._health.stall_seconds / 2
            await self._observe(consumer)

    async def _answer(self, call: Any) -> Any:
        """What the consumer's thread answers; a `KafkaError` means that it works no more.

        Not by `wait_for`: before Python 3.12 it lets a cancellation go by that comes with the
        answer, and the watch went on in a worker that had ended.
        """
        try:
            async with asyncio.timeout(ASK_SECONDS):
                result = await call
        except TimeoutError:
            self._health.waits("the consumer", f"no answer within {ASK_SECONDS:g} s")
            return None
        self._health.answered("the consumer")
        return result

    async def _ask_ends(self, consumer: Any) -> None:
        """Ask where the logs of partitions end that have been quiet for long.

        A consumer that has ceased to fetch would never hear of it. On the embedded broker the
        answer may be less than the end.
        """
        quiet = [tp for tp in self._health.quiet() if tp in self._worker.applied()]
        if quiet:
            try:
                self._ends = dict(await self._answer(consumer.highwaters(*quiet)) or {})
            except KafkaError as error:
                logger.info("the ends of quiet partitions are not known: %r", error)

    async def _compare_logs(self) -> None:
        """See whether topics were made anew."""
        try:
            await self._worker.check_logs()
        except BrokerUnavailableError as error:
            logger.info("the logs of topics are not known: %s", error)

    async def _observe(self, consumer: Any) -> None:
        positions = self._worker.applied()
        fetched = {
            tp: (reached, max(end, self._ends.get(tp, end)))
            for tp, (reached, end) in consumer.fetched().items()
        }
        self._progress.lag(positions, {tp: end for tp, (_, end) in fetched.items()})
        # Whatever keeps a block from being stored keeps the next one from being applied.
        excused = self._worker.storing_seconds > GRACE_SECONDS
        for tp in self._health.observe(positions, fetched, excused=excused):
            logger.warning("%s stands still though its log goes on: reading it again", tp)
            await consumer.reread(tp, positions[tp])
