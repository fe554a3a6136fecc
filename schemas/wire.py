"""The canonical event as msgspec structs, generated from the pydantic models of `schemas.events`.

What the hot path holds in its hands. Nothing is declared twice: fields, defaults and constraints
are read off the models when this module is imported, and a constraint that is not understood here
stops the import instead of being dropped. Pure; imports `schemas.events`, pydantic and msgspec.
"""

import types
from datetime import datetime
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import annotated_types
import msgspec
from pydantic import AllowInfNan, AwareDatetime, BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from schemas.events import EVENT_DATA, NO_CONTROL, CloudEvent, Data


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One canonical event, decoded. Base of one generated struct per event type.

    `time` is aware (of whatever offset the source wrote; compare and subtract, do not print).
    `data` has the fields of `EVENT_DATA[event.type]` under the same names and with values of the
    same types, so code that reads it may annotate it with that model:
    `visit: QueueEntered = event.data`.
    """

    type: ClassVar[str] = ""
    specversion: str
    id: str
    source: str
    time: datetime
    subject: str
    tenant: str = "default"
    datacontenttype: str = ""
    dataschema: str = ""
    traceparent: str = ""
    data: Any


def _constraints(marks: tuple[Any, ...], where: str) -> dict[str, Any]:
    """Pydantic's constraint objects as arguments of `msgspec.Meta`.

    Raises:
        TypeError: a constraint that has no counterpart here.
    """
    found: dict[str, Any] = {}
    for mark in marks:
        match mark:
            case StringConstraints(pattern=pattern) if pattern in (None, NO_CONTROL):
                # No pattern goes to msgspec: the shortcut sees to control characters by itself.
                found |= {"min_length": mark.min_length, "max_length": mark.max_length}
            case FieldInfo():
                found |= _constraints(tuple(mark.metadata), where)
            case annotated_types.Ge():
                found["ge"] = mark.ge
            case annotated_types.Le():
                found["le"] = mark.le
            case annotated_types.MinLen():
                found["min_length"] = mark.min_length
            case annotated_types.MaxLen():
                found["max_length"] = mark.max_length
            case AllowInfNan(allow_inf_nan=False):
                pass  # JSON has no such numbers and msgspec accepts none
            case _:
                raise TypeError(f"{where}: schemas.wire does not know the constraint {mark!r}")
    return {name: value for name, value in found.items() if value is not None}


def _wire_type(annotation: Any, where: str) -> Any:
    """The annotation of a pydantic field as msgspec understands it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if annotation.__origin__ is AwareDatetime:
            # `events.Time`: its validator reads texts, and msgspec reads the same ones (tested).
            return Annotated[datetime, msgspec.Meta(tz=True)]
        limits = _constraints(annotation.__metadata__, where)
        inner = _wire_type(annotation.__origin__, where)
        return Annotated[inner, msgspec.Meta(**limits)] if limits else inner
    if origin in (Union, types.UnionType):
        return Union[tuple(_wire_type(a, where) for a in arguments)]  # noqa: UP007
    if origin is tuple and arguments[1:] == (...,):
        item = _wire_type(arguments[0], where)
        return tuple.__class_getitem__((item, ...))
    if origin is Literal or annotation in (str, int, float, bool, types.NoneType):
        return annotation
    if isinstance(annotation, type) and issubclass(annotation, Data):
        return data_struct(annotation)
    raise TypeError(f"{where}: schemas.wire does not know the type {annotation!r}")


_data_structs: Final[dict[type[Data], type[msgspec.Struct]]] = {}


def data_struct(model: type[Data]) -> type[msgspec.Struct]:
    """The struct with exactly the fields of `model`; the same one on every call."""
    if model not in _data_structs:
        _data_structs[model] = msgspec.defstruct(
            model.__name__,
            _fields(model),
            module=__name__,
            rename={n: f.alias for n, f in model.model_fields.items() if f.alias},
            kw_only=True,
            frozen=True,
            gc=False,
            omit_defaults=True,
        )
    return _data_structs[model]


def _fields(model: type[BaseModel], without: frozenset[str] = frozenset()) -> list[Any]:
    hints = get_type_hints(model, include_extras=True)
    fields: list[Any] = []
    for name, field in model.model_fields.items():
        if name in without:
            continue
        wire = _wire_type(hints[name], f"{model.__name__}.{name}")
        if field.is_required():
            fields.append((name, wire))
        elif isinstance(field.default, Data):
            fields.append((name, wire, data_struct(type(field.default))()))
        else:
            fields.append((name, wire, field.default))
    return fields


def _event_struct(event_type: str, model: type[Data]) -> type[Event]:
    # `specversion` and `data` are required, though the model gives them defaults: the shortcut
    # counts what it decoded, and then every key it reads is one that was there.
    envelope = _fields(CloudEvent, without=frozenset({"type", "specversion", "data"}))
    struct = msgspec.defstruct(
        "".join(part.capitalize() for part in event_type.replace(".", "_").split("_")) + "Event",
        [("specversion", Literal["1.0"]), *envelope, ("data", data_struct(model))],
        bases=(Event,),
        namespace={"type": event_type},
        module=__name__,
        tag_field="type",
        tag=event_type,
        kw_only=True,
        frozen=True,
        gc=False,
        omit_defaults=True,
    )
    return cast("type[Event]", struct)


EVENT_STRUCTS: Final[dict[str, type[Event]]] = {
    event_type: _event_struct(event_type, model) for event_type, model in EVENT_DATA.items()
}
"""Every event type with the struct that `schemas.decode` gives for it."""


def _holds_time(model: type[BaseModel]) -> bool:
    annotations = [field.annotation for field in model.model_fields.values()]
    parts = [part for a in annotations for part in (a, *get_args(a))]
    return AwareDatetime in parts or any(
        _holds_time(part)
        for part in parts
        if isinstance(part, type) and issubclass(part, BaseModel) and part is not model
    )


TIMELESS: Final[tuple[type[Event], ...]] = tuple(
    struct
    for event_type, struct in EVENT_STRUCTS.items()
    if not _holds_time(EVENT_DATA[event_type])
)
"""The structs whose only time is the envelope's."""
