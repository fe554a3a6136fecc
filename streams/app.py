"""The flow, wired: topics -> chunks -> folds -> ClickHouse. The one place that knows all parts.

    source topics ── Transport (chunks, checkpoint seeks) ── agent `project` ── Worker
                                                                                  │
                             CheckpointStore ◄── Writer ◄── rows and checkpoints ─┘
                                                   └─ DerivedTopics ─► dead letters, late events

Extensions are ordinary Faust agents on the derived topics, registered on `Pipeline.app`.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import faust
from aiokafka.helpers import create_ssl_context
from faust.types import TP
from yarl import URL

from schemas.queues import QueueSettings
from schemas.settings import Settings
from schemas.topics import SOURCE_TOPICS
from sinks.checkpoints import CheckpointStore
from sinks.metrics import Metrics
from sinks.store import Store
from sinks.writer import Writer
from streams.broker_admin import Security
from streams.carry_over import CarryOver
from streams.derived import DerivedTopics
from streams.fold.rules import FoldRules
from streams.topic_admin import earliest_offsets, end_offsets, ends_before, topic_logs
from streams.transport import ChunkSchema, Transport
from streams.worker import Pace, Worker

logger = logging.getLogger(__name__)

PIPELINE: Final = "stage1"
DAY_SECONDS: Final = 86_400.0
MAX_POLL_RECORDS: Final = 2_000
BUFFERED_CHUNKS: Final = 8
PROGRESS_SECONDS: Final = 0.05


def rules_of(settings: Settings) -> FoldRules:
    """The fold's rules in its own units, from the settings."""
    processing = settings.processing
    thresholds = {name: _counted_waits_ms(settings.queue(name)) for name in settings.named_queues}
    return FoldRules(
        lateness_ms=round(processing.lateness_seconds * 1000),
        horizons_ms={
            channel: round(seconds * 1000)
            for channel, seconds in processing.horizon_seconds.model_dump().items()
        },
        max_skew_ms=round(processing.max_skew_seconds * 1000),
        thresholds_ms=thresholds | {"": _counted_waits_ms(settings.queue(""))},
    )


def _counted_waits_ms(queue: QueueSettings) -> tuple[int, ...]:
    return queue.within_ms


def pace_of(settings: Settings) -> Pace:
    """When to flush and checkpoint, from the settings."""
    processing = settings.processing
    return Pace(
        flush_rows=processing.flush_rows,
        flush_seconds=processing.flush_seconds,
        checkpoint_seconds=processing.checkpoint_seconds,
        checkpoint_events=processing.checkpoint_events,
        buffer_bytes=processing.buffer_bytes,
        revoke_seconds=settings.broker.session_seconds / 2,
    )


class KafkaBroker:
    """The worker's questions to the broker, asked through kafka-python."""

    def __init__(self, bootstrap: str, security: Security) -> None:
        self._bootstrap = bootstrap
        self._security = security

    def logs(self, topics: frozenset[str]) -> Mapping[str, str]:
        """Topic -> identity of its present log."""
        return topic_logs(self._bootstrap, sorted(topics), security=self._security)

    def bounds(self, topics: frozenset[str]) -> Mapping[TP, tuple[int, int]]:
        """Source partition -> (oldest offset kept, offset of the next record, or less)."""
        names = sorted(topics)
        oldest = earliest_offsets(self._bootstrap, names, security=self._security)
        ends = end_offsets(self._bootstrap, names, security=self._security)
        return {TP(*at): (oldest[at], end) for at, end in ends.items()}

    def ends_before(self, tp: TP, offset: int) -> bool:
        """Whether the log ends before `offset`, for certain."""
        return ends_before(self._bootstrap, tp.topic, tp.partition, offset, security=self._security)


