"""Dead letters are found as they lie, one line a record however often it was replayed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.decode import Event, decode
from schemas.derived import X_REPLAY_OF
from schemas.rows import DeadLetterRow, EventRow
from sinks import dead_letters
from sinks.dead_letters import (
    Selection,
    find_dead_letters,
    originals,
    reason_counts,
    stored_events,
)
from sinks.store import Store
from tests.support.rows import row

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def letter(offset: int, *, minute: int = 0, **changed: Any) -> tuple[Any, ...]:
    values = {"topic": "events.call", "source_partition": 3, "log": "L", "reason": "r"}
    at = round((AT + timedelta(minutes=minute)).timestamp() * 1000)
    return row(DeadLetterRow, **{**values, "source_offset": offset, "produced_at": at, **changed})


def replay_of(offset: int) -> dict[str, Any]:
    return {"headers": [("h", b"\xff"), (X_REPLAY_OF, b"events.call/3/%d/L" % offset)]}


@pytest.fixture
def filled(store: Store) -> Store:
    store.insert(
        DeadLetterRow,
        [
            letter(1, key=b"\xff\x00", value=b"\xfe", headers=[("n\u00e4", b"\x00\xff")]),
            letter(7, minute=5, reason="s", error_path="p", error="e", **replay_of(1)),
            letter(9, minute=9, reason="t", **replay_of(1)),
            letter(2, minute=1, value=b"x" * 9),
            letter(2, minute=1, value=b"x" * 9),  # a block that was stored twice
            letter(2, log="another", minute=2, version=9),
            letter(4, topic="panes (table)", key=b"1", minute=3),
            letter(4, topic="panes (table)", key=b"2", minute=3),
            letter(30, minute=4, **replay_of(29)),  # what it replays is past its retention
        ],
    )
    return store


def offsets(store: Store, selection: Selection, limit: int | None = None) -> list[int]:
    return [found.place.offset for found in find_dead_letters(store, selection, limit=limit)]


def test_replays_are_counted_with_what_they_replay(filled: Store) -> None:
    found = find_dead_letters(filled, Selection())
    first = found[0]
    assert first.place.name == "events.call/3/1/L"
    assert (first.key, first.size_bytes, first.replays) == (b"\xff\x00", 1, 2)
    assert (first.produced_at, first.judged_at) == (AT, AT + timedelta(minutes=9))
    assert (first.reason, first.is_record) == ("t", True)
    assert [(f.place.offset, f.place.log, f.replays) for f in found[1:]] == [
        (30, "L", 0),
        (4, "L", 0),
        (4, "L", 0),
        (2, "another", 0),
        (2, "L", 0),
    ]
    assert [f.is_record for f in found] == [True, True, False, False, True, True]
    assert {f.key for f in found if not f.is_record} == {b"1", b"2"}
    assert reason_counts(filled) == {"r": 6, "s": 1, "t": 1}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(reason="s"), []),  # not the last verdict
        (Selection(reason="t"), [1]),
        (Selection(topic="panes (table)"), [4, 4]),
        (Selection(topic="events"), []),
        (Selection(since=AT + timedelta(minutes=4)), [1, 30]),
        (Selection(topic="events.call", lies_at=(3, 7)), [1]),
        (Selection(topic="events.call", lies_at=(3, 2)), [2, 2]),
        (Selection(topic="events.call", lies_at=(0, 2)), []),
    ],
)
def test_a_selection_gives_what_it_says(
    filled: Store, selection: Selection, expected: list[int]
) -> None:
    assert offsets(filled, selection) == expected
    assert offsets(filled, selection, limit=1) == expected[:1]


def test_originals_are_the_bytes_that_came_however_many_are_fetched_at_a_time(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = find_dead_letters(filled, Selection())
    whole = list(originals(filled, letters))
    assert [found.place for (found, _) in whole[0]] == [found.place for found in letters]
    assert whole[0][0][1].value == b"\xfe"
    assert whole[0][0][1].headers == [("n\u00e4", b"\x00\xff")]
    monkeypatch.setattr(dead_letters, "FETCH_BYTES", 8)
    parts = list(originals(filled, letters))
    assert [pair for part in parts for pair in part] == whole[0]
    assert [len(part) for part in parts] == [5, 1]
    monkeypatch.setattr(dead_letters, "FETCH_LETTERS", 1)
    assert len(list(originals(filled, letters))) == len(letters)
    filled.command("TRUNCATE TABLE dead_letters")
    assert list(originals(filled, letters[:1])) == [[]]


def test_an_event_is_stored_if_its_source_and_id_are(store: Store) -> None:
    store.insert(EventRow, [row(EventRow, tenant="default", subject="c", source="s", event_id="1")])

    def event(subject: str, identity: str) -> Event:
        found = decode(
            b'{"specversion": "1.0", "type": "hold.started", "time": "2026-03-02T09:00:00Z",'
            b' "source": "s", "id": "%b", "subject": "%b"}' % (identity.encode(), subject.encode())
        )
        assert isinstance(found, Event)
        return found

    assert stored_events(store, [event("c", "1"), event("c", "2")]) == {("s", "1")}
    assert stored_events(store, []) == set()
