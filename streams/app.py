"""The flow, wired: topics -> chunks -> folds -> ClickHouse. The one place that knows all parts.

    source topics ── Transport (chunks, checkpoint seeks) ── agent `project` ── Worker
                                                                                  │
                             CheckpointStore ◄── Writer ◄── rows and checkpoints ─┘
                                                   └─ DerivedTopics ─► dead letters, late events,
                                                                       identity.links, read again

Extensions are ordinary Faust agents on the derived topics, registered on `Pipeline.app`.
"""

import asyncio
import logging
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import metadata
from typing import Any, Final

from faust.types import TP

from gateway.publish import PublishError
from schemas.settings import Settings
from schemas.topics import FOLDED_TOPICS, IDENTITY_LINKS, KPI_PANES
from sinks.checkpoints import CheckpointStore
from sinks.errors import StoreError, StoreMisconfigured
from sinks.metrics import Metrics
from sinks.queue_metrics import QueueCollector, Sample
from sinks.store import Store
from sinks.writer import Block, Writer
from streams.blocks import Pace
from streams.broker_admin import Security
from streams.carry_over import CarryOver
from streams.derived import DerivedTopics
from streams.erasure import LEARN_SECONDS, stored_marks
from streams.faust_app import faust_app
from streams.fold.output import RowTuple
from streams.health import GRACE_SECONDS, Health
from streams.identity.beginning import LinksBeginning
from streams.identity.messages import Message
from streams.kafka_broker import KafkaBroker
from streams.lanes import BROKER, STORE
from streams.monitor.beginning import MonitorBeginning
from streams.monitor.messages import Tick
from streams.monitor.samples import CURRENT, values_of
from streams.progress import Progress
from streams.rules import limits_of, monitor_rules_of, rules_of
from streams.takeover import Takeover
from streams.transport import ChunkSchema, Transport
from streams.watchdog import Watchdog
from streams.worker import Worker

logger = logging.getLogger(__name__)

PIPELINE: Final = "stage1"
PROGRESS_SECONDS: Final = 0.05
TELL_SECONDS: Final = 0.25
TELL_REST: Final = 4.0
"""Telling is followed by so many times its processor time, up to a second: where tens of thousands
are open at once it would take more of the worker than reading does. By the clock it would be the
seldomer where the store's threads use the same core."""
LONGEST_TELL_SECONDS: Final = 1.0
TICK_SECONDS: Final = 1.0
SHOW_SECONDS: Final = 0.5
PRESENT_MS: Final = 5_000
"""A monitor that read a tick so lately has come to the present. One that was taken over and is not
there yet is not shown: its counters would go back, which looks like a restart."""
LONGEST_REST_MS: Final = 60_000
"""How long a rebalance may take: whoever is not back by then has lost its partitions to others."""
STOP_SECONDS: Final = 15.0
"""How long Faust may take to leave the group and end its threads."""


