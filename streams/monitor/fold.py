"""The fold of one partition of `kpi.panes`: partials and ticks in, queues forward, rows out. Pure.

Its clock is the log's: the time at which records were produced, and ticks for what must be judged
even though nothing happens. A breach is published before any checkpoint vouches for it, and found
again under the same id where the log is read again.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from msgspec.structs import replace

from schemas.live import (
    EVERY_QUEUE,
    BreachNotice,
    BreachRecord,
    QueueBreachRow,
    QueueLiveRow,
)
from streams.derived_fold import DerivedFold
from streams.fold.heard import Record
from streams.fold.live import queue_key
from streams.fold.output import Output
from streams.monitor import state
from streams.monitor.breaches import Breach, Change, Watch, judge
from streams.monitor.foresight import Foresight
from streams.monitor.listed import without_erased
from streams.monitor.live import Live, live
from streams.monitor.messages import Partial, Tick, read
from streams.monitor.queue import Queue, Source
from streams.monitor.rules import JUDGED_EVERY_MS, STALE_MS, MonitorRules

QueueName = tuple[str, str]


class MonitorFold(DerivedFold):
    """Queues and pending rows of one partition of `kpi.panes`.

    Args:
        topic, partition, log, epoch: as `DerivedFold` takes them.
        rules: settings of queues, and what must not come back.
        saved: state and its version, as a checkpoint held them; None for a first beginning.
    """

    state_version: Final = state.STATE_VERSION
    reason = "invalid_partial"

    def __init__(
        self,
        topic: str,
        partition: int,
        log: str,
        epoch: int,
        rules: MonitorRules,
        saved: tuple[bytes, int] | None = None,
    ) -> None:
        super().__init__(topic, partition, log, epoch)
        self.now = 0
        """The latest instant that the log told, in milliseconds."""
        self.ticked_at = 0
        """The latest instant that a tick told."""
        self.queues: dict[QueueName, Queue] = {}
        self._rules = rules
        self._watches: dict[QueueName, dict[str, Watch]] = {}
        self._foresight: dict[QueueName, Foresight] = {}
        self._current: dict[Source, int] = {}
        self._changed: dict[QueueName, None] = {}
        if saved is not None:
            self._restore(state.restore(*saved))

    @property
    def pending(self) -> int:
        """How many rows `drain` would give, about."""
        return len(self._changed) + len(self._pending)

    def _hear(self, record: Record) -> None:
        said = read(record.value)
        self.now = max(self.now, record.timestamp)
        if isinstance(said, Tick):
            self._tick(said)
        else:
            self.take(said)

    def take(self, said: Partial) -> None:
        """Take in a partial, but nobody of whom it is known by now that they were erased."""
        name = (said.tenant, said.queue)
        if erased := self._rules.erased:
            is_erased = partial(erased.has, said.tenant, "contact")
            said = replace(
                said,
                panes=tuple(without_erased(pane, is_erased) for pane in said.panes),
                heard=tuple(contact for contact in said.heard if not is_erased(contact, 0)),
            )
        self._queue(name).take(said, self._rules)
        self._changed[name] = None

    def watch(self, name: QueueName, kpi: str, watch: Watch) -> None:
        """Take up a breach that is open: what is known before the first record.

        It is judged, and closed, as soon as the queue is current.
        """
        self._queue(name)
        self._watches.setdefault(name, {})[kpi] = watch

    def lives(self) -> Iterable[tuple[Live, dict[str, Watch]]]:
        """Every queue as it is now, with what is watched there."""
        for name, queue in self.queues.items():
            yield self._live(queue), self._watches.get(name, {})

    def erase(self) -> int:
        """Forget erased contacts among those that wait, and in breaches that are open; how many."""
        erased = self._rules.erased
        if not erased:
            return 0
        gone = 0
        for (tenant, _), queue in self.queues.items():
            gone += queue.forget(partial(erased.has, tenant, "contact"))
        for (tenant, _), watches in self._watches.items():
            for breach in [watch.breach for watch in watches.values() if watch.breach is not None]:
                kept = tuple(
                    name
                    for name in breach.interactions
                    if not erased.has(tenant, "contact", name, breach.opened_at)
                )
                gone += len(breach.interactions) - len(kept)
                breach.interactions = kept
        return gone

    def drain(self) -> Output:
        """The rows that changed since the last call, and what is to be published before them.

        Before the log told any instant there is none of which a row could speak.
        """
        version = self._version_base + self.next_offset
        if self.now:
            for name in self._changed:
                self._pending.add(QueueLiveRow, self._live(self.queues[name]).row(version))
            self._changed.clear()
        return self._pending.take()

    def snapshot(self) -> bytes:
        """The state, serialised; rows must have been drained and stored before."""
        return state.snapshot(
            state.Saved(
                self.next_offset,
                self.now,
                self.ticked_at,
                list(self._current.items()),
                [
                    state.saved_queue(
                        queue, self._watches.get(name, {}), self._foresight.get(name, Foresight())
                    )
                    for name, queue in self.queues.items()
                ],
            )
        )

    def _restore(self, saved: state.Saved) -> None:
        self.next_offset, self.now = saved.next_offset, saved.now
        self.ticked_at = saved.ticked_at
        self._current = dict(saved.current)
        for of_queue in saved.queues:
            timezone = self._rules.queue(of_queue.name[1]).timezone
            self.queues[of_queue.name] = state.restored_queue(of_queue, self.now, timezone)
            if of_queue.watches:
                self._watches[of_queue.name] = of_queue.watches
            self._foresight[of_queue.name] = of_queue.foresight

    def _queue(self, name: QueueName) -> Queue:
        queue = self.queues.get(name)
        if queue is None:
            queue = self.queues[name] = Queue(name, self.now)
            queue.begin_windows(self._timezone(queue))
        return queue

    def _timezone(self, queue: Queue) -> str:
        return self._rules.queue(queue.name[1]).timezone

    def _live(self, queue: Queue) -> Live:
        queue.advance(self.now, self._timezone(queue))
        foreseen = self._foresight.get(queue.name, Foresight())
        return live(
            queue,
            self._rules,
            current=self._is_current(queue),
            forecast=foreseen.probability,
            agents_needed=foreseen.agents_needed,
            brier=foreseen.brier(self.now),
        )

    def _is_current(self, queue: Queue) -> bool:
        oldest = self.now - STALE_MS
        for source in queue.sources:
            if self._current.get(source, 0) < oldest:
                return False
        return bool(queue.sources)

    def _tick(self, tick: Tick) -> None:
        self.now = max(self.now, tick.at)
        for topic, partitions in tick.current.items():
            for partition in partitions:
                self._current[topic, partition] = self.now
        if self.now - self.ticked_at < JUDGED_EVERY_MS:
            return
        self.ticked_at = self.now
        for name, queue in self.queues.items():
            self._changed[name] = None
            if name[1] == EVERY_QUEUE:
                continue
            queue.advance(self.now, self._timezone(queue))
            foresight = self._foresight.setdefault(name, Foresight())
            current = self._is_current(queue)
            foresight.tick(queue, self._rules, current=current)
            watches = self._watches.pop(name, {})
            if watches or (current and self._rules.queue(name[1]).has_alerts):
                for change, breach in judge(watches, self._live(queue), judging=current):
                    self._tell(name, change, breach)
            if watches:
                self._watches[name] = watches

    def _tell(self, name: QueueName, change: Change, breach: Breach) -> None:
        tenant, queue = name
        version = self._version_base + self.next_offset
        self._pending.add(QueueBreachRow, breach.row(tenant, queue, version))
        notice = BreachNotice(
            breach_id=breach.breach_id,
            change=change,
            tenant=tenant,
            queue=queue,
            kpi=breach.kpi,
            severity=breach.severity,
            window=breach.window,
            value=breach.value,
            threshold=breach.threshold,
            opened_at=_instant(breach.opened_at),
            at=_instant(self.now),
            closed_because=breach.closed_because,
            interactions=breach.interactions,
        )
        self._pending.add(BreachRecord, (queue_key(name), notice.model_dump_json().encode()))


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
