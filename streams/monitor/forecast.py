"""Whether a queue will miss its service level soon, and how many agents would keep it. Pure.

The queue is M/M/n+M, "Erlang A": contacts come at random at a rate, n agents serve each in a time
with a mean, and who waits leaves after a patience with a mean (Palm 1957; Garnett, Mandelbaum and
Reiman, "Designing a call center with impatient customers", 2002). Where nobody leaves it is Erlang
C. The number of contacts in such a queue, served and waiting, is a birth-death process: up by one
at the rate of arrivals, down by one at `agents / handle + waiting / patience`.

A forecast does not take the process to be settled: it begins from who is there now, and follows the
probabilities of each number through time. Times are in seconds.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

STEPS: Final = ((30.0, 10), (60.0, 10), (112.5, 8))
"""Length and number of the steps in which time is followed: up to 5, 15 and 30 minutes."""
MOST_AGENTS: Final = 2_000
"""More than these are not looked for."""
EXACTLY_BELOW: Final = 12.0
"""Expected contacts below which each number of them is reckoned by itself."""
MOST_DRAWN: Final = 300
"""The number of contacts above which their chance adds nothing to that of the queue's course."""


@dataclass(frozen=True, slots=True)
class Load:
    """What comes to a queue.

    `arrivals` are contacts a second; `handle` and `patience` mean seconds, patience None where
    nobody leaves. A contact meets the service level when it is answered within `target` seconds;
    `leavers_count` says whether one that leaves before counts as missed or not at all.
    """

    arrivals: float
    handle: float
    patience: float | None
    target: float
    leavers_count: bool = True

    @property
    def leaving(self) -> float:
        """Rate at which one who waits leaves."""
        return 1 / self.patience if self.patience else 0.0

    def departures(self, present: int, agents: int) -> float:
        """Rate at which contacts go when so many are there."""
        waiting = max(0, present - agents)
        return min(present, agents) / self.handle + waiting * self.leaving


def answered_in_time(load: Load, agents: int, most: int) -> list[float]:
    """Probability of being answered within the target, by how many are there on arrival.

    The list is of 0 to `most` of them. Behind j others, j + 1 departures must come first, at rates
    `agents / handle + i / patience` for i from j to 0, and sooner than one's own patience ends.
    `exp(-time / patience)` is then Beta-distributed, whose distribution function is a sum of
    positive terms.
    """
    found = [1.0] * min(agents, most + 1)
    if not agents:
        return [0.0] * (most + 1)
    serving, leaving = agents / load.handle, load.leaving
    span = -math.expm1(-leaving * load.target) / leaving if leaving else load.target
    log_term = -(serving + leaving) * load.target
    too_late = 0.0
    for ahead in range(most + 1 - agents):
        too_late += math.exp(log_term)
        stays = serving / (serving + (ahead + 1) * leaving) if load.leavers_count else 1.0
        found.append(stays * max(0.0, 1.0 - too_late))
        times = span * (serving + (ahead + 1) * leaving) / (ahead + 1)
        log_term += math.log(times) if times > 0 else -math.inf
    return found


@dataclass(frozen=True, slots=True)
class Share:
    """The share of a horizon's contacts that meet the service level: its mean and variance."""

    mean: float
    variance: float


def course(load: Load, agents: int, present: int) -> Iterator[Share]:
    """The share met over each horizon of `STEPS`, where `present` contacts are there now.

    Steps are implicit (backward Euler), so that probabilities stay such however long a step is.
    The chances at two instants are taken to depend on each other the less, the longer the time
    between them by handle time (while agents are free) or patience (while contacts wait).
    """
    most = most_present(load, agents, present)
    in_time = answered_in_time(load, agents, most)
    squares = [share * share for share in in_time]
    down = [load.departures(number, agents) for number in range(most + 1)]
    chances = [0.0] * (most + 1)
    chances[present] = 1.0
    mean = in_time[present]
    elapsed = summed = spread = waits = 0.0
    for length, number in STEPS:
        step = _Step(load.arrivals, down, length)
        for _ in range(number):
            chances = step.after(chances)
            before, mean = mean, _expected(chances, in_time)
            summed += length * (before + mean) / 2
            spread += length * max(0.0, _expected(chances, squares) - mean * mean)
            waits += length * math.fsum(chances[agents:])
            elapsed += length
        waited = waits / elapsed
        rate = elapsed * ((1 - waited) / load.handle + waited * load.leaving)
        together = 2 / rate * (1 + math.expm1(-rate) / rate) if rate > 1e-6 else 1.0
        yield Share(min(1.0, summed / elapsed), spread / elapsed * together)


