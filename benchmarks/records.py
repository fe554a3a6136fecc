"""The records of a benchmark: the same at every run, made once and kept in `build/records`.

The simulator's centre of 200 agents tells ten days at most; more events are the same days again,
each time later, of other contacts under other ids. Reads and writes `build/records` alone.
"""

import asyncio
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final, Literal
from zlib import crc32

import msgspec

from gateway.asterisk_queue_log import Parsed, events_of_line
from gateway.publish import Publisher
from gateway.record import Record

RECORDS: Final = Path("build") / "records"
EVENTS_A_DAY: Final = 200_000
"""Of the simulator's `day`, at least."""
MOST_DAYS: Final = 10
EVENTS_A_CALL: Final = 4.8
"""Of `samples/make_queue_log.py`."""
AT_ONCE: Final = 20_000
SAMPLE: Final = 20_000
"""As many of a load, at most, where some stand for all."""

Source = Literal["simulator", "queue-log"]

_DATE: Final = re.compile(rb'"(\d{4}-\d\d-\d\d)T')
_RUN: Final = re.compile(rb"(-\d+-)(\d{8})(-)")
"""The simulator names contacts by its seed, its first day and a number."""
_SWITCHBOARD: Final = "from streams.cli import main; main()"
_QUEUE: Final = re.compile(rb'"queue":"([^"]+)"')


@dataclass(frozen=True)
class Load:
    """What is asked for. `queues`: spread over so many queues instead of the simulator's 40."""

    events: int
    source: Source = "simulator"
    queues: int = 0


class _Line(msgspec.Struct):
    """A line that `switchboard simulate --output` writes."""

    topic: str
    key: str
    event: msgspec.Raw


def records_of(load: Load) -> Iterator[Record]:
    """The records of a load, in the order in which they are published."""
    told = _queue_log(load.events) if load.source == "queue-log" else _simulated(load.events)
    if load.queues:
        told = (_renamed(record, load.queues) for record in told)
    return islice(told, load.events)


def sample_of(load: Load) -> list[Record]:
    """Some of them, from all over a day: it begins with what seldom comes later, agents' plans."""
    within = min(load.events, EVENTS_A_DAY)
    return list(islice(records_of(load), 0, within, -(-within // SAMPLE)))


def publish(bootstrap: str, records: Iterable[Record]) -> dict[tuple[str, int], int]:
    """Publish all; the ends of the partitions by (topic, partition)."""

    async def go() -> dict[tuple[str, int], int]:
        async with Publisher(bootstrap) as publisher:
            rest = iter(records)
            while batch := list(islice(rest, AT_ONCE)):
                await publisher.publish(batch)
            return publisher.ends

    return asyncio.run(go())


def _simulated(events: int) -> Iterator[Record]:
    days = min(MOST_DAYS, -(-events // EVENTS_A_DAY))
    path = RECORDS / f"day-seed1-{days}d.jsonl"
    if not path.exists():
        _make(path, [sys.executable, "-c", _SWITCHBOARD, "simulate", "day"], f"--days={days}")
    told, block = 0, 0
    while told < events:
        later = _later(block, block * days)
        for line in path.open("rb"):
            told += 1
            yield later(line) if block else _record(line)
        block += 1


def _queue_log(events: int) -> Iterator[Record]:
    calls = round(events / EVENTS_A_CALL * 1.1)
    path = RECORDS / f"queue-log-{calls}.txt"
    if not path.exists():
        asked = f"--calls={calls} --days=5 --agents={max(12, calls // 180)}".split()
        _make(path, [sys.executable, str(Path("samples") / "make_queue_log.py")], *asked)
    offset = 0
    for line in path.open("rb"):
        outcome = events_of_line(line.rstrip(b"\n"), offset)
        offset += len(line)
        if isinstance(outcome, Parsed):
            yield from outcome.records


def _make(path: Path, program: list[str], *arguments: str) -> None:
    """Write under another name first: a run that was cut off leaves no half a file."""
    print(f"making {path} ...", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    subprocess.run([*program, *arguments, "--output", part], check=True)
    part.rename(path)


_decode = msgspec.json.Decoder(_Line).decode


def _record(line: bytes) -> Record:
    told = _decode(line)
    return Record(told.topic, told.key.encode(), bytes(told.event), 0)


def _later(block: int, days: int) -> Callable[[bytes], Record]:
    """Tells a line again: so many days later, of other contacts, under another id.

    Agents and customers stay who they are.
    """

    @lru_cache(maxsize=1000)
    def day(found: bytes) -> bytes:
        moved = date.fromisoformat(found.decode()) + timedelta(days=days)
        return b'"%sT' % moved.isoformat().encode()

    run = rb"\g<1>\g<2>x%d\g<3>" % block

    def later(line: bytes) -> Record:
        line = line.replace(b'"id":"', b'"id":"%d.' % block, 1)
        line = _RUN.sub(run, _DATE.sub(lambda found: day(found[1]), line))
        return _record(line)

    return later


def _renamed(record: Record, queues: int) -> Record:
    """The record with its queue one of `queues`; all of a contact's are mapped alike."""
    if b'"queue":"' not in record.value:
        return record
    variant = crc32(record.key) % queues if not record.topic.endswith("agent") else 0

    def name(found: re.Match[bytes]) -> bytes:
        return b'"queue":"queue %d"' % ((crc32(found[1]) + variant) % queues)

    return record._replace(value=_QUEUE.sub(name, record.value))


def by_partition(
    records: Iterable[Record], partitions: int
) -> defaultdict[tuple[str, int], list[bytes]]:
    """Values by (topic, partition), in the order of their offsets."""
    from aiokafka.partitioner import murmur2

    @lru_cache(maxsize=1 << 16)
    def partition(key: bytes) -> int:
        return int(murmur2(key) & 0x7FFFFFFF) % partitions

    found: defaultdict[tuple[str, int], list[bytes]] = defaultdict(list)
    for record in records:
        found[record.topic, partition(record.key)].append(record.value)
    return found
