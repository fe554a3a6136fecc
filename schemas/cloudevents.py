"""CloudEvents 1.0 over Kafka: binary mode read, structured mode written.

Reading is for records whose attributes lie in headers; writing is for our own sources, in the
canonical form that `schemas.decode` takes its shortcut on. Pure; imports `schemas.authority`,
`schemas.events` and msgspec.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import msgspec

from schemas import authority
from schemas.authority import Document, Rejected
from schemas.events import EARLIEST_YEAR, EVENT_DATA, LATEST_YEAR, MAX_EVENT_BYTES, Data

Headers: TypeAlias = Sequence[tuple[str, bytes]]
"""A Kafka record's headers: names and values, in the order in which they were sent."""

ATTRIBUTE_PREFIX: Final = "ce_"
CONTENT_TYPE: Final = "content-type"


def is_binary(headers: Headers) -> bool:
    """Whether the attributes lie in the headers and the value is data alone.

    The protocol binding decides by the content type: `application/cloudevents…` means structured,
    even where headers repeat attributes.
    """
    binary = False
    for name, value in headers:
        lower = name.lower()
        if lower == CONTENT_TYPE and value[:23].lower() == b"application/cloudevents":
            return False
        binary = binary or lower.startswith(ATTRIBUTE_PREFIX)
    return binary


def assemble(value: bytes | None, headers: Headers) -> Document | Rejected:
    """The event of a record in binary mode, as its structured form would have been. Never raises.

    Without a value the event has no data.
    """
    document: Document = {}
    for name, raw in headers:
        lower = name.lower()
        if lower.startswith(ATTRIBUTE_PREFIX):
            attribute = lower.removeprefix(ATTRIBUTE_PREFIX)
        elif lower == CONTENT_TYPE:
            attribute = "datacontenttype"
        else:
            continue
        try:
            text = (raw or b"").decode()
        except UnicodeDecodeError as error:
            return authority.refuse(
                "not_utf8", attribute, f"the header {name!r} is not UTF-8 ({error})"
            )
        if attribute in document:
            message = f"the header {name!r} is there twice; send each attribute once"
            return authority.refuse("duplicate_key", attribute, message)
        if attribute == "data":
            message = f"found the header {name!r}; in binary mode the data are the record's value"
            return authority.refuse("invalid_event", attribute, message)
        document[attribute] = text
    content_type = document.get("datacontenttype", "")
    if not _is_json(content_type):
        message = f"found {content_type!r}; the data of an event are JSON (application/json)"
        return authority.refuse("invalid_event", "datacontenttype", message)
    if value:
        data = authority.parse(value)
        if isinstance(data, Rejected):
            path = f"data.{data.path}" if data.path else "data"
            return authority.refuse(data.reason, path, data.message)
        document["data"] = data
    return document


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return not media_type or media_type.endswith(("/json", "+json"))


class _Structured(msgspec.Struct, gc=False, omit_defaults=True):
    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: datetime
    subject: str
    data: msgspec.Raw
    tenant: str = "default"


_to_json: Final = msgspec.json.Encoder().encode
_is_id: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,128}").fullmatch


def encode(
    event_type: str,
    *,
    id: str,  # noqa: A002 - the attribute's name in CloudEvents
    source: str,
    time: datetime,
    subject: str,
    data: Data,
    tenant: str = "default",
) -> bytes:
    """An event in structured mode, in canonical form: compact, in UTC, defaults left out.

    `data` is an instance of `EVENT_DATA[event_type]`. `schemas.decode` reads the result back to the
    same event.

    Raises:
        ValueError: the type is unknown or an attribute is out of its bounds, so that no reader
            would accept the event.
        TypeError: `data` is not of the type's model.
    """
    model = EVENT_DATA.get(event_type)
    if model is None:
        raise ValueError(f"no event type is called {event_type!r}")
    if type(data) is not model:
        raise TypeError(f"{event_type} carries {model.__name__}, not {type(data).__name__}")
    for name, text in (("id", id), ("source", source), ("subject", subject), ("tenant", tenant)):
        if _is_id(text) is None:
            raise ValueError(
                f"{name} {text[:140]!r} is no identity: 1 to 128 characters, no control characters"
            )
    if time.tzinfo is None:
        raise ValueError(f"the time {time} has no offset; give an aware one")
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    if not EARLIEST_YEAR <= utc.year <= LATEST_YEAR:
        raise ValueError(f"the time {utc} is not between {EARLIEST_YEAR} and {LATEST_YEAR}")
    # The serialiser itself: model_dump_json costs twice as much, and sources call this per event.
    body = model.__pydantic_serializer__.to_json(data, by_alias=True, exclude_defaults=True)
    raw = _to_json(
        _Structured("1.0", id, source, event_type, utc, subject, msgspec.Raw(body), tenant)
    )
    if len(raw) > MAX_EVENT_BYTES:
        raise ValueError(f"the event has {len(raw)} bytes; {MAX_EVENT_BYTES} are allowed")
    return raw
