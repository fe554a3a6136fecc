"""What the fold is told from outside: lateness, horizons and thresholds. Pure, immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from streams.identity.erased import Erased
from streams.identity.normalise import Identifiers

DAY_MS: Final = 86_400_000

DEFAULT_HORIZONS_MS: Mapping[str, int] = {
    "call": 7_200_000,
    "chat": 43_200_000,
    "email": 30 * DAY_MS,
    "social": 7 * DAY_MS,
}


@dataclass(frozen=True, slots=True)
class FoldRules:
    """Settings of a fold, all durations in milliseconds.

    `lateness_ms`: how far behind its source's greatest event time an event may be without being
    late. `horizons_ms`: by channel, how long an interaction may be silent before it is let go;
    one that has not ended is kept for `forget_open_ms` at least. `max_skew_ms`: how far ahead of
    the broker's time an event's own time is believed. `thresholds_ms`: by queue, the waits that are
    counted (`""` holds the default for queues that are not named). `identifiers`: how identifiers
    are written; `erased`: what must not come back.
    """

    lateness_ms: int = 3_600_000
    horizons_ms: Mapping[str, int] = field(default_factory=lambda: DEFAULT_HORIZONS_MS)
    forget_open_ms: int = 30 * DAY_MS
    max_skew_ms: int = 300_000
    thresholds_ms: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: {"": (5_000, 20_000)}
    )

    identifiers: Identifiers = field(default_factory=Identifiers)
    erased: Erased = field(default_factory=Erased)

    def thresholds_of(self, queue: str) -> tuple[int, ...]:
        """The waits counted for `queue`, ascending."""
        found = self.thresholds_ms.get(queue)
        return self.thresholds_ms[""] if found is None else found
