"""What is announced lies on its topic before `announce` returns, or the worker goes on waiting."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.publish import PublishError
from gateway.record import Record
from schemas.derived import X_OFFSET, X_REASON, LateNotice
from schemas.rows import DeadLetterRow, EventRow, LateEventRow
from schemas.topics import EVENTS_DEAD_LETTER, EVENTS_LATE
from sinks.metrics import Metrics
from sinks.writer import Block, WriteAbandoned
from streams import derived
from streams.child_process import free_port
from streams.derived import DerivedTopics, derived_records
from tests.support.rows import row

DEADLINE_SECONDS = 20.0
BLOCK: Block = {DeadLetterRow: [row(DeadLetterRow)], LateEventRow: [row(LateEventRow)]}


class FakePublisher:
    """Fails as often as told, then takes records; `hang` never answers."""

    def __init__(self, failures: int = 0, *, hang: bool = False) -> None:
        self._failures = failures
        self._hang = hang
        self.taken: list[Record] = []
        self.attempts = self.started = 0
        self.closed = False

    def __call__(self, *_: Any, **__: Any) -> "FakePublisher":
        return self

    async def __aenter__(self) -> "FakePublisher":
        self.started += 1
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True

    async def publish(self, records: Iterable[Record]) -> None:
        self.attempts += 1
        if self._hang:
            await asyncio.Event().wait()
        if self.attempts <= self._failures:
            raise PublishError("no") from ValueError("the broker says no")
        self.taken += records


class Topics:
    """`DerivedTopics` over a fake, and what it is told and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, publisher: FakePublisher) -> None:
        monkeypatch.setattr(derived, "Publisher", publisher)
        monkeypatch.setattr(derived, "FIRST_DELAY_SECONDS", 0.001)
        monkeypatch.setattr(derived, "LONGEST_DELAY_SECONDS", 0.01)
        self.abandon = threading.Event()
        self.metrics = Metrics()
        self.under_test = DerivedTopics("broker:9092", {}, self.abandon, self.metrics)

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"switchboard_{name}", labels) or 0.0


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0)


HEADERS = st.lists(st.tuples(st.text(min_size=1), st.binary()))


@given(key=st.binary(), value=st.binary(), headers=HEADERS, offset=st.integers(0, 2**63 - 1))
def test_a_dead_letter_is_the_original_with_our_headers_last(
    key: bytes, value: bytes, headers: list[tuple[str, bytes]], offset: int
) -> None:
    said = {"reason": "too_deep", "source_offset": offset, "log": "L"}
    letter = row(DeadLetterRow, key=key, value=value, headers=headers, **said)
    (record,) = derived_records({DeadLetterRow: [letter], EventRow: [row(EventRow)]})
    assert (record.topic, record.key, record.value) == (EVENTS_DEAD_LETTER, key, value)
    assert record.headers is not None
    assert record.headers[: len(headers)] == headers
    ours = dict(record.headers)  # the last of a name
    assert (ours[X_OFFSET], ours[X_REASON]) == (b"%d" % offset, b"too_deep")


def test_a_late_notice_is_json_that_others_can_read() -> None:
    late = row(LateEventRow, subject="c", occurred_at=1_500, watermark_at=61_000, applied=1)
    (record,) = derived_records({LateEventRow: [late]})
    assert (record.topic, record.key) == (EVENTS_LATE, b"c")
    document = json.loads(record.value)
    assert document["occurred_at"] == "1970-01-01T00:00:01.500000Z"
    assert document["watermark_at"] == "1970-01-01T00:01:01Z"
    assert LateNotice.model_validate(document).applied


def test_it_tries_until_all_is_acknowledged_and_says_meanwhile_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def go() -> None:
        publisher = FakePublisher(failures=3)
        topics = Topics(monkeypatch, publisher)
        reasons = set()
        waiting = asyncio.create_task(asyncio.to_thread(topics.under_test.announce, BLOCK))
        while not waiting.done():
            reasons.add(topics.under_test.waiting_for)
            await asyncio.wait([waiting], timeout=0.0005)
        await waiting
        assert publisher.attempts == 4
        assert [r.topic for r in publisher.taken] == [EVENTS_DEAD_LETTER, EVENTS_LATE]
        (why,) = reasons - {""}
        assert EVENTS_DEAD_LETTER in why
        assert EVENTS_LATE in why
        assert "the broker says no" in why
        assert topics.under_test.waiting_for == ""
        assert topics.metric("announce_waiting_seconds") == 0
        assert topics.metric("announced_records_total", topic=EVENTS_LATE) == 1
        await topics.under_test.close()
        assert publisher.closed

    asyncio.run(go())


@pytest.mark.parametrize("publisher", [FakePublisher(10**9), FakePublisher(hang=True)])
def test_abandoning_ends_the_wait(
    monkeypatch: pytest.MonkeyPatch, publisher: FakePublisher
) -> None:
    async def go() -> None:
        topics = Topics(monkeypatch, publisher)
        waiting = asyncio.create_task(asyncio.to_thread(topics.under_test.announce, BLOCK))
        await until(lambda: publisher.attempts > 0)
        topics.abandon.set()
        with pytest.raises(WriteAbandoned):
            await asyncio.wait_for(waiting, DEADLINE_SECONDS)
        assert not publisher.taken
        assert topics.under_test.waiting_for == ""
        assert topics.metric("announce_waiting_seconds") == 0

    asyncio.run(go())


def test_without_anything_to_say_no_connection_is_made() -> None:
    async def go() -> None:
        nowhere = f"127.0.0.1:{free_port('127.0.0.1')}"
        topics = DerivedTopics(nowhere, {}, threading.Event(), Metrics())
        announce = asyncio.to_thread(topics.announce, {EventRow: [row(EventRow)]})
        await asyncio.wait_for(announce, DEADLINE_SECONDS)
        await topics.close()

    asyncio.run(go())


def test_those_who_speak_first_at_the_same_time_share_one_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        publisher = FakePublisher()
        topics = Topics(monkeypatch, publisher).under_test
        said = await asyncio.gather(*(topics.tell([(b"queue", b"partial")]) for _ in range(3)))
        assert (publisher.started, len(publisher.taken)) == (1, 3)
        assert all(said)

    asyncio.run(test())


def test_a_broker_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "ATTEMPT_SECONDS", 0.2)

    async def go() -> None:
        abandon = threading.Event()
        nowhere = f"127.0.0.1:{free_port('127.0.0.1')}"
        topics = DerivedTopics(nowhere, {}, abandon, Metrics())
        waiting = asyncio.create_task(asyncio.to_thread(topics.announce, BLOCK))
        await until(lambda: topics.waiting_for != "")
        assert "KafkaConnectionError" in topics.waiting_for
        abandon.set()
        with pytest.raises(WriteAbandoned):
            await asyncio.wait_for(waiting, DEADLINE_SECONDS)
        await topics.close()

    asyncio.run(go())
