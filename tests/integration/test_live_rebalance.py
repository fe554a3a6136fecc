"""What is shown of queues while a worker joins, goes and is killed is the truth, or says it is not.

A simulated centre is told change by change, as it happens; between any two, everything that is
shown is looked at. A figure must be what the centre knew, of each source partition at one of the
instants told so far. Where it is said to be current, that instant lies no further back than the
product promises: every source was read to its end within `STALE_MS` before the instant of which the
row, or the scrape, speaks.

    python -m pytest -n0 -s -m long tests/integration/test_live_rebalance.py
"""

import time
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Final, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from simulator.run import Run
from simulator.settings import CallModel, PeopleModel, QueueModel, Simulation
from simulator.telling import Encoded
from streams.app import LONGEST_TELL_SECONDS, PRESENT_MS, TICK_SECONDS
from streams.monitor.rules import STALE_MS
from streams.present import NEARLY_MS
from tests.integration.conftest import Sent, wait_for
from tests.integration.test_lifecycle import PARTITIONS, SOURCES, Workplace, on_one_broker, place
from tests.support.worker import WorkerProcess

__all__ = ["place"]

HOUR_MS: Final = 3_600_000
QUEUES: Final = ("help", "sales", "returns")
OPENS_MS: Final = 10 * HOUR_MS
NOW_MS: Final = OPENS_MS + HOUR_MS // 30
"""Which instant of the simulated day is the present as the test begins."""
SESSION_SECONDS: Final = 45
"""So long are the partitions of a killed worker nobody's: longer than anything stays current."""
LOOKS: Final = 25
"""At least so many while each of the four changes goes on: a hundred."""
BUSY_MS: Final = 5_000
"""How long what was told may be on its way between a busy machine's programs."""
READ_LATE_MS: Final = (
    STALE_MS + NEARLY_MS + round(1000 * (LONGEST_TELL_SECONDS + TICK_SECONDS)) + BUSY_MS
)

Known = tuple[int, int | None, int]
"""Who waits, since when the first of them (milliseconds), how many came."""
NOBODY: Final[Known] = (0, None, 0)


class Shown(NamedTuple):
    """What one place says of a queue, and the instant (milliseconds) of which it speaks.

    `offered` is None where the place does not say how many came.
    """

    where: str
    queue: str
    at: int
    current: bool
    waiting: int
    oldest: int | None
    offered: int | None


