"""Names and notices of the derived topics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.derived import LateNotice, place_name

NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)
PLACES = st.tuples(NAMES, st.integers(0, 9_999), st.integers(0, 2**63 - 1), NAMES | st.just("c/t"))


@given(PLACES, PLACES)
def test_a_name_names_one_place(
    one: tuple[str, int, int, str], other: tuple[str, int, int, str]
) -> None:
    assert (place_name(*one) == place_name(*other)) == (one == other)


@given(st.builds(LateNotice, occurred_at=st.datetimes(), watermark_at=st.datetimes()))
def test_a_notice_is_read_as_it_was_written(notice: LateNotice) -> None:
    assert LateNotice.model_validate_json(notice.model_dump_json()) == notice


def test_a_notice_with_more_to_say_is_none_of_ours() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        LateNotice.model_validate({"payload": ""})
