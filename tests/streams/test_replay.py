"""A replay publishes each record as it was, once, under the name of the record it first was."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest

from gateway.publish import Publisher, PublishError
from gateway.record import Record
from schemas.derived import X_REPLAY_OF
from schemas.rows import DeadLetterRow
from sinks import dead_letters
from sinks.dead_letters import Selection, find_dead_letters
from sinks.store import EMBEDDED, Store, open_store
from streams.replay import ReplayReport, replay
from tests.support.clickhouse import embedded_path, migrated, unused_database
from tests.support.rows import row

LOGS = {"events.call": "L"}


class FakePublisher:
    """Takes so many calls, then fails."""

    def __init__(self, calls: int = 100) -> None:
        self._calls = calls
        self.taken: list[Record] = []

    async def publish(self, records: Any) -> None:
        if not self._calls:
            raise PublishError("no more")
        self._calls -= 1
        self.taken += records


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as opened:
        migrated(opened)
        yield opened
        opened.command(f"DROP DATABASE {opened.database} SYNC", use_database=False)


def letters(store: Store, *changes: dict[str, Any]) -> None:
    """Store dead letters at offsets from 0; what they say cannot be read."""
    store.insert(
        DeadLetterRow,
        [
            row(DeadLetterRow, **{"log": "L", "source_offset": n, **said})
            for n, said in enumerate(changes)
        ],
    )


def replayed(store: Store, publisher: FakePublisher, **how: Any) -> ReplayReport:
    found = sorted(find_dead_letters(store, Selection()), key=lambda letter: letter.place)
    return asyncio.run(replay(store, found, cast("Publisher", publisher), LOGS, again=True, **how))


def test_the_name_of_the_first_record_is_kept_when_that_one_is_gone(store: Store) -> None:
    header = (X_REPLAY_OF, b"events.call/0/7/before")
    letters(store, {"headers": [header], "value": b"?"}, {"key": b"k", "headers": [("h", b"")]})
    publisher = FakePublisher()
    assert replayed(store, publisher) == ReplayReport(replayed=2)
    assert [record.headers for record in publisher.taken] == [
        [header],
        [("h", b""), (X_REPLAY_OF, b"events.call/0/1/L")],
    ]
    assert [(r.key, r.value, r.partition) for r in publisher.taken] == [
        (b"", b"?", 0),
        (b"k", b"", 0),
    ]


def test_in_a_new_log_the_key_decides_on_the_partition(store: Store) -> None:
    letters(store, {"log": "older"})
    publisher = FakePublisher()
    replayed(store, publisher)
    assert [record.partition for record in publisher.taken] == [None]


def test_progress_is_told_by_what_was_acknowledged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "FETCH_LETTERS", 2)
    letters(store, *[{"value": b"%d" % n} for n in range(5)])
    told: list[int] = []
    with pytest.raises(PublishError):
        replayed(
            store, FakePublisher(calls=2), progress=lambda so_far: told.append(so_far.replayed)
        )
    assert told == [2, 4]
