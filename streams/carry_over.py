"""What a new log of a topic takes over from the one before it.

A topic was deleted and made anew, or an embedded broker forgot everything. The old log's rows stay
true and are added to; interactions that were open in it go on in the new one, and an event that a
source publishes again is recognised, because facts and clocks are carried over.

First the old log is finished: what was stored in `events` beyond its last checkpoint is applied
from there, so that no row of the old log says more, or less, than its final state. May touch the
store through the checkpoint store and the writer it is given; blocks, so it runs in the sink's
thread.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.rows import CheckpointRow
from sinks.checkpoints import Checkpoint, CheckpointStore
from sinks.store import Store
from sinks.writer import Writer
from streams.fold.expiry import minute_of
from streams.fold.panes import empty_pane
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.fold.state import STATE_VERSION, SourceClock, State, restore

PAGE: Final = 10_000


@dataclass(frozen=True, slots=True)
class _StoredRecord:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class CarryOver:
    """Finishes earlier logs and merges their final states."""

    def __init__(
        self, store: Store, checkpoints: CheckpointStore, writer: Writer, rules: FoldRules
    ) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._writer = writer
        self._rules = rules

    def state_for(self, topic: str, log: str) -> State:
        """The state with which a partition of the new `log` begins; empty for a first log.

        Each partition begins with all that is open: the new log may spread keys differently. What
        a partition never hears of again contributes nothing there, and is let go in time.
        """
        saved = self._checkpoints.latest_of_previous_log(topic, log)
        return merged([self._finished(checkpoint).state for checkpoint in saved], self._rules)

    def _finished(self, saved: Checkpoint) -> PartitionFold:
        """The fold of a partition of an old log, after everything that was stored of it."""
        topic, partition, log = saved.topic, saved.partition, saved.log
        epoch = self._checkpoints.log_epoch(topic, log)
        state = restore(saved.state, saved.state_version)
        fold = PartitionFold(topic, partition, log, epoch, self._rules, state)
        while records := self._stored_after(topic, partition, log, fold.next_offset):
            # Offsets in between hold dead letters, which change no state.
            fold.apply(records, gap_is_the_logs=True)
            self._writer.write(fold.drain().rows)
        if fold.next_offset != saved.next_offset:
            row = self._checkpoints.row(
                topic, partition, log, epoch, fold.next_offset, STATE_VERSION, fold.snapshot()
            )
            self._writer.write({CheckpointRow: [row]})
        return fold

    def _stored_after(
        self, topic: str, partition: int, log: str, offset: int
    ) -> list[_StoredRecord]:
        rows = self._store.query(
            "SELECT source_offset, toUnixTimestamp64Milli(produced_at) AS produced_ms, subject,"
            " payload FROM events FINAL WHERE topic = {topic:String} AND log = {log:String}"
            " AND source_partition = {partition:UInt32} AND source_offset >= {offset:UInt64}"
            " ORDER BY source_offset LIMIT {page:UInt32}",
            {"topic": topic, "log": log, "partition": partition, "offset": offset, "page": PAGE},
            bytes_columns=("payload",),
        )
        return [_record(row) for row in rows]


def _record(row: dict[str, Any]) -> _StoredRecord:
    key = str(row["subject"]).encode()
    return _StoredRecord(row["source_offset"], row["produced_ms"], key, row["payload"])


def merged(states: Iterable[State], rules: FoldRules) -> State:
    """One state for the first partition of a new log out of the final states of an old one.

    What is in panes stays in the old log's rows: the new panes begin at zero, and hold only what
    changes from now on.
    """
    new = State()
    for old in states:
        for source, clock in old.sources.items():
            furthest = new.sources.setdefault(source, SourceClock())
            furthest.latest = max(clock.latest, furthest.latest)
            furthest.heard_at = max(clock.heard_at, furthest.heard_at)
        new.event_time = max(new.event_time, old.event_time)
        for subject, interaction in old.interactions.items():
            held = new.interactions.get(subject)
            # A copy that was carried and never heard of again has fewer facts than the real one.
            if held is None or len(interaction.facts) > len(held.facts):
                new.interactions[subject] = interaction
        for subject, agent in old.agents.items():
            other = new.agents.get(subject)
            if other is None or agent.timeline.known_until > other.timeline.known_until:
                new.agents[subject] = agent
    for subject, interaction in list(new.interactions.items()):
        if interaction.due <= minute_of(new.sources[interaction.source].latest):
            # One partition let it go already; what others carry of it may be out of date.
            del new.interactions[subject]
            continue
        for key, _, _ in interaction.contributions:
            if key not in new.panes:
                new.panes[key] = empty_pane(key, 0, rules)
            new.panes[key].references += 1
    return new
