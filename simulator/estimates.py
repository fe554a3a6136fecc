"""What waits were estimated to be, and how long they were. Pure.

By the definition of the catalogue, over the truth: what was known of a queue before the instant at
which a contact entered it. Instants and durations are milliseconds.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import accumulate, pairwise

from simulator.clock import HOUR_MS
from simulator.figures import Figures, Stay, mean_seconds, ratio, stays
from simulator.truth import Staff, Truth

Estimate = Callable[[Stay], int | None]
AT_WORK = ("available", "on_contact", "wrapup")


class _Counter:
    """Something that rises and falls; what it was before an instant."""

    def __init__(self) -> None:
        self._changes: dict[int, int] = defaultdict(int)
        self._instants: list[int] = []
        self._values: list[int] = []

    def add(self, at: int, change: int) -> None:
        self._changes[at] += change

    def before(self, at: int) -> int:
        if not self._values:
            self._instants = sorted(self._changes)
            self._values = [0, *accumulate(self._changes[at] for at in self._instants)]
        return self._values[bisect_left(self._instants, at)]


def estimates(truth: Truth) -> Estimate:
    """The estimate of a stay as it began; None where no agent was at work, or none was free and no
    contact of the last hour tells how long one takes.
    """
    counters: dict[tuple[str, str], _Counter] = defaultdict(_Counter)
    for _, visit in stays(truth):
        counters[visit.queue, "waiting"].add(visit.entered_at, 1)
        if visit.wait_ms is not None:
            counters[visit.queue, "waiting"].add(visit.entered_at + visit.wait_ms, -1)
        leg, until = visit.leg, visit.entered_at + HOUR_MS
        if leg is None or leg.ended_at is None or leg.concluded_at is None:
            continue
        if leg.concluded_at < until:
            took = leg.talk_ms + leg.hold_ms + (leg.wrapup_ms or 0)
            for what, change in (("handled", 1), ("handle", took)):
                counters[visit.queue, what].add(leg.concluded_at, change)
                counters[visit.queue, what].add(until, -change)
    for staff in truth.staff:
        for queue in staff.queues:
            _count_states(staff, counters[queue, "at work"], AT_WORK)
            _count_states(staff, counters[queue, "available"], ("available",))

    def estimate(stay: Stay) -> int | None:
        def then(what: str) -> int:
            return counters[stay.visit.queue, what].before(stay.visit.entered_at)

        ahead = then("waiting") - then("available")
        if not then("at work"):
            return None
        if ahead < 0:
            return 0
        if not then("handled"):
            return None
        return (1 + ahead) * then("handle") // (then("handled") * then("at work"))

    return estimate


def _count_states(staff: Staff, counter: _Counter, states: tuple[str, ...]) -> None:
    for (_, before, _), (at, after, _) in pairwise([(0, "offline", 0), *staff.states]):
        counter.add(at, (after in states) - (before in states))


def estimate_figures(group: Iterable[Stay], estimate: Estimate) -> Figures:
    """Estimates of stays, and of those that were answered how far off they were."""
    made = [(stay.visit, ms) for stay in group if (ms := estimate(stay)) is not None]
    off = [ms - (visit.wait_ms or 0) for visit, ms in made if visit.outcome == "answered"]
    return {
        "estimated_wait_seconds": mean_seconds((ms for _, ms in made), len(made)),
        "estimated_wait_scored": len(off),
        "estimated_wait_error_seconds": mean_seconds(map(abs, off), len(off)),
        "estimated_wait_bias_seconds": mean_seconds(off, len(off)),
        "estimated_wait_within_30_seconds_ratio": ratio(
            sum(abs(ms) <= 30_000 for ms in off), len(off)
        ),
    }
