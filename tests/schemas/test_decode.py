"""The decoder: one verdict, two ways to it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import authority
from schemas.decode import Event, Rejected, decode, detour, shortcut, unknown_fields
from schemas.events import EVENT_DATA, MAX_EVENT_BYTES
from schemas.wire import EVENT_STRUCTS
from tests.support.events import Document, altered, documents, plain, times, written


def said(event: Event) -> str:
    """Everything an event says, with numbers as they are typed and the time in UTC."""
    return repr(msgspec.structs.replace(event, time=event.time.astimezone(UTC)))


def tidy(document: Document) -> Document:
    """The same event as most sources write it: no default spelt out, nothing to escape."""
    event = authority.read(json.dumps(document).encode())
    assert isinstance(event, Event)
    raw = msgspec.json.encode(event).replace(b"\\\\", b"").replace(b'\\"', b"")
    untouched = json.loads(raw)
    return {
        name: value or "x" if isinstance(value, str) else value for name, value in untouched.items()
    }


def assert_the_shortcut_agrees(raw: bytes) -> Event | Rejected:
    verdict = authority.read(raw)
    for quick in filter(None, (shortcut(raw), detour(raw))):
        assert isinstance(verdict, Event), verdict
        assert quick == verdict
        assert said(quick) == said(verdict)
    decided = decode(raw)
    assert decided == verdict
    return decided


@given(documents().flatmap(written))
def test_every_valid_event_is_accepted_and_both_ways_agree(raw: bytes) -> None:
    decided = assert_the_shortcut_agrees(raw)
    assert isinstance(decided, Event), decided
    assert decided.type == json.loads(raw)["type"]


@given((documents() | documents().map(tidy)).flatmap(altered))
@example(b'{"a":1,"a" :2}')
@example(json.dumps(plain()).replace(',"id"', ',"id" :"b","id"').encode())
@example(json.dumps(plain(":")).replace('"queue"', '"x":1,"queue"').encode())
@example(json.dumps(plain(': "')).encode())
@example(json.dumps(plain()).replace("+00:00", "+0000").encode())
def test_the_shortcut_never_accepts_what_the_models_refuse(raw: bytes) -> None:
    assert_the_shortcut_agrees(raw)


@given(st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=8))))
def test_no_bytes_and_no_headers_raise(raw: bytes, headers: list[tuple[str, bytes]]) -> None:
    assert isinstance(decode(raw, headers), Event | Rejected)
    unknown_fields(raw, headers)


@given(times())
def test_times_are_read_alike(text: str) -> None:
    raw = json.dumps(plain() | {"time": text}).encode()
    assert shortcut(raw) == authority.read(raw)


@pytest.mark.parametrize("event_type", sorted(EVENT_DATA))
def test_no_default_is_written_again(event_type: str) -> None:
    # The count of the shortcut rests on it: what was not in the record is not in its encoding.
    required: dict[str, Any] = {
        "by": "agent", "outcome": None, "queue": "q", "reason": "answered", "agent": "a",
        "kind": "blind", "author": "bot", "status": "new", "score": 1, "scale_max": 5,
        "state": "paused", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
        "activity": "x", "surface": "faq", "medium": "sms", "campaign": "c",
        "identifiers": [{"kind": "phone", "value": "1"}], "a": {"kind": "phone", "value": "1"},
        "b": {"kind": "phone", "value": "2"},
    }  # fmt: skip
    special = {
        "ivr.exited": {"outcome": "contained"},
        "selfservice.used": {"outcome": "left"},
        "survey.submitted": {"kind": "csat"},
    }
    model = EVENT_DATA[event_type]
    data = {
        f.alias or name: special.get(event_type, {}).get(
            f.alias or name, required.get(f.alias or name)
        )
        for name, f in model.model_fields.items()
        if f.is_required()
    }
    document = plain() | {"type": event_type, "data": data}
    event = msgspec.json.decode(json.dumps(document), type=EVENT_STRUCTS[event_type])
    assert json.loads(msgspec.json.encode(event)).keys() == document.keys()
    assert json.loads(msgspec.json.encode(event))["data"].keys() == data.keys()
    assert decode(json.dumps(document).encode()) == event


def edited(**changes: Any) -> bytes:
    return json.dumps(plain() | changes).encode()


def with_data(**changes: Any) -> bytes:
    return edited(data={"queue": "IT", **changes})


PLAIN = json.dumps(plain()).encode()


@pytest.mark.parametrize(
    ("raw", "reason", "path", "words"),
    [
        (None, "empty", "", "no value"),
        (b"", "empty", "", "no value"),
        (b" \n", "empty", "", "no value"),
        (edited(x="y" * MAX_EVENT_BYTES), "too_large", "", str(MAX_EVENT_BYTES)),
        (PLAIN + b" " * MAX_EVENT_BYTES, "too_large", "", str(MAX_EVENT_BYTES)),
        (PLAIN.replace(b"IT", b"\xff"), "not_utf8", "", "0xff"),
        (b"\xef\xbb\xbf" + PLAIN, "invalid_json", "", "byte order mark"),
        (PLAIN[:-5], "invalid_json", "", "character"),
        (PLAIN + PLAIN, "invalid_json", "", "extra data"),
        (PLAIN.replace(b'"IT"', b"NaN"), "invalid_json", "", "NaN"),
        (PLAIN.replace(b'"IT"', b"1" * 5000), "invalid_json", "", "digits"),
        (PLAIN.replace(b"IT", b"\\ud800"), "invalid_json", "", "surrogate"),
        (PLAIN.replace(b"IT", b"\x07"), "invalid_json", "", "control"),
        (PLAIN.replace(b"}}", b',"queue":"X"}}'), "duplicate_key", "data.queue", "twice"),
        (PLAIN.replace(b"}}", b',"queue" : "X"}}'), "duplicate_key", "data.queue", "twice"),
        (PLAIN.replace(b"}}", b',"x":[{"y":1,"y":2}]}}'), "duplicate_key", "data.x[0].y", "twice"),
        (PLAIN[:-1] + b',"\\ud800":1,"\\ud800":2}', "duplicate_key", "?", "twice"),
        (b"[" * 100_000, "too_deep", "", "32"),
        (with_data(x=[[[]]]).replace(b"[[[]]]", b"[" * 31 + b"]" * 31), "too_deep", None, "32"),
        (b"[1]", "invalid_event", "", "an array of 1 items"),
        (b"null", "invalid_event", "", "found null"),
        (edited(type="queue.enterd"), "unknown_type", "type", "queue.entered?"),
        (edited(type=7), "invalid_event", "type", "found 7"),
        (edited(type=None), "invalid_event", "type", "missing"),
        (edited(id=""), "invalid_event", "id", "at least 1 character"),
        (edited(id="x" * 129), "invalid_event", "id", "at most 128"),
        (edited(id="\x7f"), "invalid_event", "id", "control characters"),
        (PLAIN.replace(b"IT", b"\x7f"), "invalid_event", "data.queue", "control characters"),
        (edited(source="a\nb"), "invalid_event", "source", "control characters"),
        (edited(specversion="0.3"), "invalid_event", "specversion", '"0.3"'),
        (edited(data=None), "invalid_event", "data", "missing"),
        (edited(data=[]), "invalid_event", "data", "an array"),
        (edited(data_base64="e30=", data=None), "invalid_event", "data_base64", "JSON in `data`"),
        (with_data(queue=7), "invalid_event", "data.queue", "found 7"),
        (with_data(priority=-1), "invalid_event", "data.priority", "greater than or equal to 0"),
        (with_data(priority=10**9 + 1), "invalid_event", "data.priority", "or equal to 1000000000"),
        (with_data(priority=True), "invalid_event", "data.priority", "found true"),
        (with_data(priority=1.0), "invalid_event", "data.priority", "found 1.0"),
        (with_data(priority="1"), "invalid_event", "data.priority", 'found "1"'),
        (with_data(skills=["x"] * 21), "invalid_event", "data.skills", "at most 20"),
        (
            with_data(customer={"identifiers": [{"kind": "fax", "value": "1"}]}),
            "invalid_event",
            "data.customer.identifiers[0].kind",
            "'phone'",
        ),
        (edited(time="2026-01-31T09:30:00"), "invalid_event", "time", "offset"),
        (edited(time="2026-01-31T09:30Z"), "invalid_event", "time", "seconds"),
        (edited(time="2026-01-31T09:30:60Z"), "invalid_event", "time", "no such time"),
        (edited(time="2026-02-30T09:30:00Z"), "invalid_event", "time", "no such time"),
        (edited(time="1769851800"), "invalid_event", "time", "RFC 3339"),
        (edited(time=1769851800), "invalid_event", "time", "found 1769851800"),
        (edited(time="9999-12-31T23:59:59Z"), "time_out_of_range", "time", "9999"),
        (edited(time="0001-01-01T00:00:00+14:00"), "time_out_of_range", "time", "the year 1;"),
        (edited(time="1989-12-31T23:59:59Z"), "time_out_of_range", "time", "1989"),
        (edited(time="1990-01-01T00:30:00+01:00"), "time_out_of_range", "time", "1989"),
        (edited(time="2101-01-01T00:00:00Z"), "time_out_of_range", "time", "2101"),
    ],
)  # fmt: skip
def test_refusals_say_where_and_what(
    raw: bytes | None, reason: str, path: str | None, words: str
) -> None:
    verdict = decode(raw)
    assert isinstance(verdict, Rejected)
    assert (verdict.reason, verdict.path) == (reason, verdict.path if path is None else path)
    assert words in verdict.message
    assert len(verdict.message) <= 500
    verdict.message.encode()


@pytest.mark.parametrize(
    "raw",
    [
        edited(time="1990-01-01T00:00:00Z"),
        edited(time="2101-01-01T00:00:00+01:00"),
        edited(tenant=None, traceparent=None),
        {k: v for k, v in plain().items() if k != "specversion"},
        edited(partitionkey="x", data={"queue": "IT", "new": {"deep": [1e300, None]}}),
        edited(type="hold.started", data={}),
        edited(type="hold.started", data=None),
        {k: v for k, v in plain().items() if k != "data"} | {"type": "hold.started"},
        with_data(priority=0, skills=[], language="", position=None, customer={}),
    ],
)
def test_accepted_though_unusual(raw: bytes | dict[str, Any]) -> None:
    value = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    event = assert_the_shortcut_agrees(value)
    assert isinstance(event, Event), event
    assert event.tenant == "default"


def test_times_are_rounded_to_microseconds_not_cut() -> None:
    event = decode(edited(time="2026-01-31T09:29:59.9999996+01:00"))
    assert isinstance(event, Event)
    assert event.time == datetime(2026, 1, 31, 8, 30, tzinfo=UTC)


def test_schedules_are_read_with_their_times() -> None:
    data = {"from": "2026-01-31T09:00:00Z", "to": "2026-01-31T10:00:00Z", "activity": "queue"}
    event = decode(edited(type="agent.scheduled", data=data))
    assert isinstance(event, Event)
    assert event.data.from_ == datetime(2026, 1, 31, 9, tzinfo=UTC)
    late = decode(edited(type="agent.scheduled", data=data | {"to": "9999-01-01T00:00:00Z"}))
    assert isinstance(late, Rejected)
    assert (late.reason, late.path) == ("time_out_of_range", "data.to")


def test_events_take_the_shortcut_where_they_are_plain() -> None:
    assert shortcut(PLAIN) is not None
    assert shortcut(json.dumps(plain(), indent=2).encode()) is not None
    assert shortcut(edited(x=1)) is None


@pytest.mark.parametrize("way", [shortcut, detour])
@pytest.mark.parametrize(
    "raw",
    [
        PLAIN.replace(b"}}", b',"queue":"X"}}'),
        PLAIN.replace(b"}}", b',"x":{"y":1,"y":2}}}'),
        PLAIN.replace(b"}}", b',"x":' + b"[" * 31 + b"]" * 31 + b"}}"),
        PLAIN.replace(b"}}", b',"x":' + b"1" * 5000 + b"}}"),
        PLAIN.replace(b"}}", b',"x":"\\ud800"}}'),
        PLAIN.replace(b"IT", b"\x7f"),
        PLAIN.replace(b"2026", b"9999"),
        PLAIN + b" " * MAX_EVENT_BYTES,
    ],
)
def test_no_way_past_the_models_takes_what_they_refuse(
    way: Callable[[bytes], Event | None], raw: bytes
) -> None:
    assert way(raw) is None
    assert isinstance(decode(raw), Rejected)


def test_events_with_fields_of_their_own_take_the_detour() -> None:
    assert detour(edited(x=1)) == decode(PLAIN)
    assert detour(with_data(priority=0, skills=[])) == decode(PLAIN)


def test_unknown_fields_are_named_once() -> None:
    identifiers = [{"kind": "phone", "value": "1", "label": "a"}] * 2
    raw = edited(
        partitionkey="x",
        data={"queue": "IT", "new": {"queue": 1}, "customer": {"identifiers": identifiers}},
    )
    expected = ("data.new", "data.customer.identifiers[].label", "partitionkey")
    assert set(unknown_fields(raw)) == set(expected)
    assert len(unknown_fields(raw)) == len(expected)
    assert unknown_fields(PLAIN) == ()
    assert unknown_fields(b"{") == ()
    assert unknown_fields(None) == ()
