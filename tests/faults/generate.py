"""Logs for the fault matrix: a day of a contact centre from a seed, and what goes wrong on its way.

Pure: the same seed, size and shape give the same records, timestamps included. The contents
(`_contents`) depend on seed and size alone; a shape decides about order, repetition and damage, so
that logs of two shapes tell the same story and must lead to the same results.
"""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from schemas.topics import EVENTS_AGENT, EVENTS_CALL, EVENTS_CHAT
from tests.integration.test_bad_input import BAD

MIDNIGHT_MS: Final = 1_772_409_600_000  # 2026-03-02T00:00Z, a Monday
DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000
LATENESS_MS: Final = 60 * MINUTE_MS
"""What the workers are configured with; shapes stay within it or go beyond it on purpose."""
REFUSED_PREFIX: Final = "refused-"
"""Subjects that a run may make ClickHouse refuse (by a constraint)."""
SKEWED_SOURCE: Final = "pbx-south"
SKEWED_QUEUE: Final = "billing"
LARGEST_ORDINARY_BAD: Final = 4_096


class Record(NamedTuple):
    """One record to publish. `identity` is (source, id) of its event; None where it is none."""

    topic: str
    partition: int
    timestamp_ms: int
    key: bytes
    value: bytes | None
    subject: str
    identity: tuple[str, str] | None
    reason: str = ""
    """Why it becomes a dead letter; "" for an event."""


@dataclass(frozen=True)
class Shape:
    """What becomes of a day's events between their source and the broker.

    `disordered` of the events are up to `disorder_ms` late (within lateness); `repeated` and `late`
    are shares of all events that come again, or come beyond lateness; `bad` records are put between
    them. `order` draws another order of the same kind. `skew_ms` is how far one source's clock is
    ahead.
    """

    name: str
    disordered: float = 0.0
    disorder_ms: int = 0
    repeated: float = 0.0
    late: float = 0.0
    bad: float = 0.0
    large_bad: bool = False
    order: int = 0
    skew_ms: int = 0


IDEAL: Final = Shape("ideal")
LIVE: Final = Shape(
    "live", disordered=0.2, disorder_ms=10 * MINUTE_MS, repeated=0.1, late=0.005, bad=0.01
)
REPEATED: Final = Shape("repeated", repeated=0.1)
ANY_ORDER: Final = Shape("any_order", disordered=1.0, disorder_ms=LATENESS_MS - 5 * MINUTE_MS)
BAD_MIX: Final = Shape("bad_mix", bad=0.05, large_bad=True)
FAST_CLOCK: Final = Shape("fast_clock", skew_ms=60 * MINUTE_MS)
SLOW_CLOCK: Final = Shape("slow_clock", skew_ms=-60 * MINUTE_MS)


class _Told(NamedTuple):
    """An event and when it happened."""

    at_ms: int
    topic: str
    source: str
    type: str
    subject: str
    data: dict[str, Any]


@dataclass
class Log:
    """The records of a day in the order in which they are published."""

    seed: int
    shape: Shape
    partitions: int
    records: list[Record] = field(default_factory=list)


def make_log(seed: int, events: int, shape: Shape, partitions: int) -> Log:
    """A log of about `events` records."""
    told = list(_contents(random.Random(f"contents {seed}"), events))  # noqa: S311 -- simulation
    dice = random.Random(f"{shape.name} {shape.order} {seed}")  # noqa: S311
    arrivals: list[tuple[int, int, Record]] = []
    for number, event in enumerate(told):
        record = _record(event, number, partitions, shape.skew_ms)
        delay = 0
        if shape.late and dice.random() < shape.late:
            delay = LATENESS_MS + dice.randrange(LATENESS_MS, 4 * LATENESS_MS)
        elif shape.disordered and dice.random() < shape.disordered:
            delay = dice.randrange(shape.disorder_ms)
        at = event.at_ms + delay
        arrivals.append((at, number, record))
        if shape.repeated and dice.random() < shape.repeated:
            arrivals.append((at + dice.randrange(15 * MINUTE_MS), number, record))
    if shape.bad:
        arrivals += _bad_arrivals(dice, arrivals, shape, partitions)
    arrivals.sort(key=lambda arrival: arrival[:2])
    records = [record._replace(timestamp_ms=at + 1) for at, _, record in arrivals]
    return Log(seed, shape, partitions, records)


