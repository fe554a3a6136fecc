"""Where a page ended, as a text that the next question brings back. Pure.

A cursor says after which contact to go on: by when it began and its id, which is total, so no
contact is shown twice and none is passed over, whatever else began at the same instant. Contacts
that begin in the meantime are before all pages. It gives no access: customer and tenant are asked
anew with every page.
"""

import base64
import binascii
from typing import Final

_FORM: Final = "1"


class BadCursor(ValueError):
    """A text that no page ever gave as its cursor."""

    def __init__(self) -> None:
        super().__init__("this cursor is none that a page gave: ask again without one")


def cursor_after(position: tuple[int, str]) -> str:
    """The cursor after a contact of that position (`sinks.timeline.ContactRef`)."""
    started_ms, interaction_id = position
    text = f"{_FORM}\n{started_ms}\n{interaction_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(cursor: str) -> tuple[int, str]:
    """The position that `cursor_after` was given. Raises `BadCursor`."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        form, started_ms, interaction_id = text.split("\n", 2)
        position = (int(started_ms), interaction_id)
    except (ValueError, binascii.Error) as error:
        raise BadCursor from error
    if form != _FORM or cursor_after(position) != cursor or not -(1 << 62) < position[0] < 1 << 62:
        raise BadCursor
    return position