class Pipeline:
    """Stage 1 of one process: `start`, `stop`, and `failed` if something went wrong for good."""

    def __init__(self, settings: Settings, bootstrap: str, store: Store, metrics: Metrics) -> None:
        abandon = threading.Event()
        security = Security.of(settings.broker)
        self._derived = DerivedTopics(bootstrap, security.producer_options(), abandon, metrics)
        writer = Writer(store, metrics, abandon, announce=self._derived.announce)
        checkpoints = CheckpointStore(store, PIPELINE, metrics)
        rules = rules_of(settings)
        self.app = _faust_app(settings, bootstrap, security)
        self.worker = Worker(
            broker=KafkaBroker(bootstrap, security),
            checkpoints=checkpoints,
            writer=writer,
            carry_over=CarryOver(store, checkpoints, writer, rules),
            abandon=abandon,
            rules=rules,
            pace=pace_of(settings),
            metrics=metrics,
            reader=self,
        )
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.Task[None] | None = None
        self._wire()

    def _wire(self) -> None:
        app, worker = self.app, self.worker
        transport = Transport(app.conf.broker_consumer, app, loop=asyncio.get_running_loop())
        transport.source_topics = frozenset(SOURCE_TOPICS)
        transport.positions = worker
        app.transport = transport

        @app.agent(app.topic(*SOURCE_TOPICS, schema=ChunkSchema()), name="project")  # type: ignore[untyped-decorator]
        async def project(stream: Any) -> None:
            async for event in stream.events():
                try:
                    await worker.process(event.value)
                except Exception as error:  # noqa: BLE001 -- whatever it is, the worker ends
                    # Nothing may escape: Faust would count the chunk as done and go on.
                    self._fail(error)
                    await asyncio.Event().wait()

        @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
        async def give_up(_: Any, revoked: set[TP], **__: Any) -> None:
            app.consumer.cancel_recovery()
            await worker.revoke(frozenset(tp for tp in revoked if tp.topic in SOURCE_TOPICS))

    async def start(self) -> None:
        """Join the group and begin; returns when Faust has started, before partitions come."""
        await self.app.start()
        self._timer = asyncio.create_task(self.worker.run_timer(), name="flush")
        self._timer.add_done_callback(self._timer_ended)

    async def run_until(
        self, ends: Mapping[TP, int], shown: Callable[[int], None] = lambda _: None
    ) -> None:
        """Run until stored checkpoints cover everything before `ends`, then stop.

        `shown` is called with the number of records applied so far. Raises what made the worker
        fail, if something did.
        """
        await self.start()
        try:
            while not self.worker.covers(ends):
                shown(sum(self.worker.applied().values()))
                if self.worker.has_applied(ends):
                    await self.worker.settle()
                else:
                    await asyncio.wait([self.failed], timeout=PROGRESS_SECONDS)
                if self.failed.done():
                    self.failed.result()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Checkpoint within the revoke deadline, leave the group, end."""
        if self.app.consumer is not None:
            self.app.consumer.leave()
        await self.worker.stop()
        if self._timer is not None:
            await asyncio.gather(self._timer, return_exceptions=True)
        await self._derived.close()
        await self.app.stop()

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group what checkpoints cover."""
        await self.app.consumer.commit_positions(offsets)

    async def reread(self, tp: TP, offset: int) -> None:
        """Read a partition again from `offset`."""
        await self.app.consumer.reread(tp, offset)

    def not_ready(self) -> str:
        """Why this worker is not ready; "" if it is."""
        if self.failed.done():
            return f"failed: {self.failed.exception()}"
        if not self.worker.assigned:
            return "no partitions are assigned and recovered yet"
        return self._derived.waiting_for

    def _timer_ended(self, timer: asyncio.Task[None]) -> None:
        error = None if timer.cancelled() else timer.exception()
        if error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


def _faust_app(settings: Settings, bootstrap: str, security: Security) -> faust.App:
    session = settings.broker.session_seconds
    settings.data_dir.mkdir(parents=True, exist_ok=True)  # Faust makes only what lies in it
    return faust.App(
        settings.broker.group,
        broker=[URL(f"kafka://{address}") for address in bootstrap.split(",")],
        broker_credentials=_credentials(security),
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 4,
        broker_request_timeout=max(90.0, session * 2),
        # While ClickHouse is away the worker keeps its partitions, however long it reads nothing.
        broker_max_poll_interval=DAY_SECONDS,
        broker_max_poll_records=MAX_POLL_RECORDS,
        consumer_auto_offset_reset="earliest",
        # Counted in chunks.
        stream_buffer_maxsize=BUFFERED_CHUNKS,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        store="memory://",
        datadir=str(settings.data_dir / "faust"),
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


def _credentials(security: Security) -> Any:
    context = create_ssl_context(cafile=security.ca_file) if "SSL" in security.protocol else None
    if security.protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=security.username,
            password=security.password,
            mechanism=security.mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context=context)
