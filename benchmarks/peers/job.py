"""What is the same whatever runs it: decoding, the join by interaction, the sink.

`Join` is what a framework keeps for one interaction, plain lists, so that any can serialise it.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import clickhouse_connect
import msgspec

CHANNELS: Final = {
    "events.call": "call",
    "events.chat": "chat",
    "events.email": "email",
    "events.social": "social",
}
TOPICS: Final = (*CHANNELS, "events.agent", "events.customer")
PANE_SECONDS: Final = 10
TARGET_MS: Final = 20_000
BLOCK_ROWS: Final = 50_000
COLUMNS: Final = ("topic", "subject", "occurred_at", "type", "source", "event_id", "payload")
MEASURES: Final = ("offered", "answered", "abandoned", "within_target", "wait_answered_ms")
PANE_COLUMNS: Final = ("queue", "channel", "pane_at", *MEASURES, "version")

TABLES: Final = (
    (
        "CREATE TABLE peer_events (topic LowCardinality(String), subject String,"
        " occurred_at DateTime64(3, 'UTC'), type LowCardinality(String),"
        " source LowCardinality(String), event_id String, payload String CODEC(ZSTD(3)))"
        " ENGINE = ReplacingMergeTree ORDER BY (subject, occurred_at, event_id)"
    ),
    (
        "CREATE TABLE peer_panes (queue LowCardinality(String), channel LowCardinality(String),"
        " pane_at DateTime('UTC'), offered Int64, answered Int64, abandoned Int64,"
        " within_target Int64, wait_answered_ms Int64, version UInt64)"
        " ENGINE = ReplacingMergeTree(version) ORDER BY (queue, channel, pane_at)"
    ),
)

Delta = list[Any]
"""[queue, channel, pane (Unix time), offered, answered, abandoned, within target, wait in ms]"""
Join = list[list[Any]]
"""The visits of an interaction that matter still: [queue, entered at, wait in ms or None]."""

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class Data(msgspec.Struct):
    """Of an event's data what the join needs."""

    queue: str = ""
    reason: str = ""
    wait_seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None


class Event(msgspec.Struct):
    """A CloudEvent."""

    specversion: Literal["1.0"]
    id: Word
    source: Word
    type: Word
    time: datetime
    subject: Word
    data: Data


class Job:
    """Decodes; the first record calls `begin`."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Event).decode
        self.decode: Callable[[bytes], Event] = self._first

    def _first(self, value: bytes) -> Event:
        begin()
        self.decode = self._decode
        return self._decode(value)


def begin() -> None:
    """Tell the parent process what had been spent before the first record."""
    # On a line of its own, whatever the framework has begun to write.
    sys.stdout.write("\n" + json.dumps({"cpu_seconds": time.process_time()}) + "\n")
    sys.stdout.flush()


def joined(visits: Join, channel: str, event: Event) -> list[Delta]:
    """What the event changes in panes. `visits` is changed in place."""
    at = event.time.timestamp()
    match event.type:
        case "queue.entered":
            visits.append([event.data.queue, at, None])
            return [_delta(visits[-1], channel, offered=1)]
        case "queue.exited" if visit := _waiting(visits, event.data.queue):
            if event.data.reason == "answered":
                return [_answered(visit, channel, event, at)]
            visits.remove(visit)
            gone = int(event.data.reason == "abandoned")
            return [_delta(visit, channel, abandoned=gone)] if gone else []
        case "agent.connected" if visit := _waiting(visits, event.data.queue):
            visits.remove(visit)
            return [_answered(visit, channel, event, at)]
        case "agent.connected" if visits and visits[-1][2] is not None:
            visit = visits.pop()
            before = _answer(visit, channel, -1)
            return [before, _answered(visit, channel, event, at)]
        case "interaction.ended":
            gone_too = [v for v in visits if v[2] is None]
            visits.clear()
            return [_delta(visit, channel, abandoned=1) for visit in gone_too]
    return []


def _waiting(visits: Join, queue: str) -> list[Any] | None:
    return next((v for v in visits if v[2] is None and queue in ("", v[0])), None)


def _answered(visit: list[Any], channel: str, event: Event, at: float) -> Delta:
    stated = event.data.wait_seconds
    visit[2] = round((at - visit[1] if stated is None else stated) * 1000)
    return _answer(visit, channel, 1)


def _answer(visit: list[Any], channel: str, n: int) -> Delta:
    within = n if visit[2] <= TARGET_MS else 0
    return _delta(visit, channel, answered=n, within=within, wait=visit[2] * n)


def _delta(
    visit: list[Any],
    channel: str,
    *,
    offered: int = 0,
    answered: int = 0,
    abandoned: int = 0,
    within: int = 0,
    wait: int = 0,
) -> Delta:
    pane = int(visit[1]) // PANE_SECONDS * PANE_SECONDS
    return [visit[0], channel, pane, offered, answered, abandoned, within, wait]


def added(total: Sequence[int] | None, delta: Delta) -> list[int]:
    """A pane's counts with one more change."""
    return [a + b for a, b in zip(total or (0, 0, 0, 0, 0), delta[3:], strict=True)]


class Sink:
    """Rows on their way to ClickHouse; of a pane the newest counts."""

    def __init__(self, url: str) -> None:
        self._client = clickhouse_connect.get_client(dsn=url)
        self._events: list[tuple[Any, ...]] = []
        self._panes: dict[tuple[str, str, int], Sequence[int]] = {}
        self._version = 0

    @property
    def full(self) -> bool:
        """Whether it is time for `flush`."""
        return len(self._events) >= BLOCK_ROWS

    def event(self, topic: str, event: Event, payload: bytes) -> None:
        """Take a timeline row."""
        self._events.append(
            (topic, event.subject, event.time, event.type, event.source, event.id, payload)
        )

    def pane(self, queue: str, channel: str, pane_at: int, counts: Sequence[int]) -> None:
        """Take a pane's present counts."""
        self._panes[queue, channel, pane_at] = counts

    def flush(self) -> None:
        """Store what was taken."""
        self._version += 1
        events, self._events = self._events, []
        panes, self._panes = self._panes, {}
        if events:
            self._client.insert("peer_events", events, column_names=COLUMNS)
        if panes:
            rows = [(*key, *counts, self._version) for key, counts in panes.items()]
            self._client.insert("peer_panes", rows, column_names=PANE_COLUMNS)
