"""What a worker asks of whatever reads for it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from faust.types import TP

from streams.fold.output import RowTuple
from streams.identity.messages import Message


class Reader(Protocol):
    """Reads source partitions, and passes on what is to be read again."""

    def commit(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group, for lag tools, what checkpoints cover; some time soon."""
        ...

    async def reread(self, tp: TP, offset: int) -> None:
        """Read a partition again from `offset`."""
        ...

    async def say(self, messages: list[Message]) -> bool:
        """Publish messages for `identity.links`; whether all were acknowledged."""
        ...

    async def tell(self, partials: Sequence[RowTuple]) -> bool:
        """Publish rows of `PartialRecord` on `kpi.panes`; whether all were acknowledged."""
        ...

    async def recover(self) -> None:
        """Recover the partitions that are assigned, as after a rebalance."""
        ...

    def seeks(self, tp: TP) -> int:
        """The number of the partition's last seek."""
        ...
