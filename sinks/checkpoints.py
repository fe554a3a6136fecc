"""Checkpoints, and the order of a topic's logs.

A checkpoint says: every row of this source partition up to `next_offset` is stored, and this is
the fold's state there. Checkpoints of one source partition take turns in a few slots; the engine's
replacing retires the older ones, and the one before the newest is always there to fall back on.
Touches the store it is given. In a cluster a read may miss the newest checkpoint of another
replica: an older one only means a longer replay.
"""

import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import zstandard

from schemas.rows import VERSION_OFFSET_BITS, CheckpointRow, TopicLogRow
from sinks.failpoints import failpoint
from sinks.metrics import Metrics
from sinks.store import Store

logger = logging.getLogger(__name__)

T = TypeVar("T")

SLOTS: Final = 3
KEPT_LOGS: Final = 2
"""Incarnations of a topic whose checkpoints are kept: the current one and the one before, whose
open interactions are carried over."""
ATTEMPTS_AT_EPOCH: Final = 20

_PARTITION_KEY: Final = (
    "pipeline = {pipeline:String} AND topic = {topic:String} AND log = {log:String}"
)


class CheckpointsUnreadable(Exception):
    """There are checkpoints of a source partition, and none of them can be read.

    Starting without state would recount the partition from its first offset: right if the broker
    still has it, wrong if not. A person decides.
    """


class EpochContested(Exception):
    """Other logs of the topic kept being registered at the same moment."""


@dataclass(frozen=True)
class Checkpoint:
    """A fold's state (decompressed) at `next_offset` of one source partition of one log."""

    topic: str
    partition: int
    log: str
    next_offset: int
    state_version: int
    state: bytes


