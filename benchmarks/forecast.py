"""How good forecasts of breaches are: the Brier score of ours and of two that take no thought.

    python -m benchmarks.forecast --days 20 --agents 40

Simulated days go through stage 1 and 2 in memory, one after the other; every five minutes each
queue with agents at work is forecast, and afterwards scored by the simulator's own truth. The first
day is not scored. "Same as last week" is how the same minutes went a week before, or a day before
where there is no week yet: simulated weekdays are alike. The lower the better; "base rate" is what
always saying how often it happens would score, which nobody knows beforehand.
"""

import argparse
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.live import HORIZONS
from schemas.queues import QueueSettings
from simulator.presets import day
from simulator.run import Run
from simulator.telling import Encoder
from streams.fold.partition import PartitionFold
from streams.fold.rules import DAY_MS, FoldRules
from streams.monitor.fold import MonitorFold
from streams.monitor.messages import Tick, rendered
from streams.monitor.rules import MonitorRules

EVERY_MS: Final = 300_000
NOW_MS: Final = 900_000
SETTINGS: Final = QueueSettings()
WEEK_DAYS: Final = 7
METHODS: Final = ("ours", "same as now", "same as last week")


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it lies in a topic."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[()] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """What was forecast of a queue at an instant (milliseconds of the day), by horizon."""

    queue: str
    at: int
    probability: dict[str, float]


Visits = dict[str, list[tuple[int, bool]]]
"""By queue, when contacts entered and whether they were answered in time; by time."""


def played(seed: int, agents: int, days: int) -> tuple[list[Made], Visits]:
    """Some days: what was forecast, and what came to pass."""
    run = Run(day(agents=agents, seed=seed, days=days))
    begin = round(run.settings.start_at.timestamp() * 1000)
    horizons = dict.fromkeys(("call", "chat", "email", "social"), 30 * DAY_MS)
    rules = FoldRules(horizons_ms=horizons)
    folds: dict[str, PartitionFold] = {}
    monitor = MonitorFold("kpi.panes", 0, "log", 1, MonitorRules(queue=lambda _: SETTINGS))
    made: list[Made] = []
    due = EVERY_MS

    def say(key: bytes, value: bytes, at: int) -> None:
        monitor.apply([Stored(monitor.next_offset, at, key, value)])

    encoder = Encoder(run.settings.start_at, run.centre.run)
    for told in map(encoder.encode, run.events()):
        while told.due_at >= due:
            for source in folds.values():
                for key, value in source.take_partials():
                    say(key, value, begin + due)
                source.drain()
            say(b"", rendered(Tick(begin + due, dict.fromkeys(folds, (0,)))), begin + due)
            monitor.drain()
            made += forecasts(monitor, due)
            due += EVERY_MS
        fold = folds.get(told.topic)
        if fold is None:
            fold = folds[told.topic] = PartitionFold(told.topic, 0, f"{told.topic}-log", 1, rules)
        at = begin + told.due_at
        fold.apply([Stored(fold.next_offset, at, told.subject.encode(), told.value)])
    return made, visits(run)


def forecasts(monitor: MonitorFold, at: int) -> Iterator[Made]:
    """What the monitor forecasts now."""
    for live, _ in monitor.lives():
        known = {name: p for name, p in live.forecast.items() if p is not None}
        if known and sum((live.agents or {}).get(s, 0) for s in ("available", "on_contact")):
            yield Made(live.queue, at, known)


def visits(run: Run) -> Visits:
    """The truth of a day."""
    found: Visits = defaultdict(list)
    for contact in run.truth.contacts:
        for visit in contact.visits:
            in_time = (
                visit.outcome == "answered"
                and visit.wait_ms is not None
                and visit.wait_ms <= SETTINGS.target_ms
            )
            found[visit.queue].append((visit.entered_at, in_time))
    for of in found.values():
        of.sort()
    return found


def breached(of: Sequence[tuple[int, bool]], begin: int, end: int) -> bool:
    """Whether the contacts of a span missed the target."""
    first, last = (bisect_left(of, (instant, False)) for instant in (begin, end))
    counted = [in_time for _, in_time in of[first:last]]
    return sum(counted) < SETTINGS.target_ratio * len(counted)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--days", type=int, default=3, help="how many days are scored")
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    squares: dict[tuple[str, str], float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    breaches: dict[str, int] = defaultdict(int)
    made, truth = played(asked.seed, asked.agents, asked.days + 1)
    for of in made:
        if of.at < DAY_MS:
            continue
        entered = truth.get(of.queue, [])
        back = WEEK_DAYS * DAY_MS if of.at >= WEEK_DAYS * DAY_MS else DAY_MS
        now = breached(entered, of.at - NOW_MS, of.at)
        for horizon, probability in of.probability.items():
            end = of.at + HORIZONS[horizon] * 1000
            outcome = breached(entered, of.at, end)
            said = (probability, now, breached(entered, of.at - back, end - back))
            counts[horizon] += 1
            breaches[horizon] += outcome
            for method, p in zip(METHODS, said, strict=True):
                squares[horizon, method] += (p - outcome) ** 2
    columns = (*METHODS, "base rate")
    print(f"{'horizon':8}{'forecasts':>10}{'breaches':>10}" + "".join(f"{c:>18}" for c in columns))
    for horizon, n in counts.items():
        rate = breaches[horizon] / n
        scores = [squares[horizon, method] / n for method in METHODS] + [rate * (1 - rate)]
        print(f"{horizon:8}{n:10}{rate:10.3f}" + "".join(f"{score:18.4f}" for score in scores))


if __name__ == "__main__":
    main()
