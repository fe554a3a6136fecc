"""The sums of a pane that windows add up, and the KPIs that are made of them. Pure.

A vector is a tuple of integers in the order of the names below; durations in milliseconds.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from schemas.sketch import bin_value_ms
from streams.monitor.messages import PanePart
from streams.monitor.rules import ServiceLevel

(
    OFFERED,
    ANSWERED,
    ABANDONED,
    FLOWED_OUT,
    ANSWERED_IN_TARGET,
    ABANDONED_IN_TARGET,
    CALLBACK_IN_TARGET,
    ABANDONED_SHORT,
    ENDED,
    ENDED_IN_TARGET,
    WAIT_ANSWERED,
    WAIT_ABANDONED,
    WAIT_EXITED,
    HANDLE,
) = range(14)
WIDTH: Final = 14

Vector = tuple[int, ...]
NOTHING: Final[Vector] = (0,) * WIDTH

EXITS: Final = (
    "timed_out",
    "overflowed",
    "key_pressed",
    "callback_accepted",
    "emptied",
    "transferred_waiting",
)
"""Every way out of a queue but being answered and hanging up."""


def vector_of(part: PanePart, target_ms: int, short_ms: int) -> Vector:
    """The sums of a pane, as the limits of its queue are now."""
    n = part.counts.get
    return (
        n("offered", 0),
        n("answered", 0),
        n("abandoned", 0),
        sum(n(name, 0) for name in EXITS),
        _within(part.answered_within, target_ms),
        _within(part.abandoned_within, target_ms),
        _within(part.callback_within, target_ms),
        _within(part.abandoned_within, short_ms),
        n("ended", 0),
        _within(part.ended_within, target_ms),
        n("wait_answered_ms", 0),
        n("wait_abandoned_ms", 0),
        n("wait_exited_ms", 0),
        n("talk_ms", 0) + n("hold_ms", 0) + n("wrapup_ms", 0),
    )


def _within(counted: Mapping[int, int], limit_ms: int) -> int:
    """How many waited at most `limit_ms`.

    A pane that was begun under other settings may not have counted this limit: then the next lower
    one, which is never too many.
    """
    found = counted.get(limit_ms)
    if found is not None:
        return found
    return max((n for limit, n in counted.items() if limit < limit_ms), default=0)


def met_and_counted(sums: Sequence[int], rule: ServiceLevel) -> tuple[int, int]:
    """Contacts that met the target, and all that count, by a preset; concluded ones only."""
    met = sums[ENDED_IN_TARGET] if rule.answered_once_ended else sums[ANSWERED_IN_TARGET]
    counted = sums[ENDED] if rule.answered_once_ended else sums[ANSWERED]
    met += rule.abandoned_in_target_met * sums[ABANDONED_IN_TARGET]
    met += rule.callback_in_target_met * sums[CALLBACK_IN_TARGET]
    counted += rule.abandoned_counted * sums[ABANDONED]
    counted -= rule.short_abandons_removed * sums[ABANDONED_SHORT]
    counted -= rule.in_target_abandons_removed * sums[ABANDONED_IN_TARGET]
    counted += rule.flowed_out_counted * sums[FLOWED_OUT]
    return met, counted


def ratio(part: float, whole: float) -> float | None:
    """A quotient; None, not 0, where there is nothing to divide by."""
    return part / whole if whole else None


def quantiles_ms(bins: Mapping[int, int], of: Sequence[float]) -> tuple[float | None, ...]:
    """Quantiles of waits, ascending, from the bins of the sketch, within its accuracy; None without
    waits.
    """
    total = sum(bins.values())
    if total <= 0:
        return (None,) * len(of)
    found: list[float | None] = []
    seen = 0
    in_order = iter(sorted(bins.items()))
    index = 0
    for q in of:
        rank = q * (total - 1)
        while seen <= rank:
            index, n = next(in_order)
            seen += n
        found.append(bin_value_ms(index))
    return tuple(found)
