"""CloudEvents over Kafka: binary mode, and the events that we write."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given

from schemas.cloudevents import encode
from schemas.decode import Event, Rejected, decode, shortcut, unknown_fields
from schemas.events import EVENT_DATA, HoldEnded, QueueEntered
from tests.support.events import Document, documents, plain

ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "tenant", "traceparent")


def binary(document: Document) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The same event in binary mode."""
    headers = [(f"ce_{n}", document[n].encode()) for n in ATTRIBUTES if n in document]
    return json.dumps(document["data"]).encode(), [*headers, ("content-type", b"application/json")]


@given(documents())
def test_both_modes_give_the_same_event(document: Document) -> None:
    document = document | {"datacontenttype": "application/json"}
    document.pop("dataschema", None)
    value, headers = binary(document)
    assert decode(value, headers) == decode(json.dumps(document).encode())


@given(documents())
def test_written_events_take_the_shortcut_and_say_the_same(document: Document) -> None:
    first = decode(json.dumps(document).encode())
    assert isinstance(first, Event)
    raw = encode(
        first.type,
        id=first.id,
        source=first.source,
        time=first.time,
        subject=first.subject,
        tenant=first.tenant,
        data=EVENT_DATA[first.type].model_validate_json(json.dumps(document["data"])),
    )
    again = decode(raw)
    assert isinstance(again, Event)
    assert (again.id, again.source, again.type, again.time) == (
        first.id, first.source, first.type, first.time,
    )  # fmt: skip
    assert (again.subject, again.tenant, again.data) == (first.subject, first.tenant, first.data)
    if b"\\" not in raw and first.type != "agent.scheduled":
        assert shortcut(raw) == again


def test_defaults_are_left_out_and_times_are_utc() -> None:
    raw = encode(
        "queue.entered",
        id="1",
        source="s",
        time=datetime(2026, 1, 31, 10, 30, tzinfo=timezone(timedelta(hours=1))),
        subject="call-1",
        data=QueueEntered(queue="IT", priority=0),
    )
    assert json.loads(raw) == {
        "specversion": "1.0", "id": "1", "source": "s", "type": "queue.entered",
        "time": "2026-01-31T09:30:00Z", "subject": "call-1", "data": {"queue": "IT"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"event_type": "queue.left"}, ValueError, "queue.left"),
        ({"data": HoldEnded()}, TypeError, "carries QueueEntered, not HoldEnded"),
        ({"id": ""}, ValueError, "id ''"),
        ({"source": "a\n"}, ValueError, "source"),
        ({"subject": "x" * 129}, ValueError, "subject"),
        ({"tenant": "\ud800"}, ValueError, "tenant"),
        ({"time": datetime(2026, 1, 1)}, ValueError, "no offset"),  # noqa: DTZ001
        ({"time": datetime(1989, 1, 1, tzinfo=UTC)}, ValueError, "1990"),
    ],
)
def test_what_no_reader_would_accept_is_not_written(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    arguments: dict[str, Any] = {
        "event_type": "queue.entered", "id": "1", "source": "s", "subject": "c",
        "time": datetime(2026, 1, 1, tzinfo=UTC), "data": QueueEntered(queue="IT"),
    }  # fmt: skip
    with pytest.raises(error, match=words):
        encode(**(arguments | changes))


def test_structured_content_type_wins_over_attributes_in_headers() -> None:
    headers = [
        ("ce_id", b"other"),
        ("Content-Type", b"application/cloudevents+json; charset=UTF-8"),
    ]
    event = decode(json.dumps(plain("own")).encode(), headers)
    assert isinstance(event, Event)
    assert event.id == "own"


def test_foreign_headers_do_not_matter() -> None:
    raw = json.dumps(plain()).encode()
    assert decode(raw, [("trace", b"\xff"), ("content-type", b"text/plain")]) == decode(raw)


def test_a_record_without_value_has_no_data() -> None:
    _, headers = binary(plain() | {"type": "hold.started"})
    event = decode(None, headers)
    assert isinstance(event, Event)
    assert event.data.agent == ""


@pytest.mark.parametrize(
    ("value", "extra", "reason", "path"),
    [
        (b'{"queue":"IT"},"id":"x"', [], "invalid_json", "data"),
        (b'{"queue":"IT","queue":"X"}', [], "duplicate_key", "data.queue"),
        (b'{"queue":7}', [], "invalid_event", "data.queue"),
        (b"\xff", [], "not_utf8", "data"),
        (b"{}", [("ce_id", b"2")], "duplicate_key", "id"),
        (b"{}", [("ce_x", b"\xff")], "not_utf8", "x"),
        (b"{}", [("ce_data", b"{}")], "invalid_event", "data"),
    ],
)
def test_bad_binary_records_are_refused(
    value: bytes, extra: list[tuple[str, bytes]], reason: str, path: str
) -> None:
    _, headers = binary(plain())
    verdict = decode(value, headers + extra)
    assert isinstance(verdict, Rejected)
    assert (verdict.reason, verdict.path) == (reason, path)


def test_data_that_are_not_json_are_refused() -> None:
    value, headers = binary(plain())
    verdict = decode(value, [*headers[:-1], ("content-type", b"application/avro")])
    assert isinstance(verdict, Rejected)
    assert verdict.path == "datacontenttype"
    assert "application/avro" in verdict.message


def test_unknown_fields_of_binary_records() -> None:
    value, headers = binary(plain() | {"data": {"queue": "IT", "new": 1}})
    assert set(unknown_fields(value, [*headers, ("ce_region", b"eu")])) == {"region", "data.new"}
