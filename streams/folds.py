"""What a worker needs of a fold, whatever its topic. Pure."""

from collections.abc import Sequence
from typing import Protocol

from streams.fold.heard import Record
from streams.fold.output import Output


class Fold(Protocol):
    """The state of one partition, and the rows that come of it."""

    @property
    def state_version(self) -> int:
        """The format of what `snapshot` gives."""
        ...

    @property
    def log(self) -> str:
        """Identity of the incarnation of the topic that offsets count in."""
        ...

    @property
    def next_offset(self) -> int:
        """The offset of the record that is due."""
        ...

    @property
    def pending(self) -> int:
        """How many rows `drain` would give, about."""
        ...

    def skip_to(self, offset: int) -> None:
        """Go on at `offset`, because the broker does not have the records before it any more."""
        ...

    def apply(self, records: Sequence[Record], *, gap_is_the_logs: bool = False) -> None:
        """Apply consecutive records; those below the next offset were applied and are skipped."""
        ...

    def erase(self) -> int:
        """Forget erased customers; how much there was of them."""
        ...

    def drain(self) -> Output:
        """The rows that changed since the last call, as they are now, and what was counted."""
        ...

    def prepare(self, most: int) -> int:
        """Go on with serialising ahead what `snapshot` will give, by so many things at most; how
        many are left. Nothing but time depends on it.
        """
        ...

    def snapshot(self) -> bytes:
        """The state, serialised; the rows up to it must have been drained and stored before."""
        ...
