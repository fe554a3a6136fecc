"""Simulated time, in whole milliseconds since the simulation began. Pure."""

from typing import cast

from simpy import Environment


class Clock(Environment):
    """simpy's environment; as every delay is a whole number, so is the time, and sums are exact."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)

    @property
    def now(self) -> int:
        """Milliseconds since the simulation began."""
        return cast("int", self._now)
