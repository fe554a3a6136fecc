import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rows import DeadLetterRow, Row
from schemas.tables import ROWS
from sinks.refused import MAX_WORDS, dead_letter

ANYTHING = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.integers() | st.binary(), max_size=2),
    st.dictionaries(st.integers() | st.text(), st.text(), max_size=2),
)


@st.composite
def broken_rows(draw: st.DrawFn) -> tuple[type[Row], tuple[Any, ...]]:
    row_type = draw(st.sampled_from(ROWS))
    return row_type, draw(st.tuples(*([ANYTHING] * len(row_type.columns()))))


@given(broken=broken_rows(), words=st.text(st.characters()))
def test_a_dead_letter_is_valid_whatever_was_in_the_row(
    broken: tuple[type[Row], tuple[Any, ...]], words: str
) -> None:
    row_type, row = broken
    letter = dict(zip(DeadLetterRow.columns(), dead_letter(row_type, row, words), strict=True))
    DeadLetterRow.model_validate(letter)
    assert 0 <= letter["source_partition"] < 2**32
    assert 0 <= letter["source_offset"] < 2**64
    assert 0 <= letter["version"] < 2**64
    assert 0 < letter["produced_at"] <= 4_102_444_800_000
    for name in ("topic", "log", "error"):
        letter[name].encode()
    assert len(letter["error"]) <= MAX_WORDS
    assert letter["error_path"] == row_type.TABLE


@given(broken=broken_rows())
def test_the_same_row_gives_the_same_letter(
    broken: tuple[type[Row], tuple[Any, ...]],
) -> None:
    assert dead_letter(*broken, "words") == dead_letter(*broken, "words")


@pytest.mark.parametrize("row_type", ROWS[1:], ids=lambda row_type: row_type.TABLE)
def test_rows_of_other_tables_are_kept_whole(row_type: type[Row]) -> None:
    row = tuple(f"{name}!" for name in row_type.columns())
    letter = dict(zip(DeadLetterRow.columns(), dead_letter(row_type, row, ""), strict=True))
    kept = json.loads(letter["value"])
    assert kept == {name: f"{name}!" for name in row_type.columns()}
    assert set(json.loads(letter["key"])) == set(row_type.KEY)
