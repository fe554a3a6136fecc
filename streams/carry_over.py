"""What a new log of a topic takes over from the one before it.

A topic was deleted and made anew, or an embedded broker forgot everything. The old log's rows stay
true and are added to; interactions that were open in it go on in the new one, and an event that a
source publishes again is recognised, because facts and clocks are carried over.

First the old log is finished: what was stored in `events` beyond its last checkpoint is applied
from there, so that no row of the old log says more, or less, than its final state. Then all
partitions of the new log get their first checkpoints at once, that of partition 0 last: it says
that the log has begun, and nobody reads a log that has not. So whatever of the old log is looked up
here was not yet replaced by the new one's rows. May touch the store through the checkpoint store
and the writer it is given; blocks, so it runs in the sink's thread.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.decode import Rejected, decode
from schemas.rows import CheckpointRow, EventRow
from schemas.topics import CHANNEL_OF
from sinks.checkpoints import Checkpoint, CheckpointStore
from sinks.refused import REASON as REFUSED
from sinks.store import Store
from sinks.writer import Writer
from streams.fold.interaction_state import Subject
from streams.fold.merge import Left, merged, slowest, uncertain
from streams.fold.output import Rows
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.fold.state import STATE_VERSION, State, restore, snapshot

PAGE: Final = 10_000
ASKED_AT_ONCE: Final = 1_000
"""Contacts that one query names."""


@dataclass(frozen=True, slots=True)
class _StoredRecord:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()

    @staticmethod
    def of(row: dict[str, Any]) -> "_StoredRecord":
        """The record of a row, as it was when it was applied: with all its attributes inside."""
        return _StoredRecord(row["source_offset"], row["produced_ms"], row["key"], row["value"])


@dataclass(slots=True)
class _Finished:
    """A partition of the old log after everything that was stored of it; `rows` are to be written:
    those of the records that its last checkpoint did not cover, and a last checkpoint.
    """

    partition: int
    state: State
    rows: list[Rows] = field(default_factory=list)


class CarryOver:
    """Finishes earlier logs and begins new ones with what they left."""

    def __init__(
        self, store: Store, checkpoints: CheckpointStore, writer: Writer, rules: FoldRules
    ) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._writer = writer
        self._rules = rules

    def begin(self, topic: str, log: str, partitions: Iterable[int]) -> bool:
        """Write the first checkpoints of a new log; False where it has begun already.

        Each partition begins with all that is open: the new log may spread keys differently. What
        a partition never hears of again contributes nothing there, and is let go in time. Workers
        that do this at once write the same.
        """
        if self._checkpoints.begun({topic: log}):
            return False
        epoch = self._checkpoints.log_epoch(topic, log)
        finished, first = self._read(topic, log)
        # Another worker may have begun, and what was read may be half replaced by the new log's.
        if self._checkpoints.begun({topic: log}):
            return False
        for rows in (rows for part in finished for rows in part.rows):
            self._writer.write(rows)
        for partition in sorted(partitions, reverse=True):
            row = self._checkpoints.row(topic, partition, log, epoch, 0, STATE_VERSION, first)
            self._writer.write({CheckpointRow: [row]})
        return True

    def _read(self, topic: str, log: str) -> tuple[list[_Finished], bytes]:
        """The old log, finished, and the state with which the new one begins. Writes nothing."""
        saved = self._checkpoints.latest_of_previous_log(topic, log)
        if not saved:
            return [], snapshot(State())
        old_log = saved[0].log
        epoch = self._checkpoints.log_epoch(topic, old_log)
        finished = [self._finished(checkpoint, epoch) for checkpoint in saved]
        heard = self._heard(topic, old_log, epoch, {f.partition: f.state for f in finished})
        left = [Left(f.state, heard[f.partition]) for f in finished]
        return finished, snapshot(merged(left, epoch, self._rules))

    def _finished(self, saved: Checkpoint, epoch: int) -> _Finished:
        topic, partition, log = saved.topic, saved.partition, saved.log
        state = restore(saved.state, saved.state_version)
        fold = PartitionFold(topic, partition, log, epoch, self._rules, state)
        finished = _Finished(partition, fold.state)
        while records := self._stored_after(topic, partition, log, fold.next_offset):
            # Offsets in between hold dead letters, which change no state.
            fold.apply(records, gap_is_the_logs=True)
            rows = fold.drain().rows
            rows.pop(EventRow, None)  # that is where they were read
            finished.rows.append(rows)
        if fold.next_offset != saved.next_offset:
            row = self._checkpoints.row(
                topic, partition, log, epoch, fold.next_offset, STATE_VERSION, fold.snapshot()
            )
            finished.rows.append({CheckpointRow: [row]})
        return finished

    def _stored_after(
        self, topic: str, partition: int, log: str, offset: int
    ) -> list[_StoredRecord]:
        """The next page of what was counted: stored events, and those whose rows were refused."""
        where = (
            "topic = {topic:String} AND log = {log:String}"
            " AND source_partition = {partition:UInt32} AND source_offset >= {offset:UInt64}"
        )
        rows = self._store.query(
            "SELECT source_offset, toUnixTimestamp64Milli(produced_at) AS produced_ms, key, value"  # noqa: S608 -- constants
            " FROM (SELECT source_offset, produced_at, subject AS key, payload AS value"
            f" FROM events FINAL WHERE {where}"
            " UNION ALL SELECT source_offset, produced_at, key, value"
            f" FROM dead_letters FINAL WHERE {where} AND reason = {{refused:String}})"
            " ORDER BY source_offset LIMIT {page:UInt32}",
            {
                "topic": topic,
                "log": log,
                "partition": partition,
                "offset": offset,
                "page": PAGE,
                "refused": REFUSED,
            },
            bytes_columns=("key", "value"),
        )
        return [_StoredRecord.of(row) for row in rows]

    def _heard(
        self, topic: str, log: str, epoch: int, states: dict[int, State]
    ) -> defaultdict[int, set[Subject]]:
        """By partition, the contacts of which it read something that could count again: what the
        slowest partitions' clocks do not make late, and those that it may have let go.
        """
        heard: defaultdict[int, set[Subject]] = defaultdict(set)
        if topic not in CHANNEL_OF:
            return heard  # of agents nothing is let go
        all_states = list(states.values())
        clocks = slowest(all_states)
        if not clocks:
            return heard
        since = [max(0, latest - self._rules.lateness_ms) for latest in clocks.values()]
        rows = self._store.query(
            "SELECT DISTINCT source_partition, tenant, subject FROM events"
            " WHERE topic = {topic:String} AND log = {log:String}"
            " AND occurred_at >= fromUnixTimestamp64Milli({earliest:Int64})"
            " AND toUnixTimestamp64Milli(occurred_at)"
            " >= {since:Array(Int64)}[greatest(1, indexOf({sources:Array(String)}, source))]",
            {
                "topic": topic,
                "log": log,
                "earliest": min(since),
                "since": since,
                "sources": list(clocks),
            },
        )
        rows += self._refused(topic, log)
        for subjects in _parts(uncertain(all_states, epoch), ASKED_AT_ONCE):
            rows += self._heard_of(topic, log, subjects)
        for row in rows:
            heard[row["source_partition"]].add((row["tenant"], row["subject"]))
        return heard

    def _heard_of(self, topic: str, log: str, subjects: list[Subject]) -> list[dict[str, Any]]:
        return self._store.query(
            "SELECT DISTINCT source_partition, tenant, subject FROM events"
            " WHERE topic = {topic:String} AND log = {log:String} AND (tenant, subject) IN"
            " arrayZip({tenants:Array(String)}, {subjects:Array(String)})",
            {
                "topic": topic,
                "log": log,
                "tenants": [tenant for tenant, _ in subjects],
                "subjects": [subject for _, subject in subjects],
            },
        )

    def _refused(self, topic: str, log: str) -> list[dict[str, Any]]:
        """The contacts of events whose rows the store did not take: they were counted."""
        letters = self._store.query(
            "SELECT source_partition, value FROM dead_letters FINAL WHERE topic = {topic:String}"
            " AND log = {log:String} AND reason = {refused:String}",
            {"topic": topic, "log": log, "refused": REFUSED},
            bytes_columns=("value",),
        )
        rows = []
        for letter in letters:
            event = decode(letter["value"])
            if not isinstance(event, Rejected):
                rows.append({**letter, "tenant": event.tenant, "subject": event.subject})
        return rows


def _parts(items: list[Subject], size: int) -> Iterator[list[Subject]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
