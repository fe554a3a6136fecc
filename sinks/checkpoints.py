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

_ONE_LOG: Final = "pipeline = {pipeline:String} AND topic = {topic:String} AND log = {log:String}"
_LOGS: Final = (
    "pipeline = {pipeline:String} AND topic IN {topics:Array(String)}"
    " AND (topic, log) IN arrayZip({topics:Array(String)}, {logs:Array(String)})"
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


@dataclass
class Found:
    """The checkpoints of partitions of one log: where each lies, and the newest, still packed.

    `places`: partition -> (slot, next offset) of each checkpoint, the newest first; not of those
    that have none. `newest`: rows of the newest ones; None once they were taken, as they are large.
    """

    topic: str
    log: str
    places: dict[int, list[tuple[int, int]]]
    newest: list[dict[str, Any]] | None


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
            epochs = self._epochs([topic])[topic]
            mine = epochs.get(log)
            if mine is not None and _is_settled(mine, epochs):
                return mine
            # New; or another log was registered at the same moment under the same number, and
            # whoever sees that moves on. One of the two writes before the other reads, so at
            # least one sees it.
            if mine is not None:
                time.sleep(random.uniform(0, 0.1))  # noqa: S311 -- spreads workers
            self._store.insert(TopicLogRow, [(topic, log, max(epochs.values(), default=0) + 1)])
        raise EpochContested(f"topic {topic}: {ATTEMPTS_AT_EPOCH} attempts to register log {log}")

    def log_epochs(self, logs: Mapping[str, str]) -> dict[str, int]:
        """Topic -> `log_epoch` of its log, for several topics (topic -> log).

        One question where all are registered; new logs are registered one by one.
        """
        known = self._epochs(logs)
        found = {}
        for topic, log in logs.items():
            mine = known[topic].get(log)
            if mine is None or not _is_settled(mine, known[topic]):
                mine = self.log_epoch(topic, log)
            found[topic] = mine
        return found

    def _epochs(self, topics: Collection[str]) -> defaultdict[str, dict[str, int]]:
        """Topic -> log -> epoch, of all logs that are registered."""
        rows = self._store.query(
            "SELECT topic, log, max(epoch) AS epoch FROM topic_logs"
            " WHERE topic IN {topics:Array(String)} GROUP BY topic, log",
            {"topics": list(topics)},
        )
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for row in rows:
            found[row["topic"]][row["log"]] = row["epoch"]
        return found

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

    def find(
        self, logs: Mapping[str, str], partitions: Mapping[str, Collection[int]]
    ) -> list[Found]:
        """The checkpoints of partitions (by topic) of logs (topic -> log), for `load`.

        In the order of `logs`. Two questions, however many topics there are: a group that forms
        waits for the answers. Call it at assignment. Raises `sinks.errors.StoreError`.
        """
        places = self._places(logs, partitions)
        found = [Found(topic, log, places.get(topic, {}), []) for topic, log in logs.items()]
        rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        if places:
            for row in self._saved(logs, {topic: _first(of) for topic, of in places.items()}):
                rows[row["topic"]].append(row)
        for of_log in found:
            of_log.newest = rows[of_log.topic]
        return found

    def load(self, found: Found, read: Callable[[Checkpoint], T]) -> dict[int, T]:
        """What `read` makes of the newest readable checkpoint of each partition; none for those
        that never had one.

        A checkpoint is readable when it decompresses and `read` does not raise. One that is not is
        reported, counted, and passed over for the one before. It also sets the slots of the next
        checkpoints. Raises `CheckpointsUnreadable`, `sinks.errors.StoreError`; may be called again
        after that.
        """
        failpoint("before_load")
        topic, log, left = found.topic, found.log, found.places
        for partition, ((slot, _), *_) in left.items():
            self._next_slot[topic, partition, log] = (slot + 1) % SLOTS
        loaded: dict[int, T] = {}
        unreadable: Counter[int] = Counter()
        while left:
            rows, found.newest = found.newest, None
            if rows is None:
                rows = self._saved({topic: log}, {topic: _first(left)})
            while rows:
                row = rows.pop()  # so that no state is kept packed once it is read
                known = self._readable(topic, log, row, read)
                if known is None:
                    unreadable[row["source_partition"]] += 1
                else:
                    loaded[row["source_partition"]] = known
            # What was replaced by a newer one meanwhile, or cannot be read: the one before.
            left = {p: rest for p, (_, *rest) in left.items() if rest and p not in loaded}
        for partition in unreadable.keys() - loaded.keys():
            raise CheckpointsUnreadable(
                f"{topic}[{partition}] of log {log}: none of {unreadable[partition]} checkpoints of"
                f" pipeline {self._pipeline} can be read (see the log). If the broker still has the"
                " topic from its start, delete them and the partition is read anew; if not, run the"
                " version of the program that wrote them"
            )
        if loaded:
            failpoint("after_load")
        return loaded

    def _places(
        self, logs: Mapping[str, str], partitions: Mapping[str, Collection[int]]
    ) -> dict[str, dict[int, list[tuple[int, int]]]]:
        """Topic -> partition -> (slot, next offset) of each checkpoint, the newest first."""
        rows = self._store.query(
            "SELECT DISTINCT topic, source_partition, slot, next_offset FROM checkpoints"  # noqa: S608
            f" WHERE {_LOGS} AND source_partition IN {{partitions:Array(UInt32)}}"
            " ORDER BY topic, source_partition, next_offset DESC, slot",
            {**self._of(logs), "partitions": sorted(set().union(*partitions.values()))},
        )
        found: dict[str, dict[int, list[tuple[int, int]]]] = {}
        for row in rows:
            topic, partition = row["topic"], row["source_partition"]
            if partition in partitions[topic]:
                places = found.setdefault(topic, {}).setdefault(partition, [])
                places.append((row["slot"], row["next_offset"]))
        return found

    def _saved(
        self, logs: Mapping[str, str], places: Mapping[str, Mapping[int, tuple[int, int]]]
    ) -> list[dict[str, Any]]:
        """The checkpoints at places, topic -> partition -> (slot, next offset), that are still
        there.
        """
        numbers = {topic: number for number, topic in enumerate(logs, start=1)}
        asked = [
            (numbers[topic], partition, *place)
            for topic, of_topic in places.items()
            for partition, place in of_topic.items()
        ]
        topics, partitions, slots, offsets = map(list, zip(*asked, strict=True))
        return self._store.query(
            "SELECT topic, source_partition, next_offset, state_version, state FROM checkpoints"  # noqa: S608
            f" WHERE {_LOGS} AND source_partition IN {{partitions:Array(UInt32)}}"
            # Topics by their numbers: their names, once a partition, could be too long a question.
            " AND (indexOf({topics:Array(String)}, topic), source_partition, slot, next_offset) IN"
            " arrayZip({numbers:Array(UInt64)}, {partitions:Array(UInt32)},"
            " {slots:Array(UInt8)}, {offsets:Array(UInt64)}) LIMIT 1 BY topic, source_partition",
            {
                **self._of(logs),
                "numbers": topics,
                "partitions": partitions,
                "slots": slots,
                "offsets": offsets,
            },
            bytes_columns=("state",),
        )

    def begun(self, logs: Mapping[str, str]) -> set[str]:
        """Topics (of topic -> log) of whose log partition 0 has a checkpoint.

        It gets its first one last of all. So ask this before `find`, not with it: in a cluster one
        question may see partition 0, and not the others, as they are a moment later.
        """
        if not logs:
            return set()
        rows = self._store.query(
            f"SELECT DISTINCT topic FROM checkpoints WHERE {_LOGS} AND source_partition = 0",  # noqa: S608
            self._of(logs),
        )
        return {row["topic"] for row in rows}

    def _of(self, logs: Mapping[str, str]) -> dict[str, Any]:
        """The parameters of `_LOGS`."""
        return {"pipeline": self._pipeline, "topics": list(logs), "logs": list(logs.values())}

    def latest_of_previous_log(self, topic: str, log: str) -> list[Checkpoint]:
        """The newest checkpoint of each partition of the log before `log` that decompresses.

        For carrying over what was open when the topic was made anew. A log that left no
        checkpoint is passed over: nothing was carried on in it. Empty where no log before `log`
        left one, or `log` is not registered.
        """
        epoch = self._epochs([topic])[topic].get(log)
        if epoch is None:
            return []
        earlier = [name for name, at in self._logs_with_checkpoints(topic) if at < epoch]
        if not earlier:
            return []
        rows = self._store.query(
            "SELECT DISTINCT source_partition FROM checkpoints"  # noqa: S608 -- constants
            f" WHERE {_ONE_LOG}",
            {"pipeline": self._pipeline, "topic": topic, "log": earlier[-1]},
        )
        partitions = [row["source_partition"] for row in rows]
        (found,) = self.find({topic: earlier[-1]}, {topic: partitions})
        loaded = self.load(found, lambda saved: saved)
        return [loaded[partition] for partition in sorted(loaded)]

    def prune(self, topic: str) -> list[str]:
        """Delete the checkpoints of logs before the last two that have some; returns those logs."""
        old = [name for name, _ in self._logs_with_checkpoints(topic)][:-KEPT_LOGS]
        for log in old:
            self._store.command(
                f"DELETE FROM checkpoints{self._local} WHERE {_ONE_LOG}",  # noqa: S608
                {"pipeline": self._pipeline, "topic": topic, "log": log},
            )
        return old

    def _logs_with_checkpoints(self, topic: str) -> list[tuple[str, int]]:
        """The topic's logs, oldest first, and their epochs."""
        epochs = self._epochs([topic])[topic]
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


def _is_settled(epoch: int, epochs: Mapping[str, int]) -> bool:
    """Whether one log of a topic (log -> epoch) has an epoch for itself."""
    return list(epochs.values()).count(epoch) == 1


def _first(places: Mapping[int, list[tuple[int, int]]]) -> dict[int, tuple[int, int]]:
    return {partition: first for partition, (first, *_) in places.items()}
