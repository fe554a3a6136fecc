from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.blocks import LONGEST_REST_SECONDS, REST, parts_of, rest_after

BYTES = st.none() | st.binary(max_size=9)
WHOLE = st.binary(min_size=1, max_size=9)
HEADERS: st.SearchStrategy[Any] = st.just([]) | st.lists(
    st.tuples(st.text("ab", max_size=3), BYTES), max_size=2
)


def records(key: Any, value: Any, headers: Any) -> Any:
    """Records with such keys, values and headers."""
    return st.lists(st.builds(SimpleNamespace, key=key, value=value, headers=headers), max_size=9)


def size_of(record: Any) -> int:
    of_headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + of_headers


@given(records(BYTES, BYTES, HEADERS) | records(WHOLE, WHOLE, st.just([])), st.integers(1, 60))
def test_parts_are_everything_in_order_and_none_is_larger_by_more_than_a_record(
    given: list[Any], limit: int
) -> None:
    parts = list(parts_of(given, limit))
    assert [record for part, _ in parts for record in part] == given
    for part, size in parts:
        assert size == sum(map(size_of, part))
        assert size - size_of(part[-1]) < limit
    assert all(size >= limit for _, size in parts[:-1])


def test_storing_takes_a_fifth_of_the_time() -> None:
    assert rest_after(0.1) == pytest.approx(REST * 0.1)


def test_an_outage_is_not_rested_for() -> None:
    assert rest_after(70 * 60) == LONGEST_REST_SECONDS
