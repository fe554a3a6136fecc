"""Which partitions are read up to the present: what their folds know of queues is so now. Pure.

What they know is on its way to stage 2, or lies there. Where it went into a block it may take as
long as that; then nothing is said of the partition.
"""

from collections.abc import Mapping
from typing import Final

from faust.types import TP

from streams.fold.partition import PartitionFold
from streams.takeover import Held

UNKNOWN_END: Final = 1 << 62
NEARLY_MS: Final = 5_000
"""A partition whose last record applied is no older than this is read to its end for all purposes:
there are always some on their way."""
TOLD_LATE_MS: Final = 120_000
"""Events that are published so long after they happened are of the past: nothing is judged by them.
"""


def current(
    processed: Mapping[TP, Held], ends: Mapping[TP, int], now_ms: int
) -> dict[str, tuple[int, ...]]:
    """Topic -> partitions that were read to their `ends`, or nearly, and whose last events were
    told when they happened.
    """
    found: dict[str, list[int]] = {}
    for tp, held in processed.items():
        if not isinstance(held.fold, PartitionFold) or held.untold:
            continue
        state = held.fold.state
        if (
            held.fold.next_offset < ends.get(tp, UNKNOWN_END)
            and now_ms - state.produced_at > NEARLY_MS
        ):
            continue
        if state.event_time >= 0 and state.produced_at - state.event_time > TOLD_LATE_MS:
            continue
        found.setdefault(tp.topic, []).append(tp.partition)
    return {topic: tuple(sorted(numbers)) for topic, numbers in found.items()}