def breach_probability(contacts: float, share: Share, target_ratio: float) -> float:
    """Probability that fewer than `target_ratio` of a horizon's contacts meet the service level.

    `contacts` are expected; they are Poisson, and those that meet it beta-binomial, because they
    fare alike: the queue that one finds full the next does, too. Where none comes, none is missed.
    """
    if contacts <= 0:
        return 0.0
    if contacts >= EXACTLY_BELOW:
        return _missed(min(MOST_DRAWN, round(contacts)), share, target_ratio)
    found, weight = 0.0, math.exp(-contacts)
    for number in range(1, 40):
        weight *= contacts / number
        found += weight * _missed(number, share, target_ratio)
    return min(1.0, found)


def agents_needed(load: Load, present: int, target_ratio: float) -> int | None:
    """The fewest agents with whom the share met over the last horizon comes to the target.

    None where more than `MOST_AGENTS` would be. More agents never harm, so halving finds it.
    """

    def suffices(agents: int) -> bool:
        *_, last = course(load, agents, present)
        return last.mean >= target_ratio

    too_few, enough = 0, max(1, math.ceil(load.arrivals * load.handle))
    while enough <= MOST_AGENTS and not suffices(enough):
        too_few, enough = enough, enough * 2
    if enough > MOST_AGENTS:
        return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if suffices(middle) else (middle, enough)
    return enough


def arrivals_between(load: Load, counted: float) -> Iterator[tuple[Load, float]]:
    """Loads whose arrivals lie about the measured ones, with the weight of each.

    A rate measured from `counted` contacts is uncertain by their root, and goes on changing.
    Three points carry its mean and variance (Gauss-Hermite).
    """
    off = math.sqrt(3) * math.sqrt(1 / max(counted, 3.0) + DRIFT**2)
    for times, weight in ((1 - off, 1 / 6), (1.0, 2 / 3), (1 + off, 1 / 6)):
        yield replace(load, arrivals=load.arrivals * max(0.0, times)), weight


DRIFT: Final = 0.15
"""By how much, relatively, arrivals change within half an hour beyond what chance explains."""


class _Step:
    """One implicit step of the process: the tridiagonal system, eliminated once for many steps."""

    def __init__(self, up: float, down: Sequence[float], length: float) -> None:
        last = len(down) - 1
        self._up = up * length
        self._back = [length * rate for rate in down[1:]] + [0.0]
        self._pivots: list[float] = []
        factor = 0.0
        for number, rate in enumerate(down):
            leaves = length * rate + (self._up if number < last else 0.0)
            pivot = 1 + leaves - self._up * factor
            self._pivots.append(pivot)
            factor = self._back[number] / pivot

    def after(self, chances: Sequence[float]) -> list[float]:
        """The chances a step later."""
        up, carried = self._up, 0.0
        reduced = []
        for chance, pivot in zip(chances, self._pivots, strict=True):
            carried = (chance + up * carried) / pivot
            reduced.append(carried)
        later = 0.0
        for number in range(len(reduced) - 1, -1, -1):
            later = reduced[number] + self._back[number] / self._pivots[number] * later
            reduced[number] = later
        return reduced


def most_present(load: Load, agents: int, present: int) -> int:
    """A number of contacts that is hardly ever exceeded within the longest horizon.

    What a forecast costs grows with it.
    """
    comes = load.arrivals * sum(length * number for length, number in STEPS)
    waiting = min(comes, load.arrivals / load.leaving) if load.leaving else comes
    waiting = max(waiting, present - agents)
    return max(present, agents + math.ceil(waiting + 5 * math.sqrt(waiting + 1))) + 1


def _expected(chances: Sequence[float], values: Sequence[float]) -> float:
    return math.fsum(c * v for c, v in zip(chances, values, strict=True))


def _missed(number: int, share: Share, target_ratio: float) -> float:
    """Probability that of so many contacts fewer than the target's share meet it."""
    mean = min(max(share.mean, 1e-9), 1 - 1e-9)
    variance = min(max(share.variance, 1e-9 * mean * (1 - mean)), 0.98 * mean * (1 - mean))
    both = mean * (1 - mean) / variance - 1
    met, failed = mean * both, (1 - mean) * both
    below = math.ceil(target_ratio * number - 1e-9)
    log = math.fsum(math.log((failed + of) / (both + of)) for of in range(number))
    logs = [log]
    for of in range(below - 1):
        log += math.log((number - of) / (of + 1) * (met + of) / (failed + number - of - 1))
        logs.append(log)
    return min(1.0, math.fsum(map(math.exp, logs[:below])))
