"""What must be stored of a load, and whether it is: fast and wrong is no answer. Reads the store.

`Counts` is a batch computation in one pass over the raw records that shares no code with the fold:
how many events of which kind, how many contacts, and per queue how many were offered, answered,
abandoned, answered within the target, and after what waits. Up to `ORACLE_EVENTS` everything that
is stored is compared with the oracle of the tests as well, row by row.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from benchmarks.records import by_partition
from gateway.record import Record
from schemas.settings import Settings
from schemas.topics import CHANNEL_OF
from sinks.store import Store
from streams.rules import rules_of

ORACLE_EVENTS: Final = 200_000
SHOWN: Final = 10
MEASURES: Final = ("offered", "answered", "abandoned", "within_target", "wait_answered_ms")


class _Data(msgspec.Struct):
    queue: str = ""
    reason: str = ""
    wait_seconds: float | None = None


class _Event(msgspec.Struct):
    id: str
    source: str
    type: str
    time: datetime
    subject: str
    data: _Data


_decode = msgspec.json.Decoder(_Event).decode


class Visit(NamedTuple):
    """A stay in a queue that has not ended."""

    queue: str
    entered: float


@dataclass
class Counts:
    """See the module's docstring. `queues` is by (queue, channel) and by name of `MEASURES`."""

    target_seconds: float
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    queues: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    _waiting: dict[str, list[Visit]] = field(default_factory=dict)
    _exited: dict[str, tuple[Visit, int]] = field(default_factory=dict)
    """Answered by the word of the queue alone, with the wait counted so far."""

    def add(self, topic: str, value: bytes) -> None:
        """One more record, after those of its subject that came before it."""
        event = _decode(value)
        self.events[topic, event.type] += 1
        channel = CHANNEL_OF.get(topic)
        if channel is None:
            return
        match event.type:
            case "queue.entered":
                visit = Visit(event.data.queue, event.time.timestamp())
                self._waiting.setdefault(event.subject, []).append(visit)
                self._count(visit.queue, channel, "offered")
            case "queue.exited":
                self._exit(event, channel)
            case "agent.connected":
                self._connect(event, channel)
            case "interaction.ended":
                for visit in self._waiting.pop(event.subject, ()):
                    self._count(visit.queue, channel, "abandoned")
                self._exited.pop(event.subject, None)

    def _exit(self, event: _Event, channel: str) -> None:
        visit = self._taken(event)
        if visit is None:
            return
        if event.data.reason == "answered":
            self._exited[event.subject] = visit, self._answer(event, visit, channel)
        elif event.data.reason == "abandoned":
            self._count(visit.queue, channel, "abandoned")

    def _connect(self, event: _Event, channel: str) -> None:
        visit = self._taken(event)
        if visit is not None:
            self._answer(event, visit, channel)
        elif event.subject in self._exited:
            # Leaving the queue was told before being answered: the answer says after how long.
            visit, wait = self._exited.pop(event.subject)
            self._count_answer(visit.queue, channel, wait, -1)
            self._answer(event, visit, channel)

    def _taken(self, event: _Event) -> Visit | None:
        visits = self._waiting.get(event.subject, [])
        for place, visit in enumerate(visits):
            if event.data.queue in ("", visit.queue):
                return visits.pop(place)
        return None

    def _answer(self, event: _Event, visit: Visit, channel: str) -> int:
        stated = event.data.wait_seconds
        seconds = event.time.timestamp() - visit.entered if stated is None else stated
        wait = round(seconds * 1000)
        self._count_answer(visit.queue, channel, wait, 1)
        return wait

    def _count_answer(self, queue: str, channel: str, wait: int, n: int) -> None:
        self._count(queue, channel, "answered", n)
        self._count(queue, channel, "wait_answered_ms", wait * n)
        if wait <= self.target_seconds * 1000:
            self._count(queue, channel, "within_target", n)

    def _count(self, queue: str, channel: str, measure: str, n: int = 1) -> None:
        self.queues.setdefault((queue, channel), Counter())[measure] += n

    def measures(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """By (queue, channel), in the order of `MEASURES`."""
        return {place: tuple(c[m] for m in MEASURES) for place, c in self.queues.items()}


def counts_of(records: Iterable[Record], target_seconds: float) -> Counts:
    """The counts of all records."""
    counts = Counts(target_seconds)
    for record in records:
        counts.add(record.topic, record.value)
    return counts


def check(store: Store, counts: Counts) -> str:
    """Compare what is stored with the counts; a line for people.

    Raises `SystemExit` with the first differences.
    """
    stored = Counter(
        {
            (row["topic"], row["type"]): row["n"]
            for row in store.query(
                "SELECT topic, type, count() AS n FROM events FINAL GROUP BY topic, type"
            )
        }
    )
    rows = store.query(
        "SELECT queue, channel, sum(offered) AS o, sum(answered) AS a, sum(abandoned) AS b,"
        " sum(answered_within[{target:UInt32}]) AS w, sum(wait_answered_ms) AS s"
        " FROM kpi_panes FINAL WHERE cohort = 'offered' GROUP BY queue, channel",
        {"target": round(counts.target_seconds * 1000)},
    )
    found = {(r["queue"], r["channel"]): (r["o"], r["a"], r["b"], r["w"], r["s"]) for r in rows}
    _refuse(differences(stored, counts.events) + differences(found, counts.measures()))
    totals = [sum(of_queue) for of_queue in zip(*found.values(), strict=True)]
    return f"{stored.total():,} events; " + ", ".join(
        f"{measure} {total:,}" for measure, total in zip(MEASURES, totals, strict=True)
    )


def check_by_oracle(
    store: Store, settings: Settings, records: Iterable[Record], timestamp_ms: int
) -> str:
    """Compare every row with the tests' oracle; raises `SystemExit` with the first differences."""
    from tests.faults.compare import verdict_on
    from tests.oracle.batch import tables_of
    from tests.support.fold import Record as Stored
    from tests.support.fold import oracle_rules

    logs = {
        place: [Stored(offset, timestamp_ms, None, value) for offset, value in enumerate(values)]
        for place, values in by_partition(records, settings.broker.partitions).items()
    }
    tables = tables_of(logs, oracle_rules(rules_of(settings)))
    verdict = verdict_on(store, tables, {place: len(log) for place, log in logs.items()})
    if not verdict.clean:
        _refuse(verdict.examples)
    return f"{len(tables.interactions):,} contacts and {len(tables.kpi_panes):,} panes, row by row"


def differences(found: Any, expected: Any) -> list[str]:
    """A line for each key whose values differ."""
    return [
        f"{key}: found {found.get(key)}, expected {expected.get(key)}"
        for key in sorted(found.keys() | expected.keys())
        if found.get(key) != expected.get(key)
    ]


def _refuse(lines: list[str]) -> None:
    if lines:
        raise SystemExit("\n".join(["WRONG:", *lines[:SHOWN], f"({len(lines)} differences)"]))
