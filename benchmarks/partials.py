"""What telling stage 2 costs an event, in bytes on `kpi.panes` and in processor time. In memory.

    python -m benchmarks.partials [--rate 2500] [--queues 10] [--talk 20] [--seconds 10]

Contacts come as in `benchmarks.live`: each waits, talks and ends, by folds of four partitions that
tell stage 2 four times a second of their own time; it is ticked each second, stored twice a second
and scraped once a second. So figures do not depend on what else the machine does, but for its
caches. `--compiled` goes by the packages in `build/compiled`. By default a queue has as many
contacts as there at 10,000 events a second.
"""

import argparse
import sys
import time
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

if "--compiled" in sys.argv:
    sys.path.insert(0, "build/compiled")

import msgspec

from schemas.settings import load_settings
from schemas.topics import EVENTS_CALL, KPI_PANES
from streams.fold.heard import Record
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.identity.erased import Erased
from streams.monitor.fold import MonitorFold
from streams.monitor.messages import Tick, rendered
from streams.monitor.samples import values_of
from streams.rules import monitor_rules_of

PARTITIONS: Final = 4
AGENTS: Final = 500
WAIT_MS: Final = 2_000
STEP_MS: Final = 250
BEGIN_MS: Final = 1_767_600_000_000


class Said:
    """A record, as the transport gives them."""

    __slots__ = ("headers", "key", "offset", "timestamp", "value")

    def __init__(self, offset: int, timestamp: int, key: bytes, value: bytes) -> None:
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = ()


def events(
    rate: float, queues: int, talk_ms: int
) -> Iterator[tuple[int, list[tuple[int, int, bytes]]]]:
    """By step: its end, and (instant, number of the contact, value) of its events."""
    waiting: deque[tuple[int, int]] = deque()
    talking: deque[tuple[int, int]] = deque()
    number, carried, now = 0, 0.0, BEGIN_MS
    while True:
        step: list[tuple[int, int, bytes]] = []
        carried += rate * STEP_MS / 1000 / 3
        come = int(carried)
        carried -= come
        for nth in range(come):
            at = now + nth * STEP_MS // come
            queue = {"queue": f"queue-{number % queues}"}
            step.append((at, number, _value(at, number, 0, "queue.entered", queue)))
            waiting.append((at + WAIT_MS, number))
            number += 1
        now += STEP_MS
        while waiting and waiting[0][0] < now:
            at, who = waiting.popleft()
            by = {"queue": f"queue-{who % queues}", "agent": f"agent-{who % AGENTS}"}
            step.append((at, who, _value(at, who, 1, "agent.connected", by)))
            talking.append((at + talk_ms, who))
        while talking and talking[0][0] < now:
            at, who = talking.popleft()
            step.append((at, who, _value(at, who, 2, "interaction.ended", {"by": "customer"})))
        step.sort(key=lambda event: event[0])
        yield now, step


def _value(at: int, number: int, nth: int, kind: str, data: dict[str, str]) -> bytes:
    said = {
        "specversion": "1.0",
        "id": f"call-{number}/{nth}",
        "source": "bench",
        "type": kind,
        "time": datetime.fromtimestamp(at / 1000, UTC).isoformat(),
        "subject": f"call-{number}",
        "data": data,
    }
    return msgspec.json.encode(said)


class Measure:
    """Both stages, and what each part of them took since `begin`."""

    def __init__(self) -> None:
        rules = FoldRules()
        self.folds = [
            PartitionFold(EVENTS_CALL, n, "log", 1, rules, None) for n in range(PARTITIONS)
        ]
        monitor_rules = monitor_rules_of(load_settings(None, {}), Erased())
        self.monitors = [
            MonitorFold(KPI_PANES, n, "panes", 1, monitor_rules) for n in range(PARTITIONS)
        ]
        self.begin()

    def begin(self) -> None:
        """Count from here."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.events = self.bytes = self.records = 0

    def step(self, now: int, step: list[tuple[int, int, bytes]]) -> None:
        """What happens in a quarter of a second."""
        by_partition: list[list[Record]] = [[] for _ in self.folds]
        for at, number, value in step:
            place = number % PARTITIONS
            offset = self.folds[place].next_offset + len(by_partition[place])
            by_partition[place].append(Said(offset, at, b"call", value))
        for fold, records in zip(self.folds, by_partition, strict=True):
            self._timed("fold", partial(fold.apply, records))
        self.events += len(step)
        for fold in self.folds:
            told = self._timed("telling", fold.take_partials)
            for key, value in told:
                self.bytes += len(key) + len(value)
                self.records += 1
                self._apply(zlib.crc32(key) % PARTITIONS, now, key, value)
        if now % 1000 == 0:
            tick = rendered(Tick(now, {EVENTS_CALL: tuple(range(PARTITIONS))}))
            for at in range(PARTITIONS):
                self._apply(at, now, b"", tick)
            self._timed("scrapes", self._scrape)
        if now % 500 == 0:
            for monitor in self.monitors:
                self._timed("rows of queue_live", monitor.drain)
            for fold in self.folds:
                fold.drain()

    def _apply(self, at: int, now: int, key: bytes, value: bytes) -> None:
        monitor = self.monitors[at]
        what = "stage 2" if key else "ticks"
        record = Said(monitor.next_offset, now, key, value)
        self._timed(what, partial(monitor.apply, [record]))

    def _scrape(self) -> None:
        for monitor in self.monitors:
            for seen, watches in monitor.lives():
                values_of(seen, watches)

    def _timed(self, what: str, call: Callable[[], Any]) -> Any:
        began = time.thread_time()
        found = call()
        self.seconds[what] += time.thread_time() - began
        return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.partials")
    parser.add_argument("--rate", type=float, default=2_500, help="events a second")
    parser.add_argument("--queues", type=int, default=10)
    parser.add_argument("--talk", type=float, default=20, help="seconds")
    parser.add_argument("--seconds", type=float, default=10, help="of the events' time")
    parser.add_argument("--compiled", action="store_true")
    asked = parser.parse_args()
    measure = Measure()
    warm = BEGIN_MS + WAIT_MS + round(asked.talk * 1000) + 5_000
    warmed = False
    for now, step in events(asked.rate, asked.queues, round(asked.talk * 1000)):
        if not warmed and now >= warm:
            warmed = True
            measure.begin()
        if now >= warm + asked.seconds * 1000:
            break
        measure.step(now, step)
    print(f"{'events':<22}{measure.events:>10,}")
    print(f"{'bytes':<22}{measure.bytes / measure.events:>10.1f} an event")
    print(f"{'records':<22}{measure.records / measure.events:>10.3f} an event")
    for what, seconds in sorted(measure.seconds.items(), key=lambda item: -item[1]):
        print(f"{what:<22}{seconds / measure.events * 1e6:>10.1f} us an event")
    waiting = sum(seen.waiting for m in measure.monitors for seen, _ in m.lives())
    active = sum(seen.active for m in measure.monitors for seen, _ in m.lives())
    print(f"{'waiting, served':<22}{waiting:>10,} {active:,}")


if __name__ == "__main__":
    main()
