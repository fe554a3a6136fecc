"""What a new log of a topic takes over from the one before it.

A topic was deleted and made anew, or an embedded broker forgot everything. The old log's rows stay
true and are added to; interactions that were open in it go on in the new one, and an event that a
source publishes again is recognised, because facts and clocks are carried over.

First the old log is finished: what was stored in `events` beyond its last checkpoint is applied
from there, so that no row of the old log says more, or less, than its final state. May touch the
store through the checkpoint store and the writer it is given; blocks, so it runs in the sink's
thread.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.rows import VERSION_OFFSET_BITS, CheckpointRow
from sinks.checkpoints import Checkpoint, CheckpointStore
from sinks.store import Store
from sinks.writer import Writer
from streams.fold.expiry import minute_of
from streams.fold.panes import empty_pane
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.fold.state import STATE_VERSION, InteractionState, SourceClock, State, restore

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
    """The state each partition of a new log begins with, out of all final states of an old one.

    What is in panes stays in the old log's rows: the new panes begin at zero, and hold only what
    changes from now on.

    Where the old log was itself begun from such a state, its partitions hold copies of what only
    one of them went on with: the copy that changed last is the true one. Was that one let go, the
    others must not come back: a copy that the old log never changed counts only if all hold it.
    """
    states = list(states)
    new = State()
    holders = Counter(subject for old in states for subject in old.interactions)
    for old in states:
        for source, clock in old.sources.items():
            furthest = new.sources.setdefault(source, SourceClock())
            furthest.latest = max(clock.latest, furthest.latest)
            furthest.heard_at = max(clock.heard_at, furthest.heard_at)
        new.event_time = max(new.event_time, old.event_time)
        for subject, interaction in old.interactions.items():
            held = new.interactions.get(subject)
            if held is None or interaction.changed > held.changed:
                new.interactions[subject] = interaction
        for subject, agent in old.agents.items():
            other = new.agents.get(subject)
            if other is None or agent.changed > other.changed:
                new.agents[subject] = agent
    old_epoch = max((_epoch(i) for old in states for i in old.interactions.values()), default=0)
    for subject, interaction in list(new.interactions.items()):
        let_go = _epoch(interaction) < old_epoch and holders[subject] < len(states)
        if let_go or interaction.due <= minute_of(new.sources[interaction.source].latest):
            del new.interactions[subject]
            continue
        for key, _, _ in interaction.contributions:
            if key not in new.panes:
                new.panes[key] = empty_pane(key, 0, rules)
            new.panes[key].references += 1
    return new


def _epoch(interaction: InteractionState) -> int:
    """The number of the log that changed it last."""
    return interaction.changed >> VERSION_OFFSET_BITS
