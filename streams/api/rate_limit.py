"""How often each holder of a token may ask: a token bucket for each. Pure but for the clock given.

A bucket holds `burst` requests and fills at `per_second`. It is stored as the instant at which it
will be full again (the generic cell rate algorithm), so there is nothing to refill.
"""

from collections.abc import Callable
from threading import Lock


class RateLimit:
    """See the module's docstring. May be called from any thread.

    Args:
        per_second: requests that a holder may go on asking.
        burst: requests that it may ask at once.
        clock: seconds, never going back.
    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float]) -> None:
        self._interval = 1 / per_second
        self._depth = burst * self._interval
        self._clock = clock
        self._lock = Lock()
        self._full_at: dict[str, float] = {}

    def wait_seconds(self, holder: str) -> float:
        """0.0 if `holder` may ask now, which is then counted; else how long it has to wait."""
        with self._lock:
            now = self._clock()
            full_at = max(now, self._full_at.get(holder, now)) + self._interval
            wait = full_at - self._depth - now
            # Sums of intervals are not exact: a billionth of a second is nobody's fault.
            if wait > 1e-9:
                return wait
            self._full_at[holder] = full_at
            return 0.0
