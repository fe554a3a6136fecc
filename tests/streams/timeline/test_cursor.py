import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.timeline.cursor import BadCursor, cursor_after, position_of


@given(at=st.integers(-(1 << 61), 1 << 61), name=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cursor_leads_back_to_its_position(at: int, name: str) -> None:
    assert position_of(cursor_after((at, name))) == (at, name)


def test_a_cursor_is_safe_in_an_address() -> None:
    assert set(cursor_after((1_700_000_000_000, "ä/?&=+ 1"))) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "ä",
        "!!!!",
        encoded("1"),
        encoded("1\n2"),
        encoded("2\n1700000000000\ni-1"),
        encoded("1\nnow\ni-1"),
        encoded("1\n 5\ni-1"),
        encoded(f"1\n{1 << 70}\ni-1"),
        cursor_after((1, "a")) + "=",
        base64.urlsafe_b64encode(b"1\n5\n\xff").decode(),
    ],
)
def test_what_no_page_gave_is_refused(text: str) -> None:
    with pytest.raises(BadCursor, match="ask again without one"):
        position_of(text)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    try:
        position = position_of(text)
    except BadCursor:
        return
    assert cursor_after(position) == text
