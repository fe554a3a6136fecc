"""Dead letters and late events as topics: published before they are stored, and replayed."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.types import TP

from gateway.publish import Publisher
from schemas.decode import Event, Headers, Rejected, decode
from schemas.derived import X_LOG, X_REPLAY_OF, LateNotice
from schemas.topics import EVENTS_CALL, EVENTS_DEAD_LETTER, EVENTS_LATE
from sinks.dead_letters import Selection, find_dead_letters
from sinks.metrics import Metrics
from sinks.store import Store
from streams import derived
from streams.app import Pipeline
from streams.broker_admin import PLAINTEXT, admin_client
from streams.fold import partition
from streams.parts import create_all_topics, migrate_all
from streams.replay import ReplayReport, replay
from streams.topic_admin import topic_logs
from tests.integration.conftest import DEADLINE_SECONDS, Run, Sent, publish, wait_for

PARTITIONS = 2
# The embedded broker makes a topic that is written to.
REFUSES = pytest.mark.parametrize(
    "broker", [pytest.param("apache-kafka", marks=pytest.mark.kafka)], indirect=True
)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HEADERS = [("h", b"\xff\x00"), ("x-reason", b"of the source")]


@pytest.fixture
def short_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "ATTEMPT_SECONDS", 1.0)


def event(number: int, *, kind: str = "queue.entered", minute: int = 0, **changes: Any) -> bytes:
    """An event of a call of its own, unless told otherwise."""
    document = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "test",
        "type": kind,
        "time": START.replace(minute=minute).isoformat(),
        "subject": f"call-{number}",
        "data": {"queue": "support"},
    }
    return json.dumps(document | changes).encode()


def on_calls(value: bytes | None, key: bytes = b"k", *, headers: Sequence[Any] = ()) -> Sent:
    return Sent(EVENTS_CALL, key, value, partition=1, headers=headers)


def records_on(run: Run, topic: str, count: int) -> list[Any]:
    """What lies on a topic and tells of this test's logs: at least `count` records."""
    log = topic_logs(run.bootstrap, [EVENTS_CALL])[EVENTS_CALL].encode()

    async def read() -> list[Any]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=run.bootstrap, auto_offset_reset="earliest", fetch_max_bytes=64 << 20
        )
        found: list[Any] = []
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
            async with asyncio.timeout(DEADLINE_SECONDS):
                while len(found) < count:
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        of = [dict(record.headers).get(X_LOG, log) for record in records]
                        found += [r for r, of_log in zip(records, of, strict=True) if of_log == log]
        finally:
            await consumer.stop()
        return found

    return asyncio.run(read())


def letters_in(store: Store) -> list[dict[str, Any]]:
    return store.query(
        "SELECT source_partition, source_offset, log, reason, error_path, error, key, value"
        " FROM dead_letters FINAL ORDER BY source_offset",
        bytes_columns=("key", "value"),
    )


def test_dead_letters_and_late_events_lie_on_their_topics(
    run: Run, new_store: Callable[[], Store]
) -> None:
    bad = [b"\xff\x00", event(9, kind="queue.teleported"), b"", None, b"x" * (10 << 20)]
    late = [(event(3, minute=1), False), (event(4, minute=2, subject="call-1"), True)]
    records = [
        *(on_calls(value, headers=HEADERS) for value in bad),
        *(on_calls(value) for value in (event(1), event(2, minute=30))),
        *(on_calls(value) for value, _ in late),
    ]
    store = new_store()
    run.over(records, store, partitions=PARTITIONS, lateness_seconds=60)

    stored = letters_in(store)
    found = records_on(run, EVENTS_DEAD_LETTER, len(bad))
    assert [record.value for record in found] == [value or b"" for value in bad]
    assert len(stored) == len(bad)
    for row, record in zip(stored, found, strict=True):
        assert record.key == row["key"] == b"k"
        assert list(record.headers[:2]) == HEADERS
        assert dict(record.headers[2:]) == {
            "x-topic": EVENTS_CALL.encode(),
            "x-partition": b"1",
            "x-offset": str(row["source_offset"]).encode(),
            "x-log": row["log"].encode(),
            "x-reason": row["reason"].encode(),
            "x-error-path": row["error_path"].encode(),
            "x-error": row["error"].encode(),
        }

    notices = {r.key: r for r in records_on(run, EVENTS_LATE, len(late))}
    assert notices.keys() == {b"call-3", b"call-1"}
    for offset, (value, applied) in enumerate(late, start=len(bad) + 2):
        said = json.loads(value)
        record = notices[said["subject"].encode()]
        assert LateNotice.model_validate_json(record.value) == LateNotice(
            topic=EVENTS_CALL,
            partition=1,
            offset=offset,
            log=stored[0]["log"],
            tenant="default",
            subject=said["subject"],
            type="queue.entered",
            occurred_at=said["time"],
            watermark_at=START.replace(minute=29),
            applied=applied,
        )
        assert dict(record.headers)["x-offset"] == b"%d" % offset


