"""What customers settle by themselves, by surface (`--split surface`). Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Unit, ratio, tallies
from sinks.kpis.families import SELF_SERVICE

SECTION: Final = Section(75, "Self-service")

_COUNTS: Final = tallies(
    used="1", solved="outcome = 'solved'", left_alone="NOT came", known_users="customer_id != ''"
)
_UNSEEN: Final = (
    "Provisional until 24 hours have passed. Who contacts under an identifier that nothing links "
    "to the one used here is not seen to."
)


def _use(name: str, unit: Unit, expression: str, title: str, explanation: str, mind: str) -> Kpi:
    return Kpi(
        id=name,
        unit=unit,
        expression=expression,
        title=title,
        explanation=explanation,
        events=("selfservice.used",),
        pitfalls=mind,
        source="common to all vendors",
        grain=SELF_SERVICE,
        counts=_COUNTS,
    )


KPIS: Final = (
    _use("selfservice_used", "uses", "used", "Self-service used", "Times that a customer used it.",
         "Uses, not customers."),
    _use("selfservice_solved", "uses", "solved", "Self-service solved", "Uses that ended with "
         "`solved`.", "As the surface judges, or the customer's click."),
    _use("selfservice_deflected", "uses", "left_alone", "Deflected", "Uses after which the "
         "customer did not contact within 24 hours.", _UNSEEN),
    _use("selfservice_success_ratio", "ratio", ratio("solved", "used"), "Self-service success",
         "Solved, of all uses.", "As the surface judges, or the customer's click."),
    _use("deflection_ratio", "ratio", ratio("left_alone", "used"), "Deflection", "Uses without a "
         "contact of the customer within 24 hours, of all uses.", "Counts those who gave up, too. "
         + _UNSEEN),
)  # fmt: skip
