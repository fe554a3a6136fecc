"""When things begin: arrivals at random, at a rate that follows the hours of the day. Pure."""

from collections.abc import Iterator, Sequence

from simulator.clock import HOUR_MS
from simulator.dice import Dice


def moments(dice: Dice, a_day: float, load_by_hour: Sequence[float], days: int) -> Iterator[int]:
    """Instants in milliseconds, ascending: a Poisson process whose rate is constant by the hour.

    `a_day` is the expected number of a day; `load_by_hour` holds 24 relative numbers.
    """
    whole = sum(load_by_hour)
    if not a_day or not whole:
        return
    for hour in range(24 * days):
        an_hour = a_day * load_by_hour[hour % 24] / whole
        if not an_hour:
            continue
        # What has no memory may begin anew with every hour.
        at = hour * HOUR_MS + dice.waiting(3600 / an_hour)
        while at < (hour + 1) * HOUR_MS:
            yield at
            at += dice.waiting(3600 / an_hour)
