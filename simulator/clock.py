"""Simulated time, in whole milliseconds since the simulation began. Pure."""

from typing import Final, cast

from simpy import Environment, Timeout

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


class Clock(Environment):
    """simpy's environment; as every delay is a whole number, so is the time, and sums are exact."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)

    @property
    def now(self) -> int:
        """Milliseconds since the simulation began."""
        return cast("int", self._now)

    def until(self, at: int) -> Timeout:
        """Happens at that time; at once, if it is over."""
        return self.timeout(max(0, at - self.now))
