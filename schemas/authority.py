"""What an event is, decided by the pydantic models: the slow and complete reading of a record.

`schemas.decode` takes a shortcut past it for records that are plainly in order; whatever the
shortcut does not take comes here, and every refusal is worded here. Pure; imports pydantic and
`schemas.events`, `schemas.wire`.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NoReturn, cast

import msgspec
from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import ErrorDetails

from schemas.events import (
    EARLIEST_YEAR,
    EVENT_DATA,
    LATEST_YEAR,
    MAX_EVENT_BYTES,
    CloudEvent,
    Data,
)
from schemas.wire import EVENT_STRUCTS, Event, data_struct

MAX_DEPTH: Final = 32
"""How deep objects and arrays may be nested, the outermost included."""

Reason = Literal[
    "empty",
    "too_large",
    "not_utf8",
    "invalid_json",
    "duplicate_key",
    "too_deep",
    "unknown_type",
    "invalid_event",
    "time_out_of_range",
]
Document = dict[str, Any]
"""An event as JSON gives it: attributes and `data` side by side."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is no event: `reason` for counting, `path` and `message` for a person.

    `path` is where in the document (`data.identifiers[0].value`), empty for the whole of it.
    """

    reason: Reason
    path: str
    message: str


def refuse(reason: Reason, path: str, message: str) -> Rejected:
    """A verdict fit to be stored: keys of the record may be endless, or hold half surrogates."""
    clean = [text.encode(errors="replace").decode() for text in (path[:200], message[:500])]
    return Rejected(reason, clean[0], clean[1])


class _Refusal(Exception):
    def __init__(self, reason: Reason, path: str, message: str) -> None:
        super().__init__(message)
        self.rejected = refuse(reason, path, message)


class _Repeated(dict[str, Any]):
    """An object that names `key` twice. Held until its path is known."""

    key: str


EVENT_MODELS: Final[dict[str, type[CloudEvent]]] = {
    event_type: create_model(
        EVENT_STRUCTS[event_type].__name__,
        __base__=CloudEvent,
        __doc__=data.__doc__,
        type=(cast("Any", Literal[event_type]), ...),
        # CloudEvents lets an event go without data: the same as an object without fields.
        data=(data, ... if any(f.is_required() for f in data.model_fields.values()) else data()),
    )
    for event_type, data in EVENT_DATA.items()
}
"""Envelope and data of each event type, as one model."""


def parse(raw: bytes) -> Any | Rejected:
    """Read a JSON text: UTF-8, no repeated key, no NaN, at most `MAX_DEPTH` deep. Never raises."""
    try:
        return _parse(raw)
    except _Refusal as refusal:
        return refusal.rejected


def judge(document: Document) -> Event | Rejected:
    """Decide on an event whose JSON has been read. Never raises."""
    try:
        return _judge(document)
    except _Refusal as refusal:
        return refusal.rejected


def read(raw: bytes) -> Event | Rejected:
    """Decide on an event in CloudEvents' structured mode. Never raises."""
    document = parse(raw)
    if isinstance(document, Rejected):
        return document
    if not isinstance(document, dict):
        needed = "an event is an object with id, source, type, time, subject and data"
        return refuse("invalid_event", "", f"found {_show(document)}; {needed}")
    return judge(document)


def unknown_fields(document: Document) -> tuple[str, ...]:
    """Paths of the fields that no model knows, in document order; `[]` stands for any index.

    Empty where the document's type is unknown. Extension attributes of CloudEvents that Switchboard
    has no use for are among them.
    """
    model = EVENT_MODELS.get(str(document.get("type")))
    return tuple(dict.fromkeys(_unknown(document, model, ""))) if model else ()


