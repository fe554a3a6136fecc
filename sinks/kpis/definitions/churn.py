"""Customers who leave, as it is told. Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Tally, Unit, ratio
from sinks.kpis.families import CHURN

SECTION: Final = Section(55, "Churn")

_COUNTS: Final = {
    "goings": Tally("step = 'churned'"),
    "returns": Tally("step = 'returned'"),
    "moves": Tally("changes", "any"),
}
_ACTIVE: Final = "arraySum(m -> if(m.1 < begins, m.2, 0), moves)"
_TOLD: Final = (
    "By `customer.churned`, not by silence: who leaves without a word is not in it. A customer who "
    "is told to have left twice counts twice."
)


def _churn(name: str, unit: Unit, expression: str, title: str, explanation: str, mind: str) -> Kpi:
    return Kpi(
        id=name,
        unit=unit,
        expression=expression,
        title=title,
        explanation=explanation,
        events=("customer.churned", "customer.returned"),
        pitfalls=mind,
        source="common to all vendors",
        grain=CHURN,
        counts=_COUNTS,
    )


KPIS: Final = (
    _churn("customers_churned", "customers", "goings", "Customers lost", "Customers who were told "
           "to have left.", _TOLD),
    _churn("customers_returned", "customers", "returns", "Customers regained", "Customers who were "
           "told to have come back.", "Of any earlier loss, not of this interval's."),
    _churn("customers_active", "customers", _ACTIVE, "Customers at the start", "Customers who had "
           "ever been seen before the interval, less those who had left.", "Ever since data is "
           "kept: with a short retention it is too small."),
    _churn("churn_ratio", "ratio", ratio("goings", _ACTIVE), "Churn", "Customers lost in the "
           "interval, of those active at its start.", "NULL from the beginning of all data: then "
           "nobody was there at the start. Ask from a day on (`--from`). " + _TOLD),
)  # fmt: skip