def _record(event: _Told, number: int, partitions: int, skew_ms: int) -> Record:
    event_id = f"e-{number}"
    at_ms = event.at_ms + (skew_ms if event.source == SKEWED_SOURCE else 0)
    document = {
        "specversion": "1.0",
        "id": event_id,
        "source": event.source,
        "type": event.type,
        "time": datetime.fromtimestamp(at_ms / 1000, UTC),
        "subject": event.subject,
        "data": event.data,
    }
    key = event.subject.encode()
    partition = zlib.crc32(key) % partitions
    value = msgspec.json.encode(document)
    identity = (event.source, event_id)
    return Record(event.topic, partition, 0, key, value, event.subject, identity)


def _bad_arrivals(
    dice: random.Random, arrivals: list[tuple[int, int, Record]], shape: Shape, partitions: int
) -> list[tuple[int, int, Record]]:
    chosen = [
        (value, reason)
        for value, reason in BAD.values()
        if shape.large_bad or len(value or b"") <= LARGEST_ORDINARY_BAD
    ]
    found = []
    for n in range(max(len(chosen), round(shape.bad * len(arrivals)))):
        # Each kind once at least; those that weigh megabytes no more than that.
        again = n >= len(chosen)
        value, reason = dice.choice(chosen) if again else chosen[n]
        if again and len(value or b"") > LARGEST_ORDINARY_BAD:
            continue
        at = dice.choice(arrivals)[0]
        record = Record(EVENTS_CALL, n % partitions, 0, b"bad", value, "", None, reason)
        found.append((at, -n, record))
    return found


