"""`switchboard dead-letters` lists, shows and replays what lies in the store; says what it did.

Against the engine behind HTTP, so that the test may look into the store meanwhile.
"""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.derived import X_REPLAY_OF
from schemas.rows import DeadLetterRow, EventRow
from schemas.topics import EVENTS_CALL
from sinks.store import Store
from streams.embedded import EmbeddedBroker
from streams.topic_admin import TopicSpec, create_topics, topic_logs
from tests.support.clickhouse import ClickHouseServer, migrated, unused_database
from tests.support.command_line import switchboard
from tests.support.rows import row

AT_MS = round(datetime(2026, 3, 2, 9, 0, tzinfo=UTC).timestamp() * 1000)
GOOD = json.dumps(
    {
        "specversion": "1.0",
        "id": "e-1",
        "source": "test",
        "type": "queue.entered",
        "time": "2026-03-02T09:00:00Z",
        "subject": "call-1",
        "data": {"queue": "support"},
    }
).encode()
BINARY = b"\xff\x00\x1b[2J"


def letter(offset: int, value: bytes, reason: str, **changed: Any) -> tuple[Any, ...]:
    values = {"source_partition": 1, "log": "L", "key": b"k", "produced_at": AT_MS + offset}
    named = {"source_offset": offset, "value": value, "reason": reason, "error": f"is {reason}"}
    return row(DeadLetterRow, **{**values, **named, **changed})


@dataclass
class Installation:
    """A store with dead letters, and commands on it."""

    store: Store
    url: str
    directory: Path
    broker: str = "127.0.0.1:1"

    def run(self, *arguments: str, expect: int = 0) -> str:
        """What a command said; errors where it failed as expected."""
        done = switchboard(
            "dead-letters",
            *arguments,
            cwd=self.directory,
            settings={
                "SWITCHBOARD_CLICKHOUSE__URL": self.url,
                "SWITCHBOARD_CLICKHOUSE__DATABASE": self.store.database,
                "SWITCHBOARD_BROKER__URL": self.broker,
            },
        )
        assert done.returncode == expect, done.stderr
        return " ".join((done.stderr if expect else done.stdout).split())

    def ask(self, *arguments: str) -> Any:
        """What it said in JSON."""
        return json.loads(self.run(*arguments, "--format", "json"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture
def installation(engine: ClickHouseServer, tmp_path: Path) -> Iterator[Installation]:
    with engine.open(unused_database()) as store:
        migrated(store)
        yield Installation(store, engine.url, tmp_path)


@pytest.fixture
def filled(installation: Installation) -> Installation:
    installation.store.insert(
        DeadLetterRow,
        [
            letter(1, GOOD, "unknown_type", headers=[("h", b"\xff")], error_path="type"),
            letter(2, BINARY, "not_utf8"),
            letter(3, b"{}", "invalid_event"),
            letter(8, b"{}", "still_bad", headers=[(X_REPLAY_OF, b"events.call/1/3/L")]),
            letter(4, b"{}", "refused_by_store", topic="kpi_panes (table)"),
        ],
    )
    return installation


def test_the_list_is_one_line_a_record_the_last_judged_first(filled: Installation) -> None:
    found = filled.ask("list")
    assert [(one["offset"], one["reason"], one["replays"]) for one in found] == [
        (3, "still_bad", 1),
        (4, "refused_by_store", 0),
        (2, "not_utf8", 0),
        (1, "unknown_type", 0),
    ]
    assert found[-1] == {
        "topic": EVENTS_CALL,
        "partition": 1,
        "offset": 1,
        "log": "L",
        "produced_at": "2026-03-02T09:00:00.001000Z",
        "judged_at": "2026-03-02T09:00:00.001000Z",
        "reason": "unknown_type",
        "error_path": "type",
        "error": "is unknown_type",
        "replays": 0,
        "size_bytes": len(GOOD),
        "key": "k",
        "key_base64": None,
    }
    text = filled.run("list", "--limit", "1")
    assert "events.call 1 3" in text
    assert "--limit" in text
    assert filled.ask("list", "--reason", "not_utf8", "--topic", EVENTS_CALL) == [found[2]]
    assert filled.ask("list", "--since", "2026-03-02T09:01:00Z") == []
    assert "still_bad 1" in filled.run("list", "--reason", "unheard_of")


def test_an_empty_store_says_that_there_are_none(installation: Installation) -> None:
    assert installation.run("list") == "There are no dead letters."
    assert installation.run("replay") == "There are no dead letters."


def test_a_letter_is_shown_as_it_came_and_does_not_steer_the_terminal(filled: Installation) -> None:
    (shown,) = filled.ask("show", EVENTS_CALL, "1", "2")
    assert shown["value"] is None
    assert base64.b64decode(shown["value_base64"]) == BINARY
    assert shown["now"].startswith("refused: not_utf8")
    text = filled.run("show", EVENTS_CALL, "1", "2")
    assert "\x1b" not in text
    assert r"\xff\x00\x1b[2J" in text

    (good,) = filled.ask("show", EVENTS_CALL, "1", "1")
    assert good["value"].encode() == GOOD
    assert good["headers"] == [{"name": "h", "value": None, "value_base64": "/w=="}]
    assert good["now"].startswith("readable")
    (of_replay,) = filled.ask("show", EVENTS_CALL, "1", "8")
    assert (of_replay["offset"], of_replay["replays"]) == (3, 1)
    assert "list" in filled.run("show", EVENTS_CALL, "1", "99", expect=1)


def test_a_replay_publishes_what_can_do_better_where_it_was(
    filled: Installation, embedded_broker: EmbeddedBroker
) -> None:
    filled.broker = embedded_broker.bootstrap
    assert "switchboard topics create" in filled.run("replay", expect=1)
    create_topics(filled.broker, [TopicSpec(EVENTS_CALL, 4)])
    log = topic_logs(filled.broker, [EVENTS_CALL])[EVENTS_CALL]
    filled.store.insert(DeadLetterRow, [letter(1, GOOD, "unknown_type", log=log, key=b"other")])
    expected = {
        "replayed": 2,
        "already_stored": 0,
        "still_refused": 1,
        "refused_before": 1,
        "rows_of_tables": 1,
    }
    assert filled.ask("replay", "--dry-run") == expected | {"dry_run": True}
    assert filled.ask("replay") == expected | {"dry_run": False}

    first, second = asyncio.run(published(filled.broker, 2))
    names = {f"{EVENTS_CALL}/1/1/L".encode(), f"{EVENTS_CALL}/1/1/{log}".encode()}
    assert {dict(r.headers)[X_REPLAY_OF] for r in (first, second)} == names
    assert {r.value for r in (first, second)} == {GOOD}
    of_this_log = next(r for r in (first, second) if r.key == b"other")
    assert of_this_log.partition == 1, "where it lay, in the log in which it lay"

    event = {"tenant": "default", "subject": "call-1", "source": "test", "event_id": "e-1"}
    filled.store.insert(EventRow, [row(EventRow, **event)])
    text = filled.run("replay", "--reason", "unknown_type")
    assert text == "0 replayed 2 stored already"
    assert "stored" in filled.ask("show", EVENTS_CALL, "1", "1")[0]["now"]


async def published(bootstrap: str, count: int) -> list[Any]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    found: list[Any] = []
    await consumer.start()
    try:
        consumer.assign([TopicPartition(EVENTS_CALL, number) for number in range(4)])
        async with asyncio.timeout(30):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
    finally:
        await consumer.stop()
    return found
