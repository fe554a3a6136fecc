"""How long customers wait. Pure."""

from typing import Final

from schemas.sketch import GAMMA, RELATIVE_ACCURACY, ZERO_BIN
from sinks.kpis.definition import Kpi, Section, mean_seconds


def quantile_seconds(bins: str, share: float) -> str:
    """The quantile of durations, out of the column of a sketch's bins; NULL where there were none.

    The lower quantile, as DDSketch defines it: the one of rank floor(share x (n - 1)), from 0.
    """
    counts = f"mapValues({bins})"
    at = f"arrayFirstIndex(c -> c > {share} * (arraySum({counts}) - 1), arrayCumSum({counts}))"
    bin_index = f"mapKeys({bins})[{at}]"
    seconds = f"2 * pow({GAMMA!r}, {bin_index}) / ({GAMMA!r} + 1) / 1000"
    return f"if(arraySum({counts}) = 0, NULL, if({bin_index} = {ZERO_BIN}, 0, {seconds}))"


_EVENTS: Final = ("queue.entered", "queue.exited", "agent.connected")


def _quantile(percent: int) -> Kpi:
    return Kpi(
        id=f"wait_p{percent}_seconds",
        unit="seconds",
        expression=quantile_seconds("wait_bins", percent / 100),
        title=f"Wait, {percent} % waited at most",
        explanation=(
            f"{percent} % of the concluded waits (answered, abandoned, flowed out) were not longer."
        ),
        events=_EVENTS,
        pitfalls=(
            f"Within {RELATIVE_ACCURACY:.0%} of the exact value. Quantiles of intervals cannot be "
            "averaged; the bins they are read from add up, so ask for the longer interval."
        ),
        source="DDSketch (Masson, Rim, Lee, VLDB 2019)",
    )


SECTION: Final = Section(30, "Waiting")

KPIS: Final[tuple[Kpi, ...]] = (
    Kpi(
        id="average_speed_of_answer_seconds",
        unit="seconds",
        expression=mean_seconds("wait_answered_ms", "answered"),
        title="Average speed of answer",
        explanation="Time in queue of answered contacts, divided by their number.",
        events=("queue.entered", "agent.connected"),
        pitfalls="Knows nothing of those who gave up: it falls when the impatient hang up earlier.",
        source="common to all vendors (ASA)",
    ),
    Kpi(
        id="average_time_to_abandon_seconds",
        unit="seconds",
        expression=mean_seconds("wait_abandoned_ms", "abandoned"),
        title="Average time to abandon",
        explanation="Time in queue of abandoned contacts, divided by their number.",
        events=("queue.entered", "queue.exited"),
        pitfalls="Short abandons pull it down; it is not the patience of those who were answered.",
        source="Amazon Connect, Genesys",
    ),
    Kpi(
        id="longest_wait_seconds",
        unit="seconds",
        expression="longest_wait_ms / 1000",
        title="Longest wait",
        explanation="The longest of the concluded waits, however they ended.",
        events=_EVENTS,
        pitfalls="Not the longest wait now: contacts that still wait are not in it.",
        source="common to all vendors",
    ),
    *(_quantile(percent) for percent in (50, 90, 95)),
)
