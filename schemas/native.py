"""Rows as a block of ClickHouse's Native format, made as they come. Pure; compiled
(`deploy/compile_fold.py`).

A row is looked at once, while its values are near, and is bytes from then on: rows that wait to be
stored are no objects. Who wants to see one reads it back. The format: number of columns and rows;
of each column its name, its type, and its values one after the other
(<https://clickhouse.com/docs/interfaces/formats/Native>).
"""

from collections.abc import Iterator
from typing import Any, Final

from librt.strings import BytesWriter

from schemas.native_columns import ENCODING_ERRORS, Column, Maker, maker_of, put_length, put_text
from schemas.rows import Row

RowTuple = tuple[Any, ...]


class NativeBlock:
    """Rows of a table, tuples in the order of its columns, encoded as they are added."""

    def __init__(self, row_type: type[Row]) -> None:
        self._layout = _layout_of(row_type)
        self._columns: list[Column] = self._layout.empty_columns()
        self._rows = 0
        self.unfit: list[RowTuple] = []
        """What is not of its columns' types; not in `encoded`."""

    def __len__(self) -> int:
        return self._rows + len(self.unfit)

    def __iter__(self) -> Iterator[RowTuple]:
        return iter(self.rows())

    def append(self, row: RowTuple) -> None:
        """Add a row, encoded or to the `unfit`."""
        try:
            self.add(row)
        except ENCODING_ERRORS:
            whole = self._encoded_rows()
            self._columns = self._layout.empty_columns()
            self._rows = 0
            for each in whole:
                self.add(each)
            self.unfit.append(row)

    def add(self, row: RowTuple) -> None:
        """Encode a row.

        Raises one of `ENCODING_ERRORS` where a value is not of its column's type, or there are more
        or fewer values than columns; the block is of no use from then on.
        """
        width = len(self._columns)
        if len(row) != width:
            raise ValueError(f"a row has {len(row)} values for {width} columns")
        # From one to the next: what is taken out of a list is asked for its class each time.
        column = self._columns[0]
        for value in row:
            column.add(value)
            column = column.following
        self._rows += 1

    def rows(self) -> list[RowTuple]:
        """The rows as they were added; the unfit ones last."""
        return self._encoded_rows() + self.unfit

    def sample(self, name: str, begin: int, step: int) -> list[Any]:
        """Every `step`-th value of one column from `begin` on, of the rows that were encoded."""
        return self._columns[self._layout.names.index(name)].sample(self._rows, begin, step)

    def encoded(self) -> bytes:
        """All rows but the unfit, as a block; nothing where there are none."""
        if not self._rows:
            return b""
        layout = self._layout
        head = BytesWriter()
        put_length(head, len(self._columns))
        put_length(head, self._rows)
        parts = [head.getvalue()]
        for title, column in zip(layout.titles, self._columns, strict=True):
            parts.append(title)
            column.put(parts)
        return b"".join(parts)

    def _encoded_rows(self) -> list[RowTuple]:
        return list(zip(*[column.values(self._rows) for column in self._columns], strict=True))


class _Layout:
    """What the blocks of one table have in common."""

    def __init__(self, row_type: type[Row]) -> None:
        self.names: tuple[str, ...] = row_type.columns()
        fields = row_type.model_fields
        self._makers: list[Maker] = []
        self.titles: list[bytes] = []
        """Name and type of each column, and what comes before all of its values."""
        for name, kind in zip(self.names, row_type.types(), strict=True):
            maker = maker_of(kind, binary=fields[name].annotation is bytes)
            self._makers.append(maker)
            title = BytesWriter()
            put_text(title, name)
            put_text(title, kind)
            self.titles.append(title.getvalue() + maker().prefix)

    def empty_columns(self) -> list[Column]:
        columns = [maker() for maker in self._makers]
        for column, following in zip(columns, [*columns[1:], Column()], strict=True):
            column.following = following
        return columns


_layouts: Final[dict[type[Row], _Layout]] = {}


def _layout_of(row_type: type[Row]) -> _Layout:
    layout = _layouts.get(row_type)
    if layout is None:
        layout = _layouts[row_type] = _Layout(row_type)
    return layout