def _contents(dice: random.Random, events: int) -> Iterator[_Told]:
    """Calls, chats and agents' states of one day: seven, two and one in ten events, about."""
    agents = max(4, events // 2_000)
    made = 0
    for agent in range(agents):
        for event in _shift(dice, f"agent-{agent}", max(4, events // 10 // agents)):
            made += 1
            yield event
    number = 0
    while made < events:
        if dice.random() < 0.15:
            contact = _chat(dice, number, agents)
        else:
            contact = _call(dice, number, agents, events)
        for event in contact:
            made += 1
            yield event
        number += 1


def _moment(dice: random.Random) -> int:
    """A moment of the day, most of them in its middle, never so late that a call ends tomorrow."""
    return MIDNIGHT_MS + int(dice.triangular(0, DAY_MS - 2 * LATENESS_MS, DAY_MS * 0.55))


def _seconds(milliseconds: int) -> float:
    return milliseconds / 1000


def _email(customer: int) -> dict[str, str]:
    return {"kind": "email", "value": f"customer{customer}@example.org"}


def _call(dice: random.Random, number: int, agents: int, made_of: int) -> Iterator[_Told]:
    source = SKEWED_SOURCE if dice.random() < 0.15 else "pbx-north"
    queue = SKEWED_QUEUE if source == SKEWED_SOURCE else dice.choice(("support", "sales"))
    # A few in a log of any size: what is refused is looked for row by row.
    refused = number % max(97, made_of // 100) == 7
    subject = f"{REFUSED_PREFIX if refused else 'call-'}{number}"
    told = partial(_Told, topic=EVENTS_CALL, source=source, subject=subject)
    at = _moment(dice)
    customer = dice.randrange(10_000)
    shown = [{"kind": "phone", "value": f"+1202555{customer:04d}"}]
    if dice.random() < 0.1:
        shown.append(_email(customer // 2))
    if dice.random() < 0.05:  # three phones a number, and now and then the neighbour's
        number_shown = (customer + (dice.random() < 0.1)) // 3
        shown.append({"kind": "customer_number", "value": f"K-{number_shown}"})
    yield told(at, type="interaction.started", data={"customer": {"identifiers": shown}})
    entered = at + dice.randrange(500, 20_000)
    yield told(entered, type="queue.entered", data={"queue": queue})
    wait = int(dice.expovariate(1 / 25_000)) + 1
    while dice.random() < 0.15:
        missed = entered + dice.randrange(wait + 1)
        agent = f"agent-{dice.randrange(agents)}"
        data = {"agent": agent, "queue": queue, "ring_seconds": 15.0}
        yield told(missed, type="agent.missed", data=data)
    left = entered + wait
    reason = dice.choices(("answered", "abandoned", "timed_out"), (85, 12, 3))[0]
    data = {"queue": queue, "reason": reason, "wait_seconds": _seconds(wait)}
    yield told(left, type="queue.exited", data=data)
    if reason != "answered":
        yield told(left + 5, type="interaction.ended", data={"by": "customer", "queue": queue})
        return
    agent = f"agent-{dice.randrange(agents)}"
    leg = {"agent": agent, "queue": queue}
    data = leg | {"wait_seconds": _seconds(wait), "ring_seconds": 4.0}
    yield told(left + 1, type="agent.connected", data=data)
    ended = left + dice.randrange(20_000, 900_000)
    if dice.random() < 0.2:
        begun = dice.randrange(left + 10, ended - 5_000)
        yield told(begun, type="hold.started", data=leg)
        yield told(dice.randrange(begun + 1, ended), type="hold.ended", data=leg)
    by = dice.choice(("customer", "agent"))
    yield told(ended, type="interaction.ended", data={"by": by, **leg, "resolved": True})
    if dice.random() < 0.6:
        yield told(ended + 10, type="wrapup.started", data=leg)
        yield told(ended + dice.randrange(5_000, 90_000), type="wrapup.ended", data=leg)
    if dice.random() < 0.1:
        said = {"kind": "csat", "score": float(dice.randint(1, 5)), "scale_max": 5.0}
        yield told(ended + MINUTE_MS, type="survey.submitted", data=said)


def _chat(dice: random.Random, number: int, agents: int) -> Iterator[_Told]:
    told = partial(_Told, topic=EVENTS_CHAT, source="chat", subject=f"chat-{number}")
    at = _moment(dice)
    shown = [_email(dice.randrange(5_000))]
    yield told(at, type="interaction.started", data={"customer": {"identifiers": shown}})
    yield told(at + 100, type="queue.entered", data={"queue": "chat"})
    wait = int(dice.expovariate(1 / 60_000)) + 1
    answered = dice.random() < 0.9
    reason = "answered" if answered else "abandoned"
    left = at + 100 + wait
    yield told(left, type="queue.exited", data={"queue": "chat", "reason": reason})
    if not answered:
        yield told(left + 5, type="interaction.ended", data={"by": "customer"})
        return
    leg = {"agent": f"agent-{dice.randrange(agents)}", "queue": "chat"}
    yield told(left + 1, type="agent.connected", data=leg)
    at = left
    for turn in range(dice.randrange(2, 9)):
        at += dice.randrange(2_000, 90_000)
        if turn % 2:
            yield told(at, type="message.received", data={"author": "customer", "text": "Hello?"})
        else:
            data = {"author": "agent", "agent": leg["agent"], "text": "Good day."}
            yield told(at, type="message.sent", data=data)
    yield told(at + 30_000, type="interaction.ended", data={"by": "agent", **leg})


def _shift(dice: random.Random, agent: str, changes: int) -> Iterator[_Told]:
    told = partial(_Told, topic=EVENTS_AGENT, source="pbx-north", subject=agent)
    begin = MIDNIGHT_MS + dice.randrange(DAY_MS // 8)
    length = DAY_MS // 2
    moments = sorted(dice.sample(range(begin, begin + length), changes))
    for at in moments[:-1]:
        state = dice.choice(("available", "on_contact", "wrapup", "paused"))
        yield told(at, type="agent.state_changed", data={"state": state})
    yield told(moments[-1], type="agent.state_changed", data={"state": "offline"})
