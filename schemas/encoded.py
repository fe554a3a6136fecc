"""Rows on their way to the store that are encoded already: tuples again for who looks at one. Pure.

Most rows are read by nobody but ClickHouse. They are kept as the bytes that go there; a sequence of
tuples they are for what is seldom: a row that is refused has to be told from its neighbours.
"""

from collections.abc import Iterator, Sequence
from typing import Any, overload

from schemas.native import NativeBlock, RowTuple
from schemas.rows import Row


class EncodedRows(Sequence[RowTuple]):
    """The rows of blocks of one table, one after the other."""

    def __init__(self, blocks: Sequence[NativeBlock]) -> None:
        self.blocks = tuple(blocks)

    def __len__(self) -> int:
        return sum(len(block) for block in self.blocks)

    def __iter__(self) -> Iterator[RowTuple]:
        for block in self.blocks:
            yield from block.rows()

    @overload
    def __getitem__(self, which: int) -> RowTuple: ...
    @overload
    def __getitem__(self, which: slice) -> list[RowTuple]: ...
    def __getitem__(self, which: int | slice) -> RowTuple | list[RowTuple]:
        return list(self)[which]

    def __repr__(self) -> str:
        return f"EncodedRows({list(self)!r})"


def joined(parts: Sequence[Sequence[RowTuple]]) -> Sequence[RowTuple]:
    """Rows of one table, from several hands."""
    if len(parts) == 1:
        return parts[0]
    encoded = [part for part in parts if isinstance(part, EncodedRows)]
    if len(encoded) == len(parts):
        return EncodedRows([block for part in encoded for block in part.blocks])
    return [row for part in parts for row in part]


def sample(row_type: type[Row], rows: Sequence[RowTuple], name: str, step: int) -> list[Any]:
    """Every `step`-th value of a column; where rows are encoded, of what fits its columns."""
    if not isinstance(rows, EncodedRows):
        at = row_type.columns().index(name)
        return [row[at] for row in rows[::step]]
    found: list[Any] = []
    begin = 0
    for block in rows.blocks:
        found += block.sample(name, begin, step)
        begin = (begin - (len(block) - len(block.unfit))) % step
    return found


def encoded(row_type: type[Row], rows: Sequence[RowTuple]) -> bytes:
    """Rows in ClickHouse's Native format: blocks, one after the other.

    Raises one of `ENCODING_ERRORS` where a value is not of its column's type, or a row has more or
    fewer values than there are columns.
    """
    if isinstance(rows, EncodedRows) and not any(block.unfit for block in rows.blocks):
        return b"".join([block.encoded() for block in rows.blocks])
    block = NativeBlock(row_type)
    for row in rows:
        block.add(row)
    return block.encoded()