class CheckpointStore:
    """The checkpoints of one pipeline (a name for what the state is of, like `stage1`).

    Not for use from several threads at once.
    """

    def __init__(
        self, store: Store, pipeline: str, metrics: Metrics, cluster: str | None = None
    ) -> None:
        self._store = store
        self._local = f"_local ON CLUSTER `{cluster}`" if cluster else ""
        self._pipeline = pipeline
        self._metrics = metrics
        self._next_slot: dict[tuple[str, int, str], int] = {}
        self._compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)

    def log_epoch(self, topic: str, log: str) -> int:
        """The place of `log` among the topic's incarnations: 1 for the first. Registers a new one.

        Call it at every assignment. Workers that register the same log agree on its epoch; two
        logs never share one. Raises `EpochContested`, `sinks.errors.StoreError`.
        """
        for _ in range(ATTEMPTS_AT_EPOCH):
            epochs = self._epochs(topic)
            mine = epochs.get(log)
            if mine is not None and list(epochs.values()).count(mine) == 1:
                return mine
            # New; or another log was registered at the same moment under the same number, and
            # whoever sees that moves on. One of the two writes before the other reads, so at
            # least one sees it.
            if mine is not None:
                time.sleep(random.uniform(0, 0.1))  # noqa: S311 -- spreads workers
            self._store.insert(TopicLogRow, [(topic, log, max(epochs.values(), default=0) + 1)])
        raise EpochContested(f"topic {topic}: {ATTEMPTS_AT_EPOCH} attempts to register log {log}")

    def _epochs(self, topic: str) -> dict[str, int]:
        rows = self._store.query(
            "SELECT log, max(epoch) AS epoch FROM topic_logs WHERE topic = {topic:String}"
            " GROUP BY log",
            {"topic": topic},
        )
        return {row["log"]: row["epoch"] for row in rows}

    def row(
        self,
        topic: str,
        partition: int,
        log: str,
        epoch: int,
        next_offset: int,
        state_version: int,
        state: bytes,
    ) -> tuple[Any, ...]:
        """The row of `CheckpointRow` to write for a state; compresses it. Takes the next slot."""
        slot = self._next_slot.get((topic, partition, log), 0)
        self._next_slot[topic, partition, log] = (slot + 1) % SLOTS
        packed = self._compressor.compress(state)
        self._metrics.checkpoint_bytes.labels(topic, str(partition)).set(len(packed))
        fields = {
            "pipeline": self._pipeline,
            "topic": topic,
            "source_partition": partition,
            "log": log,
            "slot": slot,
            "next_offset": next_offset,
            "state_version": state_version,
            "state": packed,
            "version": epoch << VERSION_OFFSET_BITS | next_offset,
        }
        return tuple(fields[name] for name in CheckpointRow.columns())

    def load(
        self, topic: str, partitions: Collection[int], log: str, read: Callable[[Checkpoint], T]
    ) -> dict[int, T]:
        """What `read` makes of the newest readable checkpoint of each partition; none for those
        that never had one.

        A checkpoint is readable when it decompresses and `read` does not raise. One that is not is
        reported, counted, and passed over for the one before. Call it at assignment: it also sets
        the slots of the next checkpoints. Asks for all partitions at once, as a group that forms
        waits for it. Raises `CheckpointsUnreadable`, `sinks.errors.StoreError`.
        """
        failpoint("before_load")
        left = self._candidates(topic, partitions, log)
        for partition, ((slot, _), *_) in left.items():
            self._next_slot[topic, partition, log] = (slot + 1) % SLOTS
        found: dict[int, T] = {}
        unreadable: Counter[int] = Counter()
        while left:
            newest = {partition: candidates[0] for partition, candidates in left.items()}
            for row in self._saved(topic, log, newest):
                known = self._readable(topic, log, row, read)
                if known is None:
                    unreadable[row["source_partition"]] += 1
                else:
                    found[row["source_partition"]] = known
            # What was replaced by a newer one meanwhile, or cannot be read: the one before.
            left = {p: rest for p, (_, *rest) in left.items() if rest and p not in found}
        for partition in unreadable.keys() - found.keys():
            raise CheckpointsUnreadable(
                f"{topic}[{partition}] of log {log}: none of {unreadable[partition]} checkpoints of"
                f" pipeline {self._pipeline} can be read (see the log). If the broker still has the"
                " topic from its start, delete them and the partition is read anew; if not, run the"
                " version of the program that wrote them"
            )
        if found:
            failpoint("after_load")
        return found

    def _candidates(
        self, topic: str, partitions: Collection[int], log: str
    ) -> dict[int, list[tuple[int, int]]]:
        """By partition, (slot, next offset) of each checkpoint, the newest first."""
        rows = self._store.query(
            "SELECT DISTINCT source_partition, slot, next_offset FROM checkpoints"  # noqa: S608
            f" WHERE {_PARTITION_KEY} AND source_partition IN {{partitions:Array(UInt32)}}"
            " ORDER BY source_partition, next_offset DESC, slot",
            {
                "pipeline": self._pipeline,
                "topic": topic,
                "log": log,
                "partitions": sorted(partitions),
            },
        )
        found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for row in rows:
            found[row["source_partition"]].append((row["slot"], row["next_offset"]))
        return dict(found)

    def _saved(
        self, topic: str, log: str, places: Mapping[int, tuple[int, int]]
    ) -> list[dict[str, Any]]:
        """The checkpoints at places, partition -> (slot, next offset), that are still there."""
        return self._store.query(
            "SELECT source_partition, next_offset, state_version, state FROM checkpoints"  # noqa: S608
            f" WHERE {_PARTITION_KEY} AND source_partition IN {{partitions:Array(UInt32)}}"
            " AND (source_partition, slot, next_offset) IN arrayZip({partitions:Array(UInt32)},"
            " {slots:Array(UInt8)}, {offsets:Array(UInt64)}) LIMIT 1 BY source_partition",
            {
                "pipeline": self._pipeline,
                "topic": topic,
                "log": log,
                "partitions": list(places),
                "slots": [slot for slot, _ in places.values()],
                "offsets": [offset for _, offset in places.values()],
            },
            bytes_columns=("state",),
        )

    def has_begun(self, topic: str, log: str) -> bool:
        """Whether partition 0 of a log has a checkpoint. It gets its first one last of all."""
        rows = self._store.query(
            f"SELECT count() > 0 AS begun FROM checkpoints WHERE {_PARTITION_KEY}"  # noqa: S608
            " AND source_partition = 0",
            {"pipeline": self._pipeline, "topic": topic, "log": log},
        )
        return bool(rows[0]["begun"])

    def latest_of_previous_log(self, topic: str, log: str) -> list[Checkpoint]:
        """The newest checkpoint of each partition of the log before `log` that decompresses.

        For carrying over what was open when the topic was made anew. A log that left no
        checkpoint is passed over: nothing was carried on in it. Empty where no log before `log`
        left one, or `log` is not registered.
        """
        epoch = self._epochs(topic).get(log)
        if epoch is None:
            return []
        earlier = [name for name, at in self._logs_with_checkpoints(topic) if at < epoch]
        if not earlier:
            return []
        rows = self._store.query(
            "SELECT DISTINCT source_partition FROM checkpoints"  # noqa: S608 -- constants
            f" WHERE {_PARTITION_KEY}",
            {"pipeline": self._pipeline, "topic": topic, "log": earlier[-1]},
        )
        partitions = [row["source_partition"] for row in rows]
        found = self.load(topic, partitions, earlier[-1], lambda saved: saved)
        return [found[partition] for partition in sorted(found)]

    def prune(self, topic: str) -> list[str]:
        """Delete the checkpoints of logs before the last two that have some; returns those logs."""
        old = [name for name, _ in self._logs_with_checkpoints(topic)][:-KEPT_LOGS]
        for log in old:
            self._store.command(
                f"DELETE FROM checkpoints{self._local} WHERE {_PARTITION_KEY}",  # noqa: S608
                {"pipeline": self._pipeline, "topic": topic, "log": log},
            )
        return old

    def _logs_with_checkpoints(self, topic: str) -> list[tuple[str, int]]:
        """The topic's logs, oldest first, and their epochs."""
        epochs = self._epochs(topic)
        rows = self._store.query(
            "SELECT DISTINCT log FROM checkpoints WHERE pipeline = {pipeline:String}"
            " AND topic = {topic:String}",
            {"pipeline": self._pipeline, "topic": topic},
        )
        logs = [(row["log"], epochs[row["log"]]) for row in rows if row["log"] in epochs]
        return sorted(logs, key=lambda found: found[1])

    def _readable(
        self, topic: str, log: str, row: dict[str, Any], read: Callable[[Checkpoint], T]
    ) -> T | None:
        partition, next_offset = row["source_partition"], row["next_offset"]
        version = row["state_version"]
        try:
            state = zstandard.ZstdDecompressor().decompress(row["state"])
            return read(Checkpoint(topic, partition, log, next_offset, version, state))
        except Exception:  # whatever a damaged state makes the caller's decoder do
            self._metrics.checkpoints_unreadable.labels(topic, str(partition)).inc()
            logger.exception(
                "checkpoint of %s[%d] at offset %d (log %s, state version %d) cannot be read:"
                " falling back to the one before",
                *(topic, partition, next_offset, log, version),
            )
            return None
