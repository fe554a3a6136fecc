"""Columns of ClickHouse's Native format, by type. Pure; compiled (`deploy/compile_fold.py`).

They know the few types of our tables, and write each value to the end of its column as its row
comes by: no list of a column's values is ever made. `values` reads what was written.
"""

import re
import struct
from collections.abc import Callable
from typing import Any, Final

from librt.strings import BytesWriter, write_f64_le, write_i16_le, write_i32_le, write_i64_le

ENCODING_ERRORS: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""How a value fails that is not of its column's type."""

_TYPE: Final = re.compile(r"(\w+)(?:\((.*)\))?")
_ARGUMENT: Final = re.compile(r"(?:[^,(]|\([^()]*(?:\([^()]*\)[^()]*)*\))+")
_KEYS_WITH_DICTIONARY: Final = struct.pack("<Q", 1)
"""Version of how LowCardinality is serialised; comes before the whole column's data."""
_OWN_KEYS: Final = 1 << 9 | 1 << 10
"""A dictionary for this block alone, all of it here; the lowest byte is the width of indices."""
_ONE_BYTE: Final = 0
_FOUR_BYTES: Final = 2
_NO_TEXT: Final = object()
_MOST_QUICK: Final = (1 << 62) - 1
"""Up to here compiled code has numbers that are no objects."""


class Column:
    """The values of one column so far. `prefix` comes before all that its type is made of.

    `following` is the next column of the table; the last one's is none that is ever written to.
    """

    prefix: bytes = b""
    following: "Column"

    def add(self, value: Any) -> None:
        """Write a value to the end. Raises one of `ENCODING_ERRORS` if it is of another type."""
        raise NotImplementedError

    def add_nothing(self) -> None:
        """Write what stands where a value is null."""
        self.add(0)

    def put(self, parts: list[bytes]) -> None:
        """Add the bytes of all values to `parts`."""
        raise NotImplementedError

    def values(self, count: int) -> list[Any]:
        """The first `count` values, which were written whole; what follows need not be."""
        raise NotImplementedError

    def sample(self, count: int, begin: int, step: int) -> list[Any]:
        """Every `step`-th of the first `count` values, from `begin` on."""
        return self.values(count)[begin::step]


class _Plain(Column):
    """Values that stand one after the other, and nothing else."""

    def __init__(self) -> None:
        self._out = BytesWriter()

    def put(self, parts: list[bytes]) -> None:
        parts.append(self._out.getvalue())


class _Strings(_Plain):
    """Texts, or bytes where they are `binary`: the format has one type for both."""

    def __init__(self, binary: bool = False) -> None:
        super().__init__()
        self._binary = binary

    def add(self, value: Any) -> None:
        data: bytes = value.encode() if isinstance(value, str) else value
        put_length(self._out, len(data))
        self._out.write(data)

    def values(self, count: int) -> list[Any]:
        data = self._out.getvalue()
        found: list[Any] = []
        at = 0
        for _ in range(count):
            length = shift = 0
            while data[at] > 127:
                length |= (data[at] & 127) << shift
                shift += 7
                at += 1
            length |= data[at] << shift
            begin, at = at + 1, at + 1 + length
            found.append(data[begin:at] if self._binary else data[begin:at].decode())
        return found


class _Numbers(_Plain):
    """Numbers of a fixed width; `code` is that of `struct`."""

    code: str = ""

    def values(self, count: int) -> list[Any]:
        return _unpacked(self.code, count, self._out)

    def sample(self, count: int, begin: int, step: int) -> list[Any]:
        return _sampled(self.code, count, self._out, begin, step)


class _UInt8(_Numbers):
    code = "B"

    def add(self, value: Any) -> None:
        number: int = value
        self._out.append(_checked(number, 0xFF))


class _UInt16(_Numbers):
    code = "H"

    def add(self, value: Any) -> None:
        number: int = value
        write_i16_le(self._out, _signed(number, 0xFFFF))


