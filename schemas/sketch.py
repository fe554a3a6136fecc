"""The wait sketch: which bin a wait falls into, and the wait that a bin stands for.

DDSketch's logarithmic bins (Masson, Rim, Lee, VLDB 2019): a histogram, so it merges by adding and
can forget by subtracting, and every quantile read from it is within `RELATIVE_ACCURACY` of the
exact one. The bins cover all *concluded* waits of a queue: answered, abandoned and every other
exit, not those still waiting. The fold counts into bins, SQL reads quantiles out of them; both
take the constants from here. Pure.
"""

import math
from typing import Final

RELATIVE_ACCURACY: Final = 0.01
GAMMA: Final = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY)
LOG_GAMMA: Final = math.log(GAMMA)
ZERO_BIN: Final = -1
"""The bin of a wait of no time at all, whose logarithm does not exist."""


def bin_of(wait_ms: int) -> int:
    """The bin of a wait in whole milliseconds: `GAMMA**(bin - 1) < wait_ms <= GAMMA**bin`."""
    return math.ceil(math.log(float(wait_ms)) / LOG_GAMMA) if wait_ms > 0 else ZERO_BIN


def bin_value_ms(index: int) -> float:
    """The wait in milliseconds that stands for a bin: nobody in it is further away than 1 %."""
    return 0.0 if index == ZERO_BIN else 2 * GAMMA**index / (GAMMA + 1)