class Centre:
    """Three queues at their busiest, and what each source partition has told of them."""

    def __init__(self) -> None:
        queues = tuple(
            QueueModel(
                name=name, contacts_a_day=2_000, talk_seconds=60, wrapup_seconds=5,
                load_by_hour=tuple(float(hour == OPENS_MS // HOUR_MS) for hour in range(24)),
            )
            for name in QUEUES
        )  # fmt: skip
        people = PeopleModel(agents=100, customers=5_000, languages={"en": 1.0})
        calls = CallModel(menu_share=0, consult_share=0, callback_accepted_share=0)
        begin = datetime.fromtimestamp(round(time.time()) - NOW_MS / 1000, UTC)
        self.begin = round(begin.timestamp() * 1000)
        self.run = Run(
            Simulation(
                seed=3, start_at=begin, queues=queues, people=people, calls=calls, campaigns=()
            )
        )
        self._events = list(self.run.deliveries())
        self._told = 0
        self._changes: dict[tuple[str, int], list[tuple[int, Known]]] = {}
        for number in range(PARTITIONS):
            for queue in queues:
                self._changes[queue.name, number] = list(self._of(queue.name, number))
        self.instants = sorted({at for all_of in self._changes.values() for at, _ in all_of})
        """At which something changes for a queue, in milliseconds of the day."""

    def _of(self, queue: str, number: int) -> Iterator[tuple[int, Known]]:
        """(instant, what is known from then on) of a queue by a partition, in order."""
        changes: list[tuple[int, int, int]] = []
        for contact in self.run.truth.contacts:
            if partition_of(contact.interaction) != number:
                continue
            for visit in contact.visits:
                if visit.queue == queue:
                    changes.append((visit.entered_at, 1, visit.entered_at))
                    if visit.wait_ms is not None:
                        over = visit.entered_at + visit.wait_ms
                        changes.append((over, -1, visit.entered_at))
        waits: list[int] = []
        offered = 0
        known: dict[int, Known] = {}
        for at, step, entered in sorted(changes, key=lambda one: (one[0], -one[1])):
            if step > 0:
                waits.append(self.begin + entered)
                offered += 1
            else:
                waits.remove(self.begin + entered)
            known[at] = (len(waits), min(waits, default=None), offered)
        yield from known.items()

    def until(self, instant: int) -> list[Sent]:
        """What is told up to an instant and was not yet."""
        first = self._told
        while self._told < len(self._events) and self._events[self._told].due_at <= instant:
            self._told += 1
        return [_sent(event) for event in self._events[first : self._told]]

    def allows(self, shown: Shown, earliest: int, latest: int) -> bool:
        """Whether it is what was known of each partition at some instant between these two."""
        known = [self._between(shown.queue, n, earliest, latest) for n in range(PARTITIONS)]
        for parts in product(*known):
            waiting = sum(part[0] for part in parts)
            oldest = min((part[1] for part in parts if part[1] is not None), default=None)
            offered = sum(part[2] for part in parts)
            if (shown.waiting, shown.oldest) == (waiting, oldest) and shown.offered in (
                None,
                offered,
            ):
                return True
        return False

    def _between(self, queue: str, number: int, earliest: int, latest: int) -> set[Known]:
        changes = self._changes[queue, number]
        first = bisect_right(changes, earliest, key=lambda change: change[0])
        end = bisect_right(changes, latest, key=lambda change: change[0])
        before = changes[first - 1][1] if first else NOBODY
        return {before, *(known for _, known in changes[first:end])}


def partition_of(subject: str) -> int:
    """Where the test lays what is told of a contact, so that it knows whose partition that is."""
    return sum(subject.encode()) % PARTITIONS


def _sent(event: Encoded) -> Sent:
    return Sent(event.topic, event.subject.encode(), event.value, partition_of(event.subject))


def in_metrics(worker: WorkerProcess) -> list[Shown]:
    """What a worker shows to Prometheus; nothing while it cannot be asked."""
    at = round(time.time() * 1000)
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(worker.get("/metrics")[1]):
        for sample in family.samples:
            if "queue" in sample.labels and sample.labels.get("outcome", "offered") == "offered":
                of_queue = found.setdefault(sample.labels["queue"], {})
                of_queue[sample.name.removeprefix("switchboard_queue_")] = sample.value
    return [
        Shown(
            worker.address,
            queue,
            # A monitor is shown that has read a tick so lately.
            at - PRESENT_MS,
            values["current"] == 1,
            round(values["waiting"]),
            _milliseconds(values.get("oldest_enqueued_timestamp_seconds")),
            round(values["contacts_total"]),
        )
        for queue, values in found.items()
        if queue
    ]


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def in_store(place: Workplace) -> list[Shown]:
    """What `queue_live` has."""
    sql = (
        "SELECT queue, toUnixTimestamp64Milli(at) AS of, current, waiting,"
        " toUnixTimestamp64Milli(oldest_enqueued_at) AS oldest"
        " FROM queue_live FINAL WHERE queue != ''"
    )
    return [
        Shown(
            "queue_live", row["queue"], row["of"], row["current"] == 1, row["waiting"],
            row["oldest"], None,
        )
        for row in place.store.query(sql)
    ]  # fmt: skip


class Watched:
    """The centre told step by step, with a look at everything after each."""

    def __init__(self, place: Workplace, centre: Centre, begun: int) -> None:
        self._place = place
        self._centre = centre
        self._next = bisect_right(centre.instants, begun)
        self._acknowledged = [(0, 0), (round(time.time() * 1000), begun)]
        """(by the clock of the wall, the instant of the day up to which all was told), in ms. What
        was read to its end before anything was told is nothing, and is current for as long."""
        self.looks = self.not_current = self.behind = 0

    def step(self, workers: list[WorkerProcess]) -> list[Shown]:
        """Tell what is due, and look: all that is shown must be allowed.

        Nothing is told before it happens: what is minutes ahead of the broker's clock is taken to
        be of the latest time that can be.
        """
        instants = self._centre.instants
        now = round(time.time() * 1000) - self._centre.begin
        self._next = max(self._next, bisect_right(instants, now))
        instant = instants[self._next - 1]
        self._place.publish(self._centre.until(instant))
        self._acknowledged.append((round(time.time() * 1000), instant))
        seen = [shown for worker in workers for shown in in_metrics(worker)]
        seen += in_store(self._place)
        for shown in seen:
            earliest = self._read_by(shown.at - READ_LATE_MS) if shown.current else 0
            assert self._centre.allows(shown, earliest, instant), (
                f"{shown} was never true between {earliest} and {instant} ms of the day;"
                f" told: {self._acknowledged[-60:]}"
            )
            self.not_current += not shown.current
            self.behind += not self._centre.allows(shown, instant, instant)
        self.looks += 1
        return seen

    def _read_by(self, at: int) -> int:
        """Up to which instant all was told by then."""
        return self._acknowledged[bisect_right(self._acknowledged, (at, 1 << 62)) - 1][1]

    def until_settled(self, workers: list[WorkerProcess], what: str) -> None:
        """Go on until every worker has partitions, all have one, and every queue is current."""
        first, not_current, behind = self.looks, self.not_current, self.behind

        def settled() -> bool:
            seen = self.step(workers)
            queues = [shown.queue for shown in seen if shown.where != "queue_live"]
            return (
                self.looks - first >= LOOKS
                and all(worker.partitions for worker in workers)
                and sum(worker.partitions for worker in workers) == SOURCES * PARTITIONS
                and all(shown.current for shown in seen)
                and sorted(queues) == sorted(QUEUES)
            )

        wait_for(settled, f"all to be settled after {what}", 4 * SESSION_SECONDS)
        print(  # noqa: T201
            f"{what}: {self.looks - first} looks, {self.not_current - not_current} figures marked"
            f" as not current, {self.behind - behind} not of the latest change"
        )


@on_one_broker
@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_what_is_shown_in_a_rebalance_was_true_or_says_that_it_is_not(place: Workplace) -> None:
    centre = Centre()
    settings = {"BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS)}
    running = [place.start(**settings)]
    begun = centre.instants[bisect_right(centre.instants, NOW_MS)]
    place.publish(centre.until(begun))
    watched = Watched(place, centre, begun)
    watched.until_settled(running, "the beginning")

    running.append(place.start(**settings))
    watched.until_settled(running, "a worker joined")
    assert running.pop(0).terminated() == 0
    watched.until_settled(running, "a worker went")
    running.append(place.start(**settings))
    watched.until_settled(running, "another joined")
    before = watched.not_current
    running.pop(0).process.kill()
    watched.until_settled(running, "a worker was killed")
    assert watched.not_current > before, "for so long nothing of its partitions was read"
