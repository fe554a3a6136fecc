"""What customers say when they are asked: CSAT, NPS, CES. Pure.

Scores are brought to the scale of their survey: 5, 10 or 7.
"""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Tally, ratio, tallies
from sinks.kpis.families import SURVEYS

SECTION: Final = Section(60, "Surveys")

_EVENTS: Final = ("survey.submitted",)
_CSAT: Final = "if(scale_max = 5, score, score * 5 / scale_max)"
_NPS: Final = "if(scale_max = 10, score, score * 10 / scale_max)"
_CES: Final = "if(scale_max = 7, score, score * 7 / scale_max)"
_COUNTS: Final = tallies(
    csat_answers="kind = 'csat'",
    csat_pleased=f"kind = 'csat' AND {_CSAT} >= 4",
    csat_points=f"if(kind = 'csat', {_CSAT}, 0)",
    answered_contacts="kind = ''",
    ces_answers="kind = 'ces'",
    ces_points=f"if(kind = 'ces', {_CES}, 0)",
)
_NPS_COUNTS: Final = {
    "nps_answers": Tally(
        f"if(kind = 'nps', [(if(customer = '', rating, customer), rated_at, rating, {_NPS})], [])",
        "groupArray",
    )
}
_SORTED: Final = "arraySort(arrayFlatten(nps_answers))"
_LAST: Final = (
    f"arrayFilter((a, n) -> n = length({_SORTED}) OR {_SORTED}[n + 1].1 != a.1,"
    f" {_SORTED}, arrayEnumerate({_SORTED}))"
)
_PROMOTERS: Final = f"arrayCount(a -> a.4 >= 9, {_LAST})"
_DETRACTORS: Final = f"arrayCount(a -> a.4 <= 6, {_LAST})"
_BY_CONTACT: Final = "Counted when the contact began that they are about, not when they came."


def _kpi(
    name: str, unit: str, expression: str, title: str, explanation: str, pitfalls: str, source: str
) -> Kpi:
    return Kpi(
        id=name,
        unit=unit,  # type: ignore[arg-type]  # a Unit, all of them are written below
        expression=expression,
        title=title,
        explanation=explanation,
        events=_EVENTS,
        pitfalls=pitfalls,
        source=source,
        grain=SURVEYS,
        counts=_NPS_COUNTS if name.startswith("nps") else _COUNTS,
    )


KPIS: Final = (
    _kpi("csat_ratings", "ratings", "csat_answers", "CSAT: answers", "Answers to surveys of "
         "satisfaction.", _BY_CONTACT, "common to all vendors"),
    _kpi("csat_satisfied", "ratings", "csat_pleased", "CSAT: satisfied", "Answers of 4 or 5 of 5.",
         _BY_CONTACT, "common to all vendors"),
    _kpi("csat_ratio", "ratio", ratio("csat_pleased", "csat_answers"), "CSAT", "Answers of 4 or 5 "
         "of 5, of all answers.", "Of those who answer: see `csat_response_ratio`. Other scales "
         "are brought to 5 before.", "common to all vendors (top two boxes)"),
    _kpi("csat_mean", "points", ratio("csat_points", "csat_answers"), "CSAT, mean", "Mean of the "
         "answers, on a scale to 5.", "Hides two camps: look at the ratio as well.",
         "common to all vendors"),
    _kpi("csat_response_ratio", "ratio", ratio("csat_answers", "answered_contacts"),
         "CSAT: response rate", "Answers to surveys of satisfaction, of all contacts that somebody "
         "answered.", "Who was not asked counts as one who did not answer; a contact rated twice "
         "counts twice.", "common to all vendors"),
    _kpi("nps_customers", "customers", f"length({_LAST})", "NPS: customers", "Customers who "
         "answered, each once.", "The last answer of an interval counts: intervals do not add up. "
         "A contact of an unknown customer is a customer of its own.", "Reichheld, HBR 2003"),
    _kpi("nps_promoters", "customers", _PROMOTERS, "NPS: promoters", "Customers whose last answer "
         "was 9 or 10.", "Intervals do not add up.", "Reichheld, HBR 2003"),
    _kpi("nps_detractors", "customers", _DETRACTORS, "NPS: detractors", "Customers whose last "
         "answer was 6 or less.", "Intervals do not add up.", "Reichheld, HBR 2003"),
    _kpi("nps_ratio", "ratio", ratio(f"toInt64({_PROMOTERS}) - toInt64({_DETRACTORS})",
         f"length({_LAST})"), "NPS", "Share of promoters (9, 10) less that of detractors (0 to 6), "
         "by the last answer of each customer.", "Between -1 and 1; often written times 100. Moves "
         "in large steps where few answer.", "Reichheld, HBR 2003"),
    _kpi("ces_ratings", "ratings", "ces_answers", "CES: answers", "Answers to surveys of effort.",
         _BY_CONTACT, "CEB 2.0"),
    _kpi("ces_mean", "points", ratio("ces_points", "ces_answers"), "CES, mean", "Mean of the "
         "answers, on a scale of 1 to 7; 7 is the least effort.", "Older surveys of effort have 5 "
         "steps, and the least effort first: do not mix them.", "CEB 2.0"),
)  # fmt: skip
