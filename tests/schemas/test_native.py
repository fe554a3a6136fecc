"""Rows that are encoded are read back as they were; what ClickHouse reads: `tests/sinks`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoded import EncodedRows, encoded, joined, sample
from schemas.native import NativeBlock, RowTuple
from schemas.native_columns import ENCODING_ERRORS, maker_of
from schemas.rows import DeadLetterRow, EventRow, Row
from schemas.tables import ROWS
from tests.support.rows import row

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "UInt8": st.integers(0, 2**8 - 1),
    "UInt16": st.integers(0, 2**16 - 1),
    "UInt32": st.integers(0, 2**32 - 1),
    "DateTime": st.integers(0, 2**32 - 1),
    "UInt64": st.integers(0, 2**64 - 1),
    "Int32": st.integers(-(2**31), 2**31 - 1),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "DateTime64": st.integers(-(2**63), 2**63 - 1),
    "Float64": st.floats(allow_nan=False),
}
WRONG: list[dict[str, Any]] = [
    {"subject": 1},
    {"subject": None},
    {"subject": "\ud800"},
    {"source": 1},
    {"source_offset": "1"},
    {"source_offset": 1.5},
    {"source_offset": None},
    {"source_offset": -1},
    {"source_partition": 2**32},
    {"occurred_at": 2**63},
]


def values(kind: str, annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a column of a ClickHouse type."""
    name, _, inside = kind.removesuffix(")").partition("(")
    if name == "Nullable":
        return st.none() | values(inside, None)
    if name == "Array":
        return st.lists(values(inside, None), max_size=4)
    if name == "Map":
        key, _, value = inside.partition(", ")
        return st.dictionaries(values(key, None), values(value, None), max_size=4)
    if name == "Tuple":
        return st.tuples(TEXTS, st.binary(max_size=40))
    if name == "String" and annotation is bytes:
        return st.binary(max_size=200)
    return TEXTS if name in ("String", "LowCardinality") else NUMBERS[name]


def rows_of(row_type: type[Row]) -> st.SearchStrategy[list[RowTuple]]:
    fields = row_type.model_fields.values()
    kinds = zip(row_type.types(), fields, strict=True)
    return st.lists(st.tuples(*[values(kind, f.annotation) for kind, f in kinds]), max_size=5)


ANY_ROWS = st.sampled_from(ROWS).flatmap(lambda t: st.tuples(st.just(t), rows_of(t), rows_of(t)))


@given(ANY_ROWS)
def test_rows_are_read_back_as_they_were_added(
    given_rows: tuple[type[Row], list[RowTuple], list[RowTuple]],
) -> None:
    row_type, first, second = given_rows
    blocks = [NativeBlock(row_type), NativeBlock(row_type)]
    for block, rows in zip(blocks, (first, second), strict=True):
        for each in rows:
            block.append(each)
        assert list(block) == rows
    both = joined([EncodedRows([block]) for block in blocks])
    assert list(both) == first + second
    assert (len(both), both[:1]) == (len(first + second), (first + second)[:1])
    for at, name in enumerate(row_type.columns()):
        expected = [each[at] for each in first + second]
        for step in (1, 2, 3):
            told = sample(row_type, both, name, step), sample(row_type, first + second, name, step)
            assert told == (expected[::step], expected[::step])
    assert encoded(row_type, both) == b"".join(encoded(row_type, rows) for rows in (first, second))


@given(st.lists(st.sampled_from([{}, *WRONG]), max_size=6), rows_of(EventRow))
def test_a_row_that_does_not_fit_is_kept_and_leaves_no_trace_in_the_others(
    wrongs: list[dict[str, Any]], right: list[RowTuple]
) -> None:
    block = NativeBlock(EventRow)
    unfit = [row(EventRow, **wrong) for wrong in wrongs if wrong]
    for each in right:
        block.append(each)
    for wrong in wrongs:
        block.append(row(EventRow, **wrong))
    right = right + [row(EventRow) for wrong in wrongs if not wrong]
    assert (block.rows(), block.unfit, len(block)) == (right + unfit, unfit, len(right + unfit))
    whole = NativeBlock(EventRow)
    for each in right:
        whole.append(each)
    assert block.encoded() == whole.encoded()
    if unfit:
        with pytest.raises(ENCODING_ERRORS):
            encoded(EventRow, EncodedRows([whole, block]))


def test_a_half_written_row_is_taken_back_whatever_its_columns() -> None:
    letters = [row(DeadLetterRow, key=bytes([n]), headers=[("a", b"\xff")]) for n in range(3)]
    bad = row(DeadLetterRow, headers=[("a", b"b"), ("c", 1)])
    block = NativeBlock(DeadLetterRow)
    for each in (*letters[:2], bad, letters[2]):
        block.append(each)
    assert block.rows() == [*letters, bad]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_value_that_is_not_of_its_columns_type_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ENCODING_ERRORS):
        encoded(EventRow, [row(EventRow), row(EventRow, **wrong)])


@pytest.mark.parametrize("wrong", [row(EventRow)[:-1], (*row(EventRow), 1)])
def test_a_row_of_another_width_is_an_error(wrong: tuple[Any, ...]) -> None:
    with pytest.raises(ENCODING_ERRORS):
        encoded(EventRow, [row(EventRow), wrong])


def test_a_type_that_is_not_known_is_named() -> None:
    with pytest.raises(NotImplementedError, match="UUID"):
        maker_of("Array(UUID)")