class _UInt32(_Numbers):
    code = "I"

    def add(self, value: Any) -> None:
        number: int = value
        write_i32_le(self._out, _signed(number, 0xFFFFFFFF))


class _UInt64(_Numbers):
    code = "Q"

    def add(self, value: Any) -> None:
        number: int = value
        if 0 <= number <= _MOST_QUICK:
            write_i64_le(self._out, number)
        else:
            write_i64_le(self._out, _signed(number, (1 << 64) - 1))


class _Int32(_Numbers):
    code = "i"

    def add(self, value: Any) -> None:
        number: int = value
        write_i32_le(self._out, number)


class _Int64(_Numbers):
    code = "q"

    def add(self, value: Any) -> None:
        number: int = value
        write_i64_le(self._out, number)


class _Float64(_Numbers):
    code = "d"

    def add(self, value: Any) -> None:
        number: float = value
        write_f64_le(self._out, number)


class _Nullable(Column):
    """Which are null, then the values."""

    def __init__(self, values: Column) -> None:
        self._nulls = BytesWriter()
        self._values = values

    def add(self, value: Any) -> None:
        if value is None:
            self._nulls.append(1)
            self._values.add_nothing()
        else:
            self._nulls.append(0)
            self._values.add(value)

    def put(self, parts: list[bytes]) -> None:
        parts.append(self._nulls.getvalue())
        self._values.put(parts)

    def values(self, count: int) -> list[Any]:
        nulls = self._nulls.getvalue()
        return [None if nulls[at] else value for at, value in enumerate(self._values.values(count))]