@REFUSES
@pytest.mark.usefixtures("short_attempts")
def test_while_the_topic_cannot_be_written_the_worker_waits_and_nothing_is_lost(
    run: Run, new_store: Callable[[], Store]
) -> None:
    store = new_store()
    settings = run.settings(PARTITIONS, flush_rows=1_000, checkpoint_seconds=0.1)
    migrate_all(store, settings)
    run.remake_topics(settings)
    delete(run.bootstrap, EVENTS_DEAD_LETTER)
    bad = [event(n, kind="queue.teleported") for n in range(3)]
    records = [on_calls(value) for value in [event(10), *bad, event(11)]]

    async def through_an_outage() -> None:
        ends = await publish(run.bootstrap, records)
        pipeline = Pipeline(settings, run.bootstrap, store, Metrics())
        running = asyncio.create_task(pipeline.run_until(ends))
        try:
            await until(lambda: EVENTS_DEAD_LETTER in pipeline.not_ready(), running)
            assert "cannot be written" in pipeline.not_ready()
            await asyncio.to_thread(nothing_is_covered, store)
            await asyncio.to_thread(create_all_topics, settings, run.bootstrap, PLAINTEXT)
            await asyncio.wait_for(running, DEADLINE_SECONDS)
            assert EVENTS_DEAD_LETTER not in pipeline.not_ready()
        finally:
            running.cancel()

    asyncio.run(through_an_outage())
    found = records_on(run, EVENTS_DEAD_LETTER, len(bad))
    assert {(dict(r.headers)["x-offset"], r.value) for r in found} == {
        (b"%d" % offset, value) for offset, value in enumerate(bad, start=1)
    }
    assert [row["value"] for row in letters_in(store)] == bad
    assert stored_ids(store) == ["e-10", "e-11"]


@REFUSES
@pytest.mark.usefixtures("short_attempts")
def test_a_worker_that_stops_while_it_waits_leaves_all_of_it_to_the_next(
    run: Run, new_store: Callable[[], Store]
) -> None:
    store = new_store()
    settings = run.settings(PARTITIONS, checkpoint_seconds=0.1)
    migrate_all(store, settings)
    run.remake_topics(settings)
    delete(run.bootstrap, EVENTS_DEAD_LETTER)

    async def stopped() -> dict[TP, int]:
        ends = await publish(run.bootstrap, [on_calls(b"?"), on_calls(event(1))])
        pipeline = Pipeline(settings, run.bootstrap, store, Metrics())
        running = asyncio.create_task(pipeline.run_until(ends))
        await until(lambda: EVENTS_DEAD_LETTER in pipeline.not_ready(), running)
        running.cancel()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.wait([running])
        assert running.cancelled()
        return ends

    ends = asyncio.run(stopped())
    nothing_is_covered(store)
    create_all_topics(settings, run.bootstrap, PLAINTEXT)

    run.process(settings, store, ends)
    found = records_on(run, EVENTS_DEAD_LETTER, 1)
    assert {(dict(r.headers)["x-offset"], r.value) for r in found} == {(b"0", b"?")}
    assert [row["value"] for row in letters_in(store)] == [b"?"]
    assert stored_ids(store) == ["e-1"]


