"""What the folds of derived topics have in common: offsets, and records that cannot be read. Pure.

They keep the contract of `streams.fold.partition.PartitionFold`: what is known after record n
depends on the log alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from schemas.rows import VERSION_OFFSET_BITS, DeadLetterRow
from streams.fold.heard import Record
from streams.fold.output import Pending, Place, dead_letter_row
from streams.fold.partition import OffsetGap


class Unreadable(ValueError):
    """A record that is not what its topic holds; says why."""


class DerivedFold(ABC):
    """Where one partition of a derived topic is read on, and what waits to be stored of it.

    Args:
        topic: the topic.
        partition: number of the partition.
        log: identity of this incarnation of the topic, `epoch` its number in their order (from 1).
    """

    reason: ClassVar[str]
    """Of dead letters."""

    def __init__(self, topic: str, partition: int, log: str, epoch: int) -> None:
        self.log = log
        self.next_offset = 0
        """The offset of the record that is due."""
        self._place = Place(topic, partition, log)
        self._version_base = epoch << VERSION_OFFSET_BITS
        self._pending = Pending()

    @abstractmethod
    def _hear(self, record: Record) -> None:
        """Apply one record. Raises `Unreadable`, and has changed nothing then."""

    def skip_to(self, offset: int) -> None:
        """Go on at `offset`, because the broker does not have the records before it any more."""
        self.next_offset = max(self.next_offset, offset)

    def prepare(self, _most: int) -> int:
        """Nothing is serialised ahead: these states are small."""
        return 0

    def apply(self, records: Sequence[Record], *, gap_is_the_logs: bool = False) -> None:
        """Apply consecutive records; those below the next offset were applied and are skipped.

        Raises:
            OffsetGap: a record lies beyond the next offset. Those before it are applied.
        """
        for record in records:
            if record.offset != self.next_offset:
                if record.offset < self.next_offset:
                    continue
                if not gap_is_the_logs:
                    raise OffsetGap(self.next_offset, record.offset)
            self.next_offset = record.offset + 1
            try:
                self._hear(record)
            except Unreadable as error:
                self._refuse(record, str(error))

    def _refuse(self, record: Record, message: str) -> None:
        self._pending.counts["event", "dead_letter"] += 1
        self._pending.counts["dead_letter", self.reason] += 1
        version = self._version_base + self.next_offset
        row = dead_letter_row(self._place, record, self.reason, "", message, version)
        self._pending.add(DeadLetterRow, row)