class _Symbols(Column):
    """A dictionary of the texts that there are, then each value's place in it."""

    def __init__(self) -> None:
        self.prefix = _KEYS_WITH_DICTIONARY
        self._places: dict[Any, int] = {}
        self._latest: Any = _NO_TEXT
        self._latest_place = 0
        self._texts = _Strings()
        self._values = BytesWriter()

    def add(self, value: Any) -> None:
        # Most often the very object of the row before: not even its hash is known yet otherwise.
        if value is not self._latest:
            place = self._places.get(value)
            if place is None:
                self._texts.add(value)
                place = len(self._places)
                self._places[value] = place
            self._latest, self._latest_place = value, place
        write_i32_le(self._values, self._latest_place)

    def put(self, parts: list[bytes]) -> None:
        keys, values = len(self._places), self._values.getvalue()
        if not keys:
            return
        width = _ONE_BYTE if keys <= 1 << 8 else _FOUR_BYTES
        parts.append(struct.pack("<QQ", _OWN_KEYS | width, keys))
        self._texts.put(parts)
        parts.append(struct.pack("<Q", len(values) // 4))
        parts.append(values[::4] if width == _ONE_BYTE else values)

    def values(self, count: int) -> list[Any]:
        texts = list(self._places)
        return [texts[place] for place in _unpacked("i", count, self._values)]

    def sample(self, count: int, begin: int, step: int) -> list[Any]:
        texts = list(self._places)
        return [texts[place] for place in _sampled("i", count, self._values, begin, step)]


class _Arrays(Column):
    """Where each row's items end, then the items of all."""

    def __init__(self, items: Column) -> None:
        self.prefix = items.prefix
        self._ends = BytesWriter()
        self._end = 0
        self._items = items

    def add(self, value: Any) -> None:
        # Known for a list, which most are, it is gone through without an iterator.
        listed = value if isinstance(value, list) else list(value)
        items = self._items
        for item in listed:
            items.add(item)
        self._end += len(listed)
        write_i64_le(self._ends, self._end)

    def put(self, parts: list[bytes]) -> None:
        parts.append(self._ends.getvalue())
        self._items.put(parts)

    def values(self, count: int) -> list[Any]:
        ends = _unpacked("q", count, self._ends)
        items = self._items.values(ends[-1] if ends else 0)
        return [items[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


class _Maps(Column):
    """Where each row's items end, then the keys of all, then what they stand for."""

    def __init__(self, keys: Column, items: Column) -> None:
        self.prefix = keys.prefix + items.prefix
        self._ends = BytesWriter()
        self._end = 0
        self._keys = keys
        self._items = items

    def add(self, value: Any) -> None:
        found: dict[Any, Any] = value
        for key, item in found.items():
            self._keys.add(key)
            self._items.add(item)
        self._end += len(found)
        write_i64_le(self._ends, self._end)

    def put(self, parts: list[bytes]) -> None:
        parts.append(self._ends.getvalue())
        self._keys.put(parts)
        self._items.put(parts)

    def values(self, count: int) -> list[Any]:
        ends = _unpacked("q", count, self._ends)
        whole = ends[-1] if ends else 0
        items = list(zip(self._keys.values(whole), self._items.values(whole), strict=True))
        return [dict(items[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]


class _Pairs(Column):
    """The first of all, then the second: names of headers, and the bytes under them."""

    def __init__(self) -> None:
        self._first = _Strings()
        self._second = _Strings(binary=True)

    def add(self, value: Any) -> None:
        first, second = value
        self._first.add(first)
        self._second.add(second)

    def put(self, parts: list[bytes]) -> None:
        self._first.put(parts)
        self._second.put(parts)

    def values(self, count: int) -> list[Any]:
        return list(zip(self._first.values(count), self._second.values(count), strict=True))


Maker = Callable[[], Column]
"""Makes an empty column."""


def maker_of(kind: str, *, binary: bool = False) -> Maker:
    """What makes columns of a type; with bytes instead of texts where they are `binary`.

    Raises `NotImplementedError` for a type that no table of ours has had yet.
    """
    matched = _TYPE.fullmatch(kind)
    name, inside = matched.groups() if matched else ("", None)
    arguments = [part.strip() for part in _ARGUMENT.findall(inside or "")]
    match name, arguments:
        case "String", []:
            return lambda: _Strings(binary)
        case "LowCardinality", ["String"]:
            return _Symbols
        case "Nullable", [of]:
            numbers = _numbers(of)
            return lambda: _Nullable(numbers())
        case "Array", [of]:
            items = maker_of(of)
            return lambda: _Arrays(items())
        case "Map", [key, value]:
            keys, values = maker_of(key), maker_of(value)
            return lambda: _Maps(keys(), values())
        case "Tuple", ["String", "String"]:
            return _Pairs
        case _:
            return _numbers(kind)


def _numbers(kind: str) -> Maker:
    """What makes columns of numbers of a fixed width."""
    match kind.partition("(")[0]:
        case "UInt8":
            return _UInt8
        case "UInt16":
            return _UInt16
        case "UInt32" | "DateTime":
            return _UInt32
        case "UInt64":
            return _UInt64
        case "Int32":
            return _Int32
        case "Int64" | "DateTime64":
            return _Int64
        case "Float64":
            return _Float64
        case _:
            raise NotImplementedError(f"schemas.native does not encode the type {kind}")


def put_text(out: BytesWriter, text: str) -> None:
    """Write a text with its length before it."""
    data = text.encode()
    put_length(out, len(data))
    out.write(data)


def put_length(out: BytesWriter, length: int) -> None:
    """Write an unsigned number as the format does (LEB128)."""
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    out.append(length)


def _checked(number: int, most: int) -> int:
    if not 0 <= number <= most:
        raise OverflowError(f"{number} is not between 0 and {most}")
    return number


def _signed(number: int, most: int) -> int:
    """The signed number with the bits of an unsigned one."""
    _checked(number, most)
    return number if number <= most >> 1 else number - most - 1


def _sampled(code: str, count: int, out: BytesWriter, begin: int, step: int) -> list[int]:
    width = struct.calcsize("<" + code)
    data = out.getvalue()
    return [struct.unpack_from("<" + code, data, at * width)[0] for at in range(begin, count, step)]


def _unpacked(code: str, count: int, out: BytesWriter) -> list[int]:
    return list(struct.unpack_from(f"<{count}{code}", out.getvalue()))
