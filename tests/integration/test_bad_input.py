"""Bad records among good ones: each becomes a dead letter as it came, and nobody else suffers."""

import json
from collections.abc import Callable

from schemas.topics import EVENTS_CALL
from sinks.store import Store
from tests.integration.conftest import Run, Sent, sample_records

MEBIBYTE = 1 << 20


def event(**changes: object) -> bytes:
    """A good event, changed."""
    document: dict[str, object] = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "test",
        "type": "queue.entered",
        "time": "2026-03-02T09:00:00Z",
        "subject": "call-1",
        "data": {"queue": "support"},
    }
    return json.dumps(document | changes).encode()


BAD: dict[str, tuple[bytes | None, str]] = {
    "binary": (bytes(range(256)), "not_utf8"),
    "nul": (b"\x00", "invalid_json"),
    "nul in a name": (event(subject="call\x00"), "invalid_event"),
    "tombstone": (None, "empty"),
    "nothing": (b"", "empty"),
    "10 MB line": (b"x" * 10 * MEBIBYTE, "too_large"),
    "10 MB event": (event(data={"queue": "q" * 10 * MEBIBYTE}), "too_large"),
    "truncated": (event()[:-7], "invalid_json"),
    "two documents": (event() + event(), "invalid_json"),
    "not an object": (b"[1, 2]", "invalid_event"),
    "invalid UTF-8": (event().replace(b"call-1", b"call-\xff"), "not_utf8"),
    "unknown type": (event(type="queue.teleported"), "unknown_type"),
    "wrong types": (event(data={"queue": 7}), "invalid_event"),
    "negative wait": (
        event(type="queue.exited", data={"queue": "q", "reason": "answered", "wait_seconds": -1}),
        "invalid_event",
    ),
    "huge number": (
        event().replace(b'"support"', b'"support", "position": 1e999'),
        "invalid_event",
    ),
    "year 9999": (event(time="9999-12-31T23:59:59Z"), "time_out_of_range"),
    "no offset": (event(time="2026-03-02T09:00:00"), "invalid_event"),
    "duplicate keys": (event().replace(b'"id"', b'"id": "e-0", "id"'), "duplicate_key"),
    "deep nesting": (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
    "deep nesting in an unknown field": (
        event().replace(b'"data"', b'"x": ' + b"[" * 60 + b"]" * 60 + b', "data"'),
        "too_deep",
    ),
    "agent event on the topic of calls": (
        event(type="agent.state_changed", data={"state": "available"}),
        "wrong_topic",
    ),
}


def test_bad_records_become_dead_letters_and_their_neighbours_are_stored(
    run: Run, new_store: Callable[[], Store]
) -> None:
    good = [r for r in sample_records(60) if r.topic == EVENTS_CALL][: len(BAD) + 1]
    records = []
    for (value, _), neighbour in zip(BAD.values(), good[:-1], strict=True):
        records.append(Sent(EVENTS_CALL, neighbour.key, neighbour.value, partition=0))
        records.append(Sent(EVENTS_CALL, b"k", value, partition=0, headers=[("h", b"\xff\x00")]))
    records.append(Sent(EVENTS_CALL, good[-1].key, good[-1].value, partition=0))
    store = new_store()

    run.over(records, store, partitions=2)

    letters = store.query(
        "SELECT topic, source_partition, source_offset, reason, error, key, value, headers"
        " FROM dead_letters FINAL ORDER BY source_offset",
        bytes_columns=("key", "value"),
    )
    assert [row["source_offset"] for row in letters] == list(range(1, 2 * len(BAD), 2))
    for (name, (value, reason)), row in zip(BAD.items(), letters, strict=True):
        assert row["reason"] == reason, (name, row["error"])
        assert row["value"] == (value or b""), name
        assert row["key"] == b"k"
        assert row["topic"] == EVENTS_CALL
        assert row["source_partition"] == 0
        assert len(row["error"]) > 10, name
    stored = store.query("SELECT source_offset FROM events FINAL ORDER BY source_offset")
    assert [row["source_offset"] for row in stored] == list(range(0, 2 * len(good), 2))
