"""Workers as people run them know of every queue what the simulated contact centre knows itself.

A day that ends now is told up to an instant; then `queue_live` and what workers show to Prometheus
must come to the truth of that instant: who waits to the contact, since when to the millisecond, how
many came. Workers come and are killed meanwhile.

    python -m pytest -n0 -m long tests/integration/test_live_truth.py       # 100 instants each
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from simulator.run import Run
from simulator.truth import Visit
from tests.integration.conftest import Sent, wait_for
from tests.integration.test_lifecycle import Workplace, on_one_broker, place
from tests.simulator.centres import tiny
from tests.support.worker import WorkerProcess

__all__ = ["place"]

DAY = timedelta(days=1)
HORIZONS = {
    f"PROCESSING__HORIZON_SECONDS__{channel}": str(30 * 86_400)
    for channel in ("CALL", "CHAT", "EMAIL", "SOCIAL")
}
SHOWN = {
    "switchboard_queue_waiting": 0,
    "switchboard_queue_oldest_enqueued_timestamp_seconds": 1,
    "switchboard_queue_contacts_total": 2,
}

Known = dict[str, tuple[int, int | None, int]]
"""Queue -> how many wait, since when the first of them (milliseconds), how many came."""
Stay = TypeVar("Stay", tuple[int, int | None], tuple[int, int | None, int])


class Centre:
    """A simulated day that ends now, told bit by bit."""

    def __init__(self, seed: int) -> None:
        begin = datetime.now(UTC).replace(microsecond=0) - DAY
        self.run = Run(tiny(seed=seed, start_at=begin, overtime_seconds=600))
        self.begin = round(begin.timestamp() * 1000)
        self._events = list(self.run.deliveries())
        self._due = 0

    def until(self, instant: int) -> list[Sent]:
        """What is told up to an instant (milliseconds of the day) and was not yet."""
        first = self._due
        while self._due < len(self._events) and self._events[self._due].due_at <= instant:
            self._due += 1
        return [
            Sent(told.topic, told.subject.encode(), told.value)
            for told in self._events[first : self._due]
        ]

    def spread(self, number: int) -> list[int]:
        """An instant of each of so many parts of what is told: one at which somebody waits, if any.

        Which hours the parts fall into depends on when the day ends.
        """
        told = [sent.due_at for sent in self._events]
        edges = [len(told) * at // (number + 1) for at in range(1, number + 2)]
        parts = [told[first:last] for first, last in pairwise(edges)]
        return [next(filter(self.somebody_waits, part), part[0]) for part in parts]

    def somebody_waits(self, instant: int) -> bool:
        return any(waiting for waiting, _, _ in self.truth(instant).values())

    def truth(self, instant: int) -> Known:
        """Every queue that somebody entered by then."""
        waiting: dict[str, list[int]] = {}
        offered: dict[str, int] = {}
        for visit in self._visits():
            if visit.entered_at > instant:
                continue
            offered[visit.queue] = offered.get(visit.queue, 0) + 1
            since = waiting.setdefault(visit.queue, [])
            if visit.wait_ms is None or visit.entered_at + visit.wait_ms > instant:
                since.append(self.begin + visit.entered_at)
        return {
            queue: (len(since), min(since, default=None), offered[queue])
            for queue, since in waiting.items()
        }

    def _visits(self) -> Iterator[Visit]:
        for contact in self.run.truth.contacts:
            yield from contact.visits


def stored(place: Workplace) -> dict[str, tuple[int, int | None]]:
    """What `queue_live` says of who waits."""
    sql = (
        "SELECT queue, waiting, toUnixTimestamp64Milli(oldest_enqueued_at) AS oldest"
        " FROM queue_live FINAL WHERE queue != ''"
    )
    return {row["queue"]: (row["waiting"], row["oldest"]) for row in place.store.query(sql)}


def shown(workers: list[WorkerProcess]) -> Known:
    """What the workers' metrics say together; a queue has one owner."""
    found: dict[str, list[list[float]]] = {}
    for worker in workers:
        for family in text_string_to_metric_families(worker.get("/metrics")[1]):
            for sample in family.samples:
                at = SHOWN.get(sample.name)
                if at is not None and sample.labels.get("outcome", "offered") == "offered":
                    values = found.setdefault(sample.labels["queue"], [[], [], []])
                    values[at].append(sample.value)
    known: Known = {}
    for queue, (waiting, oldest, offered) in found.items():
        since = round(oldest[0] * 1000) if len(oldest) == 1 else None
        owners = len(waiting)
        known[queue] = (int(waiting[0]) if owners == 1 else -owners, since, int(sum(offered)))
    return known


def but_nobody(seen: dict[str, Stay], true: Known) -> dict[str, Stay]:
    """What is seen, but for queues that nobody entered and that are shown so."""
    return {queue: stay for queue, stay in seen.items() if queue in true or any(stay)}


def compare(place: Workplace, workers: list[WorkerProcess], centre: Centre, instant: int) -> None:
    """Tell the centre's events up to an instant, and wait until its truth is shown everywhere."""
    place.publish(centre.until(instant))
    true = centre.truth(instant)
    now_waiting = {queue: known[:2] for queue, known in true.items()}
    seen: dict[str, Any] = {}

    def agree() -> bool:
        # Queues with agents are shown before anybody entered them.
        seen["queue_live"] = but_nobody(stored(place), true)
        seen["/metrics"] = but_nobody(shown(workers), true)
        return bool(seen["queue_live"] == now_waiting and seen["/metrics"] == true)

    try:
        wait_for(agree, f"the truth at {instant} ms")
    except TimeoutError as error:
        raise AssertionError(f"{true} at {instant} ms, but {seen}") from error


@on_one_broker
@pytest.mark.parametrize(
    ("workers", "instants"),
    [
        pytest.param(1, 6, id="1 worker"),
        pytest.param(1, 100, marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
        pytest.param(2, 100, marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
        pytest.param(4, 100, marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
    ],
)
def test_what_is_live_is_the_truth(place: Workplace, workers: int, instants: int) -> None:
    centre = Centre(seed=workers)
    at = centre.spread(instants)
    assert any(map(centre.somebody_waits, at))
    running = [place.start(**HORIZONS) for _ in range(workers)]
    for number, instant in enumerate(at):
        if number == instants // 3:
            running.append(place.start(**HORIZONS))  # what follows is told while it joins
        if number == 2 * instants // 3:
            running.pop(0).process.kill()
        compare(place, running, centre, instant)
