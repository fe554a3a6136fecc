"""Rows as one block of ClickHouse's Native format. Pure.

The driver's own encoders take several microseconds for the rows of an event: a step of Python for
each value. These know the few types of our tables, and leave the steps to C (`struct`, `map`,
`join`). The format: number of columns and rows; of each column its name, its type, and its values
one after the other (<https://clickhouse.com/docs/interfaces/formats/Native>).
"""

import re
import struct
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate, chain
from typing import Any, Final

Values = Sequence[Any]
Encoder = Callable[[Values, list[bytes]], None]
"""Adds the bytes of a column's values to a list."""

ENCODING_ERRORS: Final = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
    struct.error,
)
"""How a value fails that is not of its column's type."""

_NUMBERS: Final = {
    "UInt8": "B",
    "UInt16": "H",
    "UInt32": "I",
    "UInt64": "Q",
    "Int32": "i",
    "Int64": "q",
    "Float64": "d",
    "DateTime": "I",
    "DateTime64": "q",
}
"""Types whose values are numbers of a fixed width, as `struct` names them."""
_TURNED_AT_ONCE: Final = 256
"""Rows that are made into columns together: so few that they stay in the processor's cache."""
_TYPE: Final = re.compile(r"(\w+)(?:\((.*)\))?")
_ARGUMENT: Final = re.compile(r"(?:[^,(]|\([^()]*(?:\([^()]*\)[^()]*)*\))+")
_KEYS_WITH_DICTIONARY: Final = struct.pack("<Q", 1)
"""Version of how LowCardinality is serialised; comes before the whole column's data."""
_OWN_KEYS: Final = 1 << 9 | 1 << 10
"""A dictionary for this block alone, all of it here; the lowest byte is the width of indices."""
_INDICES: Final = ((1 << 8, 0, "B"), (1 << 16, 1, "H"), (1 << 32, 2, "I"))


def _leb128(n: int) -> bytes:
    found = bytearray()
    while n > 127:
        found.append(n & 127 | 128)
        n >>= 7
    found.append(n)
    return bytes(found)


_LENGTHS: Final = tuple(map(_leb128, range(1 << 14)))


def _length(n: int) -> bytes:
    """An unsigned number as the format writes it."""
    return _LENGTHS[n] if n < len(_LENGTHS) else _leb128(n)


def native_block(
    names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]
) -> bytes:
    """Rows (at least one; values in the order of `names`) as one block.

    Raises one of `ENCODING_ERRORS` where a value is not of its column's type, or a row has more or
    fewer values than there are columns.
    """
    parts = [_length(len(names)), _length(len(rows))]
    for name, kind, values in zip(names, types, _columns(rows, len(names)), strict=True):
        for text in (name.encode(), kind.encode()):
            parts += (_length(len(text)), text)
        prefix, encode = encoder_of(kind)
        parts.append(prefix)
        encode(values, parts)
    return b"".join(parts)


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    columns: list[list[Any]] = [[] for _ in range(width)]
    for at in range(0, len(rows), _TURNED_AT_ONCE):
        turned = zip(*rows[at : at + _TURNED_AT_ONCE], strict=True)
        for column, values in zip(columns, turned, strict=True):
            column.extend(values)
    return columns


@cache
def encoder_of(kind: str) -> tuple[bytes, Encoder]:
    """What comes before the values of a type, and what encodes them.

    Raises `NotImplementedError` for a type that no table of ours has had yet.
    """
    matched = _TYPE.fullmatch(kind)
    name, inside = matched.groups() if matched else ("", None)
    arguments = [part.strip() for part in _ARGUMENT.findall(inside or "")]
    match name, arguments:
        case "String", []:
            return b"", _strings
        case "LowCardinality", ["String"]:
            return _KEYS_WITH_DICTIONARY, _symbols
        case "Nullable", [of] if of.partition("(")[0] in _NUMBERS:
            return b"", _nullable(_code(of))
        case "Array", [of]:
            prefix, items = encoder_of(of)
            return prefix, _array(items)
        case "Map", [key, value]:
            (of_keys, keys), (of_items, items) = encoder_of(key), encoder_of(value)
            return of_keys + of_items, _map(keys, items)
        case "Tuple", ["String", "String"]:
            return b"", _pairs
        case number, _ if number in _NUMBERS:
            return b"", _numbers(_code(kind))
        case _:
            raise NotImplementedError(f"sinks.native does not encode the type {kind}")


def _code(kind: str) -> str:
    return _NUMBERS[kind.partition("(")[0]]


def _packed(code: str, values: Values) -> bytes:
    return struct.pack(f"<{len(values)}{code}", *values)


def _numbers(code: str) -> Encoder:
    def encode(values: Values, parts: list[bytes]) -> None:
        parts.append(_packed(code, values))

    return encode


def _nullable(code: str) -> Encoder:
    def encode(values: Values, parts: list[bytes]) -> None:
        if None in values:
            parts.append(bytes([value is None for value in values]))
            parts.append(_packed(code, [0 if value is None else value for value in values]))
        else:
            parts += (bytes(len(values)), _packed(code, values))

    return encode


def _strings(values: Values, parts: list[bytes]) -> None:
    data = [value.encode() if type(value) is str else value for value in values]
    sizes = list(map(len, data))
    of_size = _LENGTHS.__getitem__ if max(sizes, default=0) < len(_LENGTHS) else _length
    lengths = map(of_size, sizes)
    parts.append(b"".join(chain.from_iterable(zip(lengths, data, strict=True))))


def _symbols(values: Values, parts: list[bytes]) -> None:
    if not values:
        return
    keys = dict.fromkeys(values)
    indices = {key: at for at, key in enumerate(keys)}
    _, width, code = next(of_size for of_size in _INDICES if len(keys) <= of_size[0])
    parts.append(struct.pack("<QQ", _OWN_KEYS | width, len(keys)))
    _strings(list(keys), parts)
    parts.append(struct.pack("<Q", len(values)))
    if len(keys) == 1:
        parts.append(bytes(len(values)))
    elif code == "B":
        parts.append(bytes(map(indices.__getitem__, values)))
    else:
        parts.append(_packed(code, list(map(indices.__getitem__, values))))


def _ends(values: Values) -> bytes:
    """Where each row's items end."""
    return _packed("Q", list(accumulate(map(len, values))))


def _array(items: Encoder) -> Encoder:
    def encode(values: Values, parts: list[bytes]) -> None:
        parts.append(_ends(values))
        items(list(chain.from_iterable(values)), parts)

    return encode


def _map(keys: Encoder, items: Encoder) -> Encoder:
    def encode(values: Values, parts: list[bytes]) -> None:
        parts.append(_ends(values))
        keys(list(chain.from_iterable(values)), parts)
        items(list(chain.from_iterable(map(dict.values, values))), parts)

    return encode


def _pairs(values: Values, parts: list[bytes]) -> None:
    for at in (0, 1):
        _strings([value[at] for value in values], parts)