def test_a_replay_stores_what_was_mended_once_and_marks_what_is_refused_again(
    run: Run, new_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store()
    agents_own = event(2, kind="agent.state_changed", data={"state": "available"})
    # A release that does not know queue.entered yet.
    with monkeypatch.context() as earlier:
        earlier.setattr(partition, "decode", without("queue.entered"))
        run.over(
            [on_calls(event(1), b"call-1"), on_calls(agents_own), on_calls(b"?")],
            store,
            partitions=PARTITIONS,
        )
    assert [row["reason"] for row in letters_in(store)] == [
        "unknown_type",
        "wrong_topic",
        "invalid_json",
    ]

    settings = run.settings(PARTITIONS)
    two = ReplayReport(replayed=2, still_refused=1)
    # Twice, before the worker has seen the first: as if it had been interrupted.
    assert replayed(run, store, times=2) == [two, two]
    run.process(settings, store, {TP(EVENTS_CALL, 1): 7})

    assert stored_ids(store) == ["e-1"]
    assert count(store, "interactions") == 1
    by_reason = {letter.reason: letter for letter in find_dead_letters(store, Selection())}
    assert {reason: found.replays for reason, found in by_reason.items()} == {
        "unknown_type": 0,
        "wrong_topic": 2,
        "invalid_json": 0,
    }
    assert by_reason["wrong_topic"].place.offset == 1
    assert find_dead_letters(store, Selection(EVENTS_CALL, lies_at=(1, 4))) == [
        by_reason["wrong_topic"]
    ]
    assert replayed(run, store) == [
        ReplayReport(already_stored=1, refused_before=1, still_refused=1)
    ]
    assert replayed(run, store, again=True) == [ReplayReport(replayed=2, already_stored=1)]
    marked = [
        (dict(r.headers)[X_REPLAY_OF], r.partition, r.value)
        for r in records_on(run, EVENTS_CALL, 9)
        if X_REPLAY_OF in dict(r.headers)
    ]
    names = [by_reason[reason].place.name.encode() for reason in ("unknown_type", "wrong_topic")]
    first_two = [(names[0], 1, event(1)), (names[1], 1, agents_own)]
    name_of_last = by_reason["invalid_json"].place.name.encode()
    assert marked == [*first_two * 2, first_two[1], (name_of_last, 1, b"?")]


def without(kind: str) -> Callable[..., Event | Rejected]:
    """`decode` as it was before it knew a type."""

    def decoded(value: bytes | None, headers: Headers = ()) -> Event | Rejected:
        found = decode(value, headers)
        if isinstance(found, Event) and found.type == kind:
            return Rejected("unknown_type", "type", f"no event type {kind}")
        return found

    return decoded


def replayed(run: Run, store: Store, *, times: int = 1, again: bool = False) -> list[ReplayReport]:
    """Replay all that can be, so many times; what became of it."""

    async def go() -> list[ReplayReport]:
        letters = sorted(find_dead_letters(store, Selection()), key=lambda found: found.place)
        logs = topic_logs(run.bootstrap, [EVENTS_CALL])
        async with Publisher(run.bootstrap) as publisher:
            return [
                await replay(store, letters, publisher, logs, again=again) for _ in range(times)
            ]

    return asyncio.run(go())


async def until(condition: Callable[[], bool], running: "asyncio.Future[None]") -> None:
    """Wait for the condition; fail with what runs, if that ends before."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.wait([running], timeout=0.05)
            if running.done():
                running.result()
                raise AssertionError("it ended without waiting")


def delete(bootstrap: str, topic: str) -> None:
    with admin_client(bootstrap, PLAINTEXT, 15.0) as admin:
        admin.delete_topics([topic])
        wait_for(lambda: topic not in admin.list_topics(), f"{topic} to go")


def nothing_is_covered(store: Store) -> None:
    assert count(store, "dead_letters") == 0
    assert store.query("SELECT max(next_offset) AS n FROM checkpoints FINAL")[0]["n"] == 0


def count(store: Store, table: str) -> int:
    return int(store.query(f"SELECT count() AS n FROM {table} FINAL")[0]["n"])


def stored_ids(store: Store) -> list[str]:
    rows = store.query("SELECT event_id FROM events FINAL ORDER BY source_offset")
    return [row["event_id"] for row in rows]
