"""Dead letters for rows that ClickHouse refused.

Pure. A dead letter made here cannot itself be refused for its values: whatever is out of range
becomes 0 in its column and stands unchanged in the JSON of `value`.
"""

import json
from typing import Any, Final

from schemas.rows import VERSION_OFFSET_BITS, DeadLetterRow, EventRow, Row

REASON: Final = "refused_by_store"
MAX_WORDS: Final = 4096

_TIMES: Final = {
    "produced_at": 1,
    "opened_at": 1,
    "started_at": 1,
    "pane_at": 1000,
    "occurred_at": 1,
}
"""Columns that may tell when a row's record was produced, best first, and their milliseconds."""

_LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01, the end of what the contract accepts


def dead_letter(row_type: type[Row], row: tuple[Any, ...], words: str) -> tuple[Any, ...]:
    """The dead letter (in column order) for a row of `row_type` refused with the server's `words`.

    An event keeps its topic, partition, offset and original bytes. A row of another table is
    named by its table in `topic`, by its identity in `key`, by the offset of its version, and is
    kept as JSON.
    """
    fields = dict(zip(row_type.columns(), row, strict=False))
    version = _whole(fields.get("version"), 64)
    payload = fields.get("payload")
    if row_type is EventRow and isinstance(payload, bytes):
        topic = _text(fields.get("topic"))
        offset = _whole(fields.get("source_offset"), 64)
        key, value = _text(fields.get("subject")).encode(), payload
    else:
        topic = f"{row_type.TABLE} (table)"
        offset = max((version & ((1 << VERSION_OFFSET_BITS) - 1)) - 1, 0)
        identity = {name: fields.get(name) for name in row_type.KEY}
        key, value = _json(identity), _json(fields)
    letter = {
        "topic": topic,
        "source_partition": _whole(fields.get("source_partition"), 32),
        "source_offset": offset,
        "log": _text(fields.get("log", "")),
        "reason": REASON,
        "error_path": row_type.TABLE,
        "error": _text(words)[:MAX_WORDS],
        "key": key,
        "value": value,
        "headers": [],
        "produced_at": _instant(fields),
        "version": version,
    }
    return tuple(letter[name] for name in DeadLetterRow.columns())


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, default=_plain, skipkeys=True).encode()


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return repr(value)


def _text(value: object) -> str:
    """`value` as text that can be encoded, whatever it is."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _whole(value: object, bits: int) -> int:
    return value if isinstance(value, int) and 0 <= value < 1 << bits else 0


def _instant(fields: dict[str, Any]) -> int:
    """The row's time in milliseconds.

    The latest possible where none is right, so that retention never takes the letter.
    """
    for name, unit in _TIMES.items():
        value = fields.get(name)
        if isinstance(value, int) and 0 < value * unit <= _LATEST_MS:
            return value * unit
    return _LATEST_MS
