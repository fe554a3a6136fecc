"""From a record's bytes to an event, on the hot path. Pure; imports `schemas` and msgspec.

The authority is `schemas.authority`: pydantic, with an error for every refusal. `shortcut` decodes
with msgspec instead, about ten times as fast, and may only accept what the authority accepts, with
equal values. Why that holds:

1. The structs have the fields, types, lengths and ranges of the models (`schemas.wire`), and both
   parsers are strict: no coercion, no NaN, no control characters inside strings, UTF-8 checked.
   What the structs leave out is checked on the bytes: no backslash and no DEL, so a string holds
   no control character at all; the size; the year of the time. Types whose data hold times are
   left to the authority, so that no other year needs a look.
2. msgspec passes over unknown keys and takes the last of repeated ones; the authority reports the
   former and refuses the latter. So the strings are counted. Without a backslash every `"` in the
   record begins or ends a string. Encoding the decoded event again, without its defaults, writes
   only keys and strings that stood in the record, each once. Hence its quotes are at most the
   record's, and they are equal in number only if every key was known and stood there once. The
   count does not depend on white space, nor on how numbers or times are written.

A default that a source spells out is decoded to the default and not written again, so the count
differs; it differs too if the source has fields of its own. Sources that do so do it in every
event, so there is a second way past the authority, `detour`: the record decoded without types keeps
every key, and its encoding has as many quotes as the record only if none stood there twice.
"""

from collections.abc import Callable
from typing import Final, Union

import msgspec

from schemas import authority, cloudevents
from schemas.authority import Rejected
from schemas.cloudevents import Headers
from schemas.events import EARLIEST_YEAR, LATEST_YEAR, MAX_EVENT_BYTES
from schemas.wire import TIMELESS, Event

__all__ = ["Event", "Headers", "Rejected", "decode", "detour", "shortcut", "unknown_fields"]

_from_json: Final[Callable[[bytes], Event]] = msgspec.json.Decoder(Union[TIMELESS]).decode  # noqa: UP007
_DETOUR_BYTES: Final = 4096
"""Too few for an integer of so many digits that the authority refuses to read it."""
# Numbers that compiled code finds without looking them up in another module.
_MOST_BYTES: Final[int] = MAX_EVENT_BYTES
_FIRST_YEAR: Final[int] = EARLIEST_YEAR
_LAST_YEAR: Final[int] = LATEST_YEAR
_BACKSLASH: Final = 0x5C
_DELETE: Final = 0x7F
_to_json: Final = msgspec.json.Encoder().encode
_QUOTES_AROUND: Final = 26
"""Around the data of an event: those of the key `data`, and of the keys and values of the six other
attributes that every event has. Which are there in any case, so the count holds without a look."""


def decode(value: bytes | None, headers: Headers = ()) -> Event | Rejected:
    """Read one record: an event, or why it is none. Never raises, whatever the bytes.

    With the headers of CloudEvents' binary mode (`ce_id`, …) the value is the event's data alone;
    else it is the whole event.
    """
    if headers and cloudevents.is_binary(headers):
        document = cloudevents.assemble(value, headers)
        return document if isinstance(document, Rejected) else authority.judge(document)
    if value is None:
        return Rejected("empty", "", "the record has no value; an event is a JSON object")
    return shortcut(value) or detour(value) or authority.read(value)


def shortcut(value: bytes) -> Event | None:
    """The event in structured mode, or None: then only the authority can tell. Never raises."""
    if len(value) > _MOST_BYTES or _has_escape_or_delete(value):
        return None
    try:
        event = _from_json(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    data = _to_json(event.data)
    # Most sources write the data last, as they are encoded here: then what comes before counts.
    end = len(value) - 1 - len(data)
    if value[end:-1] == data:
        known = value.count(b'"', 0, end) == _QUOTES_AROUND
    else:
        known = value.count(b'"') == data.count(b'"') + _QUOTES_AROUND
    # If not, it may have attributes that need not be there.
    if not known and _to_json(event).count(b'"') != value.count(b'"'):
        return None
    # The first and last year depend on the offset.
    return event if _FIRST_YEAR < event.time.year < _LAST_YEAR else None


def detour(value: bytes) -> Event | None:
    """The event without the fields that no model knows, or None: ask the authority. Never raises.

    For what `shortcut` did not take. What no model knows must still be JSON that the authority can
    read: not too deep, and without endless numbers.
    """
    if len(value) > _DETOUR_BYTES or _has_escape_or_delete(value):
        return None
    if value.count(b"{") + value.count(b"[") > authority.MAX_DEPTH:
        return None
    try:
        event = _from_json(value)
        everything = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if _to_json(everything).count(b'"') != value.count(b'"'):
        return None
    return event if _FIRST_YEAR < event.time.year < _LAST_YEAR else None


def _has_escape_or_delete(value: bytes) -> bool:
    # By their numbers: as bytes, `in` would first try them for one, and make an error of it that
    # nobody sees, and `find` takes its arguments apart at length.
    return _BACKSLASH in value or _DELETE in value


def unknown_fields(value: bytes | None, headers: Headers = ()) -> tuple[str, ...]:
    """Paths of an event's fields that no model knows, to be reported once per source.

    For records that `decode` gave as an event and `shortcut` did not; empty where the bytes cannot
    be read. Paths are as `data.customer.identifiers[].label`.
    """
    if headers and cloudevents.is_binary(headers):
        document = cloudevents.assemble(value, headers)
    else:
        document = authority.parse(value or b"")
    return authority.unknown_fields(document) if isinstance(document, dict) else ()
