"""How calls sounded, as it was measured. Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Tally, Unit, ratio
from sinks.kpis.families import QUALITY

SECTION: Final = Section(70, "Voice quality")

_BILLIONTHS: Final = "toInt64(round({} * 1e9))"
"""Whole numbers: their sum does not depend on the order of rows."""
_COUNTS: Final = {
    "legs_measured": Tally("measured > 0"),
    "mos_worst": Tally("if(measured > 0, toNullable(mos_least), NULL)", "min"),
    "mos_points": Tally(f"if(measured > 0, {_BILLIONTHS.format('mos_average')}, 0)"),
    "legs_rated": Tally("rated > 0"),
    "r_points": Tally(f"if(rated > 0, {_BILLIONTHS.format('r_average')}, 0)"),
}
_AS_GIVEN: Final = (
    "As the source gives it: MOS above 4.5 and R above 93 occur, and none is made from the other. "
    "Compare within a codec (`--split codec`)."
)


def _quality(name: str, unit: Unit, expression: str, title: str, explanation: str) -> Kpi:
    return Kpi(
        id=name,
        unit=unit,
        expression=expression,
        title=title,
        explanation=explanation,
        events=("quality.measured",),
        pitfalls=_AS_GIVEN,
        source="ITU-T P.800 (MOS), G.107 (R)",
        grain=QUALITY,
        counts=_COUNTS,
    )


KPIS: Final = (
    _quality("quality_legs", "legs", "legs_measured", "Legs measured", "Legs of calls whose MOS "
             "was measured: one an agent (or name of a leg) and codec."),
    _quality("mos_mean", "points", ratio("mos_points / 1e9", "legs_measured"), "MOS, mean",
             "Mean over legs of each leg's mean opinion score."),
    _quality("mos_min", "points", "mos_worst", "MOS, lowest", "The worst score of any leg."),
    _quality("r_factor_mean", "points", ratio("r_points / 1e9", "legs_rated"), "R, mean",
             "Mean over legs of each leg's R factor."),
)  # fmt: skip