class Pipeline:
    """Both stages in one process: `start`, `stop`, and `failed` if something went wrong for good.

    Args:
        shows: another connection to the `store`, on which what queues show need not wait for it.
    """

    def __init__(
        self,
        settings: Settings,
        bootstrap: str,
        store: Store,
        metrics: Metrics,
        shows: Store | None = None,
    ) -> None:
        security = Security.of(settings.broker)
        self._broker = KafkaBroker(bootstrap, security)
        self._abandon = threading.Event()
        self._derived = DerivedTopics(
            bootstrap, security.producer_options(), self._abandon, metrics
        )
        self._health = Health(settings.processing.stall_seconds)
        self._progress = Progress(metrics)
        settings.data_dir.mkdir(parents=True, exist_ok=True)  # Faust makes only what lies in it
        self.app = faust_app(settings, bootstrap, security)
        self._loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = self._loop.create_future()
        self.worker = self._worker(settings, store, metrics, shows or store)
        self._tasks: list[asyncio.Task[None]] = []
        self._samples: list[Sample] = []
        # Collected in another thread: it gets what `show_queues` left.
        metrics.registry.register(QueueCollector(lambda: self._samples))
        metrics.build.info(
            {
                "version": metadata.version("switchboard"),
                "faust": metadata.version("faust-streaming"),
                "python": platform.python_version(),
            }
        )
        self._wire()

    def _worker(self, settings: Settings, store: Store, metrics: Metrics, shows: Store) -> Worker:
        rules = rules_of(settings)
        self._erased = rules.erased
        self._monitor_rules = monitor_rules_of(settings, rules.erased)
        self._marks = partial(stored_marks, store)
        writer, showing = (
            Writer(
                each,
                metrics,
                self._abandon,
                on_retry=self._store_waits,
                announce=announce,
            )
            for each, announce in ((store, self._announce), (shows, self._derived.announce))
        )
        checkpoints = CheckpointStore(store, PIPELINE, metrics, settings.clickhouse.cluster)
        carry_over = CarryOver(store, checkpoints, writer, rules)
        return Worker(
            takeover=Takeover(
                *(self._broker, checkpoints, carry_over, writer, rules),
                LinksBeginning(store, limits_of(settings), rules.erased),
                MonitorBeginning(store, self._monitor_rules),
            ),
            writer=writer,
            shows=showing,
            abandon=self._abandon,
            pace=Pace.of(settings),
            progress=self._progress,
            health=self._health,
            reader=self,
            failed=self._fail,
        )

    def _store_waits(self, error: StoreError, _delay_seconds: float) -> None:
        """In the sink's thread, whenever it is about to wait."""
        self._health.waits(STORE, error)
        if self.worker.lanes.one_shot and isinstance(error, StoreMisconfigured):
            self._abandon.set()
            self._loop.call_soon_threadsafe(self._fail, error)

    def _announce(self, block: Block) -> None:
        """In the sink's thread, with what is to be known of the block that is under way."""
        self._derived.announce(block)
        self._loop.call_soon_threadsafe(self.worker.ahead.announced)

    def _wire(self) -> None:
        app, worker = self.app, self.worker
        transport = Transport(app.conf.broker_consumer, app, loop=asyncio.get_running_loop())
        transport.source_topics = frozenset(FOLDED_TOPICS)
        transport.positions = worker
        transport.failed = self._fail
        app.transport = transport

        @app.agent(app.topic(*FOLDED_TOPICS, schema=ChunkSchema()), name="project")  # type: ignore[untyped-decorator]
        async def project(stream: Any) -> None:
            async for event in stream.events():
                try:
                    await worker.process(event.value)
                except Exception as error:  # noqa: BLE001 -- whatever it is, the worker ends
                    # Nothing may escape: Faust would count the chunk as done and go on.
                    self._fail(error)
                    await asyncio.Event().wait()

    def start(self) -> None:
        """Begin: wait for the broker, join the group, process. Returns at once.

        What goes wrong for good is in `failed`; what is waited for, in `not_ready`.
        """
        worker = self.worker
        watchdog = Watchdog(self.app, worker, self._health, self._progress)
        works = [self._join, worker.rhythm.run, worker.run_ahead, watchdog.run, self._learn_erased]
        if not worker.lanes.one_shot:
            works += [self._tell, self._show]
        for work in works:
            task = asyncio.create_task(work(), name=work.__qualname__)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def _join(self) -> None:
        """Wait for the broker, see that the topics are there, and start Faust.

        Raises:
            TopicsMissingError: they are not.
        """
        topics = frozenset(FOLDED_TOPICS)
        await self.worker.lanes.patiently(BROKER, lambda: self._broker.logs(topics))
        self._erased.learn(await self.worker.lanes.patiently(STORE, self._marks))
        await self.app.start()

    async def _learn_erased(self) -> None:
        """Ask every few seconds whether somebody is to be forgotten."""
        while True:
            await asyncio.sleep(LEARN_SECONDS)
            if self._erased.learn(await self.worker.lanes.patiently(STORE, self._marks)):
                await self.worker.erase()

    async def _tell(self) -> None:
        """Pass on to stage 2 what changed, sooner than blocks are stored; each second, what time it
        is, and what is read to its end here.

        In this order: what was read must be told of before it is said to be read.
        """
        rest = TELL_SECONDS
        ticks_at = self._loop.time() + TICK_SECONDS
        while True:
            await asyncio.sleep(rest)
            consumer: Any = self.app._consumer
            reads = consumer is not None and consumer.started
            ends = {tp: end for tp, (_, end) in consumer.fetched().items()} if reads else {}
            now_ms = time.time_ns() // 1_000_000
            told = await self.worker.ahead.tell(ends, now_ms)
            rest = max(TELL_SECONDS, min(TELL_REST * told.seconds, LONGEST_TELL_SECONDS))
            if self._loop.time() < ticks_at or not reads or self.worker.assigned is None:
                continue
            ticks_at = self._loop.time() + TICK_SECONDS
            try:
                await self._derived.tell_time(Tick(now_ms, told.current))
            except PublishError as error:
                logger.info("stage 2 was not told the time: %s", error)

    async def _show(self) -> None:
        """Have what stage 2 says of queues stored, sooner than blocks are."""
        while True:
            await asyncio.sleep(SHOW_SECONDS)
            await self.worker.ahead.show()

    def show_queues(self) -> None:
        """Lay out what a scrape that begins now shows: of monitors that have come to the present.

        One that a rebalance took out of it goes on showing what it knows, as not current.

        On the event loop, where the folds are.
        """
        now_ms = time.time_ns() // 1_000_000
        self._samples = []
        for fold, revoked_at in self.worker.monitors():
            present = now_ms - fold.ticked_at <= PRESENT_MS
            if not present and (
                revoked_at is None
                or revoked_at - fold.ticked_at > PRESENT_MS
                or now_ms - revoked_at > LONGEST_REST_MS
            ):
                continue
            for seen, watches in fold.lives():
                values = values_of(seen, watches)
                if not present and CURRENT in values:
                    values[CURRENT] = 0
                self._samples.append(Sample(seen.tenant, seen.queue, values))

    async def run_until(
        self, ends: Mapping[TP, int], shown: Callable[[int], None] = lambda _: None
    ) -> None:
        """Run until stored checkpoints cover everything before `ends`, then stop.

        `shown` is called with the number of records applied so far. Raises what made the worker
        fail, if something did; a store that serves nobody until a person acts does.
        """
        self.worker.lanes.one_shot = True
        self.start()
        try:
            while not self.worker.covers(due := self._due(ends)):
                shown(sum(self.worker.applied().values()))
                if self.worker.has_applied(due):
                    await self.worker.settle()
                else:
                    await asyncio.wait([self.failed], timeout=PROGRESS_SECONDS)
                if self.failed.done():
                    self.failed.result()
        finally:
            # In a task of its own: this one may have been cancelled, and before Python 3.11.3 its
            # timeouts would then end what they are around, and all that is to be done after.
            await asyncio.create_task(self.stop(), name="stop")

    def _due(self, ends: Mapping[TP, int]) -> dict[TP, int]:
        """What is to be covered: `ends`, and what came of it on topics that are read again."""
        again = (IDENTITY_LINKS, KPI_PANES)
        return dict(ends) | {
            tp: n for topic in again for tp, n in self._derived.ends(topic).items()
        }

    async def stop(self) -> bool:
        """Store and checkpoint what is under way, within a deadline; then leave the group, and end.

        Returns:
            Whether everything came to rest. If not, threads of this process still wait for
            answers, and would keep it from ending; nothing is lost by ending it.
        """
        consumer: Any = self.app._consumer  # `consumer` would make one
        if consumer is not None:
            await consumer.leave()
        at_rest = await self.worker.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._derived.close()
        if not self.app.started:
            return at_rest
        try:
            if consumer is not None:
                await consumer.committed()
            async with asyncio.timeout(STOP_SECONDS):
                await self.app.stop()
        except TimeoutError:
            logger.warning("Faust did not end within %g s", STOP_SECONDS)
            return False
        return at_rest

    def commit(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group what checkpoints cover."""
        self.app.consumer.commit_positions(offsets)

    async def say(self, messages: list[Message]) -> bool:
        """Publish messages for `identity.links`; whether all were acknowledged."""
        return await self._derived.say(messages)

    async def tell(self, partials: Sequence[RowTuple]) -> bool:
        """Publish partials of queues on `kpi.panes`; whether all were acknowledged."""
        return await self._derived.tell(partials)

    async def reread(self, tp: TP, offset: int) -> None:
        """Read a partition again from `offset`."""
        await self.app.consumer.reread(tp, offset)

    async def recover(self) -> None:
        """Recover the partitions that are assigned."""
        await self.app.consumer.recover()

    def seeks(self, tp: TP) -> int:
        """The number of the partition's last seek."""
        return int(self.app.consumer.seeks(tp))

    def failure(self) -> str:
        """Why this worker works no more; "" if it does."""
        if not self.failed.done():
            return ""
        error = self.failed.exception()
        return f"failed: {error or repr(error)}"

    def not_ready(self) -> str:
        """Why this worker is not ready; "" if it is."""
        if failure := self.failure():
            return failure
        if self.worker.assigned is None:
            waiting = self._health.waiting() or self._derived.waiting_for
            return "partitions are not assigned and recovered" + (waiting and f"; {waiting}")
        waiting = self._health.waiting(longer_than=GRACE_SECONDS) or self._derived.waiting_for
        storing = self.worker.storing_seconds
        if not waiting and storing > self._health.stall_seconds:
            waiting = f"a block has been on its way to {STORE} for {storing:.0f} s"
        return waiting or self._health.stalled()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)
