"""Chance: everything random comes from here, seeded. Pure.

Draws depend on `random.random` alone, whose sequence Python keeps from version to version; its
other methods may change. Durations are whole milliseconds.
"""

import math
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """One stream of chance. Streams of different names know nothing of each other."""

    def __init__(self, seed: int, name: str) -> None:
        self.random = random.Random(f"{seed}/{name}").random  # noqa: S311 - no secret

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.random() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One of them, each as likely as the others."""
        return items[int(self.random() * len(items))]

    def weighted(self, weights: dict[T, float]) -> T:
        """One of the keys, as likely as its weight says."""
        left = self.random() * sum(weights.values())
        for item, weight in weights.items():
            left -= weight
            if left < 0:
                return item
        return next(reversed(weights))

    def within(self, low_seconds: float, high_seconds: float) -> int:
        """Milliseconds, evenly between the two; at least 1."""
        span = high_seconds - low_seconds
        return max(1, round((low_seconds + span * self.random()) * 1000))

    def waiting(self, mean_seconds: float) -> int:
        """Milliseconds until something without memory happens (exponential); at least 1."""
        return max(1, round(-math.log(1.0 - self.random()) * mean_seconds * 1000))

    def around(self, mean_seconds: float, spread: float = 0.6) -> int:
        """Milliseconds of a piece of work: log-normal, mostly below its mean, with a long tail.

        `spread` is the standard deviation of the logarithm.
        """
        angle = math.cos(2 * math.pi * self.random())
        normal = math.sqrt(-2 * math.log(1.0 - self.random())) * angle
        return max(1, round(mean_seconds * math.exp(spread * normal - spread * spread / 2) * 1000))