def _unknown(value: Any, model: type[BaseModel], path: str) -> list[str]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    found: list[str] = []
    for name, item in value.items():
        here = f"{path}.{name}" if path else name
        field = fields.get(name)
        if field is None:
            found.append(here)
            continue
        inner = _model_in(field.annotation)
        if inner and isinstance(item, dict):
            found += _unknown(item, inner, here)
        elif inner and isinstance(item, list):
            for element in item:
                if isinstance(element, dict):
                    found += _unknown(element, inner, f"{here}[]")
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation is, or is a tuple of."""
    candidates = (annotation, *getattr(annotation, "__args__", ()))
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _parse(raw: bytes) -> Any:
    if len(raw) > MAX_EVENT_BYTES:
        message = f"found {len(raw)} bytes; an event may have {MAX_EVENT_BYTES}"
        raise _Refusal("too_large", "", message)
    if not raw.strip(b" \t\r\n"):
        raise _Refusal("empty", "", "the record has no value; an event is a JSON object")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is 0x{raw[error.start]:02x}, which is not UTF-8"
        raise _Refusal("not_utf8", "", message) from error
    if text.startswith("\ufeff"):
        raise _Refusal("invalid_json", "", "starts with a byte order mark; send UTF-8 without it")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = f"{error.msg[0].lower()}{error.msg[1:]} at character {error.pos}"
        raise _Refusal("invalid_json", "", message) from error
    except RecursionError as error:
        raise _Refusal("too_deep", "", _TOO_DEEP) from error
    except ValueError as error:  # an integer longer than Python reads
        raise _Refusal("invalid_json", "", "holds a number of thousands of digits") from error
    _inspect(value)
    return value


_TOO_DEEP: Final = f"objects and arrays may be nested {MAX_DEPTH} deep"


def _refuse_constant(name: str) -> NoReturn:
    raise _Refusal("invalid_json", "", f"found {name}, which JSON does not have; send null")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated = _Repeated(found)
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            repeated.key = key
            break
        seen.add(key)
    return repeated


def _inspect(document: Any) -> None:
    """Refuse too deep a document, and one with a repeated key, saying where it is."""
    waiting: list[tuple[Any, str, int]] = [(document, "", 1)]
    while waiting:
        value, path, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _Refusal("too_deep", path, _TOO_DEEP)
        if isinstance(value, _Repeated):
            where = _join(path, value.key)
            message = f"{_show(value.key)} is there twice; name each key of an object once"
            raise _Refusal("duplicate_key", where, message)
        if isinstance(value, dict):
            waiting += [
                (item, _join(path, key), depth + 1)
                for key, item in value.items()
                if isinstance(item, dict | list)
            ]
        elif isinstance(value, list):
            waiting += [
                (item, f"{path}[{index}]", depth + 1)
                for index, item in enumerate(value)
                if isinstance(item, dict | list)
            ]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _judge(document: Document) -> Event:
    # CloudEvents, JSON format: an attribute that is null is an attribute that is not there.
    document = {name: value for name, value in document.items() if value is not None}
    event_type = document.get("type")
    if isinstance(event_type, str) and event_type not in EVENT_DATA:
        near = difflib.get_close_matches(event_type[:128], EVENT_DATA, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; see schemas/json for the known types"
        raise _Refusal("unknown_type", "type", f"no event type is called {_show(event_type)}{hint}")
    if "data_base64" in document and "data" not in document:
        message = "the data is in base64; send JSON in `data`"
        raise _Refusal("invalid_event", "data_base64", message)
    # Without a type there is no model of the data, and the envelope says what is missing.
    model = EVENT_MODELS[event_type] if isinstance(event_type, str) else CloudEvent
    try:
        checked = model.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _refusal_of(error, event_type) from error
    time = _in_range(checked.time, "time")
    data = cast("Data", checked.data)
    for name, field in type(data).model_fields.items():
        value = getattr(data, name)
        if isinstance(value, datetime):
            _in_range(value, f"data.{field.alias or name}")
    return EVENT_STRUCTS[checked.type](
        specversion=checked.specversion,
        id=checked.id,
        source=checked.source,
        time=time,
        subject=checked.subject,
        tenant=checked.tenant,
        datacontenttype=checked.datacontenttype,
        dataschema=checked.dataschema,
        traceparent=checked.traceparent,
        data=to_wire(data),
    )


def to_wire(data: Data) -> msgspec.Struct:
    """The struct that says the same as a model."""
    return msgspec.convert(data, data_struct(type(data)), from_attributes=True)


def _in_range(time: datetime, path: str) -> datetime:
    """The time in UTC, if its year is one in which a contact centre can have lived."""
    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        utc = time  # year 1 or 9999, refused below
    if EARLIEST_YEAR <= utc.year <= LATEST_YEAR:
        return utc
    message = (
        f"found the year {utc.year}; times from {EARLIEST_YEAR} to {LATEST_YEAR} are accepted: "
        "see whether the source's clock is right, and that it does not write milliseconds"
    )
    raise _Refusal("time_out_of_range", path, message)


def _refusal_of(error: ValidationError, event_type: object) -> _Refusal:
    details = error.errors(include_url=False)
    first = details[0]
    path = ""
    for step in first["loc"]:
        path = f"{path}[{step}]" if isinstance(step, int) else _join(path, step)
    message = _plain(first, event_type)
    if len(details) > 1:
        message += f" (and {len(details) - 1} more)"
    if first["type"] == "json_invalid":  # json reads a lone surrogate, UTF-8 cannot hold it
        return _Refusal("invalid_json", "", message)
    return _Refusal("invalid_event", path, message)


def _plain(detail: ErrorDetails, event_type: object) -> str:
    match detail["type"]:
        case "missing":
            whose = event_type if isinstance(event_type, str) else "event"
            return f"is missing; every {whose} needs it"
        case "string_pattern_mismatch":
            return f"found {_show(detail['input'])}; control characters are refused"
        case "value_error":
            return f"found {_show(detail['input'])}; {detail['ctx']['error']}"
        case "json_invalid":
            return f"a text holds half of a surrogate pair, which is no character ({detail['msg']})"
        case _:
            needed = detail["msg"][0].lower() + detail["msg"][1:]
            return f"found {_show(detail['input'])}; {needed}"


def _show(value: object) -> str:
    """A value of a document, as JSON, short enough for a line."""
    match value:
        case Mapping():
            return f"an object of {len(value)} keys"
        case list():
            return f"an array of {len(value)} items"
        case _:
            text = json.dumps(value, ensure_ascii=False, default=str)
            return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"
