"""How a worker takes a partition over: the fold as its checkpoint left it, or a first one.

Asks the broker through the protocol `Broker`, the store through the checkpoint store, the writer
and the carry-over it is given. Everything here blocks: it is for a thread. Nothing here depends on
who else holds the partition at the same time: what is written is the same whoever writes it.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from faust.types import TP

from schemas.rows import CheckpointRow
from sinks.checkpoints import Checkpoint, CheckpointStore, Found
from sinks.errors import StoreError
from sinks.writer import Writer
from streams.broker_admin import BrokerUnavailableError
from streams.carry_over import CarryOver
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.fold.state import restore
from streams.folds import Fold
from streams.topic_admin import TopicsMissingError

logger = logging.getLogger(__name__)

Bounds = Mapping[TP, tuple[int, int]]
"""Source partition -> (oldest offset kept, offset of the next record, or less)"""


class LogTruncated(Exception):
    """The broker has fewer records of a log than were applied already."""

    def __init__(self, tp: TP, applied: int) -> None:
        super().__init__(
            f"{named(tp)}: {applied} records were applied, and the broker has fewer of the same"
            " log. It lost acknowledged records (an unclean leader election, a restored disk). New"
            " records would be taken for old ones: make the topic anew, so that it gets a new log,"
            " and let the sources publish what was lost."
        )


class Broker(Protocol):
    """What is asked of the broker. Calls block; `BrokerUnavailableError` is tried again."""

    def logs(self, topics: frozenset[str]) -> Mapping[str, str]:
        """Topic -> identity of its present log."""
        ...

    def bounds(self, topics: frozenset[str]) -> Bounds:
        """Source partition -> (oldest offset kept, offset of the next record, or less)."""
        ...

    def ends_before(self, tp: TP, offset: int) -> bool:
        """Whether the log ends before `offset`, for certain."""
        ...


class Beginning(Protocol):
    """Begins the folds of a topic that is derived from others. Calls block."""

    @property
    def topic(self) -> str:
        """The topic."""
        ...

    def restored(self, partition: int, log: str, epoch: int, saved: Checkpoint) -> Fold:
        """The fold as its checkpoint left it. Raises `StateUnreadable`."""
        ...

    def first(self, partition: int, partitions: int, log: str, epoch: int) -> Fold:
        """The fold of a log of which no checkpoint was ever written. Raises `StoreError`."""
        ...


@dataclass(slots=True)
class Held:
    """A source partition that this worker processes.

    `checkpointed` is the next offset of its last stored checkpoint. Only chunks that were read
    after seek number `read_since` are its log's for certain. `reread_at` is the number of the seek
    before the chunk that showed that records had been lost on the way. `untold`: what stage 2 is to
    know of it went into a block that is not announced yet.
    """

    fold: Fold
    epoch: int
    checkpointed: int
    read_since: int = -1
    reread_at: int = -1
    untold: bool = False


class Stored(NamedTuple):
    """What is stored of a topic's log.

    `wanted` are the partitions to begin, `partitions` how many the topic has.
    """

    epoch: int
    wanted: Collection[int]
    partitions: int
    checkpoints: Found


class Takeover:
    """Begins the folds of partitions."""

    def __init__(
        self,
        broker: Broker,
        checkpoints: CheckpointStore,
        carry_over: CarryOver,
        writer: Writer,
        rules: FoldRules,
        *derived: Beginning,
    ) -> None:
        self._broker = broker
        self._checkpoints = checkpoints
        self._carry_over = carry_over
        self._writer = writer
        self._rules = rules
        self._derived = {beginning.topic: beginning for beginning in derived}

    def logs_changed(self, logs: Mapping[str, str]) -> bool:
        """Whether topics (topic -> log) have other logs by now, or none."""
        try:
            present = self._broker.logs(frozenset(logs))
        except TopicsMissingError as error:
            logger.warning("topics were deleted: %s", error)
            return True
        changed = sorted(topic for topic, log in logs.items() if present[topic] != log)
        if changed:
            logger.warning("topics were made anew: %s", ", ".join(changed))
        return bool(changed)

    def present(self, topics: frozenset[str]) -> tuple[Mapping[str, str], Bounds]:
        """The logs of topics of which partitions are assigned, and what the broker keeps of them.

        Raises:
            BrokerUnavailableError: nobody answered, or a topic is not there: a rebalance will take
                its partitions away, or somebody is making it anew.
        """
        try:
            return self._broker.logs(topics), self._broker.bounds(topics)
        except TopicsMissingError as error:
            raise BrokerUnavailableError(str(error)) from error

    def look_up(
        self,
        logs: Mapping[str, str],
        wanted: Mapping[str, Collection[int]],
        partitions: Mapping[str, Collection[int]],
    ) -> dict[str, Stored]:
        """Topic -> what is stored of its log (of topic -> log), to begin the `wanted` partitions.

        Four questions where all logs have begun. A new log, of these `partitions`, begins here with
        what the old one left. Raises `CheckpointsUnreadable` if none of that can be read.
        """
        epochs = self._checkpoints.log_epochs(logs)
        sources = {topic: log for topic, log in logs.items() if topic not in self._derived}
        begun = self._checkpoints.begun(sources)
        for topic, log in sources.items():
            if topic not in begun and self._carry_over.begin(topic, log, partitions[topic]):
                self._forget_old_logs(topic)
        return {
            found.topic: Stored(
                epochs[found.topic], wanted[found.topic], len(partitions[found.topic]), found
            )
            for found in self._checkpoints.find(logs, wanted)
        }

    def begin(self, stored: Stored) -> dict[int, Held]:
        """The folds of a topic's wanted partitions, from what `look_up` found.

        Raises:
            CheckpointsUnreadable: none of a partition's checkpoints can be read.
        """
        epoch, wanted, partitions, found = stored

        def restored(saved: Checkpoint) -> Held:
            fold = self._restored(epoch, saved)
            return Held(fold, epoch, fold.next_offset)

        held = self._checkpoints.load(found, restored)
        for partition in wanted:
            if partition not in held:
                tp = TP(found.topic, partition)
                held[partition] = self._first(tp, found.log, epoch, partitions)
        return held

    def _first(self, tp: TP, log: str, epoch: int, partitions: int) -> Held:
        """The fold of a partition without a checkpoint, in a topic of so many."""
        derived = self._derived.get(tp.topic)
        if derived is None:
            # It was added to a log in use: nothing is known of it.
            empty = PartitionFold(tp.topic, tp.partition, log, epoch, self._rules)
            return Held(empty, epoch, empty.next_offset)
        fold = derived.first(tp.partition, partitions, log, epoch)
        held = Held(fold, epoch, fold.next_offset)
        rows = fold.drain().rows
        # From here on what was carried over lies in this log's own checkpoint.
        rows[CheckpointRow] = [self.checkpoint_row(tp, held, 0, fold.snapshot())]
        self._writer.write(rows)
        if tp.partition == 0:  # there is one in every log, so one worker does it
            self._forget_old_logs(tp.topic)
        return held

    def _forget_old_logs(self, topic: str) -> None:
        try:
            self._checkpoints.prune(topic)
        except StoreError as error:
            # Nothing depends on it but space.
            logger.warning("checkpoints of old logs of %s were not deleted: %s", topic, error)

    def _restored(self, epoch: int, saved: Checkpoint) -> Fold:
        topic, partition, log = saved.topic, saved.partition, saved.log
        derived = self._derived.get(topic)
        if derived is not None:
            return derived.restored(partition, log, epoch, saved)
        state = restore(saved.state, saved.state_version)
        return PartitionFold(topic, partition, log, epoch, self._rules, state)

    def checkpoint_row(self, tp: TP, held: Held, next_offset: int, state: bytes) -> tuple[Any, ...]:
        """The row of a checkpoint. Compresses; takes the next slot."""
        return self._checkpoints.row(
            *(tp.topic, tp.partition, held.fold.log, held.epoch),
            *(next_offset, held.fold.state_version, state),
        )

    def fit_to_logs(self, folds: Mapping[TP, Fold], bounds: Bounds) -> None:
        """Compare folds with what the broker keeps: skip what it deleted before it was read.

        Raises:
            LogTruncated: it has less than was applied already.
        """
        for tp, fold in folds.items():
            oldest, end = bounds[tp]
            if fold.next_offset > end:
                self.refuse_truncated(tp, fold.next_offset)
            if fold.next_offset < oldest:
                logger.error(
                    "%s: records %d to %d were deleted by the broker's retention before they were"
                    " read",
                    named(tp),
                    fold.next_offset,
                    oldest - 1,
                )
                fold.skip_to(oldest)

    def refuse_truncated(self, tp: TP, applied: int) -> None:
        """Raise `LogTruncated` if the log ends before the next offset `applied`, for certain."""
        if self._broker.ends_before(tp, applied):
            raise LogTruncated(tp, applied)


def named(tp: TP) -> str:
    """A partition for a person: `events.call[3]`."""
    return f"{tp.topic}[{tp.partition}]"
