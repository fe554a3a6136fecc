"""Events for property tests: random valid ones of every type, and what happens to them on the way.

Strategies follow the pydantic models, not the structs that are under test.
"""

import json
from datetime import UTC, datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from schemas.events import EVENT_DATA

Document = dict[str, Any]

CHARACTERS = st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from(" \":,{}[]\\'")
UNKNOWN_NAMES = st.sampled_from(["x", "partitionkey", "Type", "data ", "queue_", "identifiers2"])
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


def texts(minimum: int, maximum: int) -> st.SearchStrategy[str]:
    short = st.text(CHARACTERS, min_size=minimum, max_size=min(maximum, 12))
    return short | st.integers(maximum - 1, maximum).map(lambda n: "é" * n)


def times() -> st.SearchStrategy[str]:
    moments = st.datetimes(datetime(1991, 1, 2), datetime(2099, 12, 30))  # noqa: DTZ001
    fractions = st.just("") | st.text("0123456789", min_size=1, max_size=12).map(".".__add__)
    offsets = st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-12:00", "+0200"])
    marks = st.sampled_from("TTTt ")
    return st.builds(
        lambda moment, mark, fraction, offset: (
            moment.strftime(f"%Y-%m-%d{mark}%H:%M:%S") + fraction + offset
        ),
        moments,
        marks,
        fractions,
        offsets,
    )


def values(annotation: Any, marks: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """JSON values that a field of this annotation accepts."""
    if hasattr(annotation, "__metadata__"):
        return values(annotation.__origin__, (*annotation.__metadata__, *marks))
    flat = [m for mark in marks for m in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    low: Any = next((m.ge for m in flat if isinstance(m, Ge)), None)
    high: Any = next((m.le for m in flat if isinstance(m, Le)), None)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if annotation is AwareDatetime:
        return times()
    if annotation is str:
        limits = next(m for m in flat if isinstance(m, StringConstraints))
        return texts(limits.min_length or 0, limits.max_length or 0)
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(low, high)
    if annotation is float:
        whole = st.integers(int(low), int(high))
        return whole | st.floats(low, high) | st.sampled_from([float(low), float(high)])
    if annotation is type(None):
        return st.none()
    if origin is tuple:
        least = next((m.min_length for m in flat if isinstance(m, MinLen)), 0)
        most = next((m.max_length for m in flat if isinstance(m, MaxLen)), 3)
        return st.lists(values(arguments[0]), min_size=least, max_size=min(most, 3))
    if origin is Union or type(annotation).__name__ == "UnionType":
        return st.one_of([values(a) for a in arguments])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return objects(annotation)
    raise TypeError(f"no strategy for {annotation!r}")


def objects(model: type[BaseModel]) -> st.SearchStrategy[Document]:
    """JSON objects that a model accepts, with any of its optional fields left out."""
    hints = get_type_hints(model, include_extras=True)
    fields = {f.alias or n: values(hints[n]) for n, f in model.model_fields.items()}
    needed = {f.alias or n for n, f in model.model_fields.items() if f.is_required()}
    return st.fixed_dictionaries(
        {name: fields[name] for name in fields if name in needed},
        optional={name: fields[name] for name in fields if name not in needed},
    )


def documents(event_types: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Document]:
    """Whole events, valid, of any type or of the given ones."""
    return (event_types or st.sampled_from(sorted(EVENT_DATA))).flatmap(
        lambda event_type: st.fixed_dictionaries(
            {
                "type": st.just(event_type),
                "id": texts(1, 128),
                "source": texts(1, 128),
                "time": times(),
                "subject": texts(1, 128),
                "data": objects(EVENT_DATA[event_type]),
            },
            optional={
                "specversion": st.just("1.0"),
                "tenant": texts(1, 128),
                "traceparent": texts(0, 128),
                "datacontenttype": st.just("application/json"),
                "dataschema": texts(0, 1024),
            },
        ).flatmap(lambda document: st.permutations(list(document.items())).map(dict))
    )


def plain(text: str = "a") -> Document:
    """The smallest event of one kind, to be altered by hand."""
    return {
        "specversion": "1.0",
        "id": text,
        "source": "test",
        "type": "queue.entered",
        "time": datetime(2026, 1, 31, 9, 30, tzinfo=UTC).isoformat(),
        "subject": "call-1",
        "data": {"queue": "IT"},
    }


@st.composite
def written(draw: st.DrawFn, document: Document) -> bytes:
    """A document as some JSON writer would put it: compact or not, escaped or not."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "\n:\r\n"), (",", " :")]))
    return json.dumps(
        document,
        ensure_ascii=draw(st.booleans()),
        separators=separators,
        indent=draw(st.sampled_from([None, None, 1])),
    ).encode()


@st.composite
def altered(draw: st.DrawFn, document: Document) -> bytes:
    """A document after an accident: a key gone, doubled, renamed or unknown, a type swapped, bytes
    lost, doubled, changed or put in. Often still valid, often not."""
    document = json.loads(json.dumps(document))
    holders = [document]
    for holder in holders:
        for item in holder.values():
            holders += [i for i in (item if isinstance(item, list) else [item]) if type(i) is dict]
    for _ in range(draw(st.integers(0, 2))):
        holder = draw(st.sampled_from(holders))
        name = draw(st.sampled_from([*holder, "x"]))
        match draw(st.sampled_from(["drop", "swap", "unknown", "null", "default"])):
            case "drop":
                holder.pop(name, None)
            case "swap":
                holder[name] = draw(JSON_VALUES)
            case "unknown":
                holder[draw(UNKNOWN_NAMES)] = draw(JSON_VALUES)
            case "null":
                holder[name] = None
            case "default":
                holder[draw(st.sampled_from(["queue", "tenant", "position", "skills"]))] = draw(
                    st.sampled_from(["", "default", None, [], 0, 0.0, True])
                )
    raw = draw(written(document))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(raw)))
        match draw(st.sampled_from(["cut", "flip", "insert", "double", "number", "key"])):
            case "cut":
                raw = raw[:at]
            case "flip":
                raw = raw[:at] + draw(st.binary(min_size=1, max_size=1)) + raw[at + 1 :]
            case "insert":
                piece = draw(st.sampled_from(INSERTS) | st.binary(max_size=3))
                raw = raw[:at] + piece + raw[at:]
            case "double":
                until = draw(st.integers(at, min(len(raw), at + 40)))
                raw = raw[:until] + raw[at:until] + raw[until:]
            case "number":
                raw = raw.replace(draw(st.sampled_from([b"0", b"1", b"true"])), draw(NUMBERS), 1)
            case "key":
                # The same key again, before the object's end: with a colon set apart, or escaped.
                key = draw(st.sampled_from([b'"id"', b'"type" ', b'"queue"\n', b'"\\u0069d"']))
                end = raw.rfind(b"}", 0, at) if draw(st.booleans()) else raw.rfind(b"}")
                raw = raw[: max(end, 0)] + b"," + key + b':"IT"' + raw[max(end, 0) :]
    return raw


INSERTS = [
    b" ", b"\t", b"\r\n", b"\x0b", b"\x00", b"\x7f", b"\\", b'\\"', b"\\u0041", b"\\ud800",
    b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xff", b'"', b":", b'":', b'"x":1,', b"{}", b"[", b"]",
]  # fmt: skip
NUMBERS = st.sampled_from(
    [
        b"1e999",
        b"-0.0",
        b"-0",
        b"NaN",
        b"1.0",
        b"1e0",
        b"01",
        b"true",
        b"1" * 30,
        b"Infinity",
        b"0x1",
    ]
)
