"""What voice menus settle by themselves. Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Unit, ratio, tallies
from sinks.kpis.families import MENUS

SECTION: Final = Section(65, "Voice menus")

_EVENTS: Final = ("ivr.entered", "ivr.exited")
_COUNTS: Final = tallies(
    stays="entries",
    stays_contained="contained",
    stays_hung_up="hung_up",
    stays_for_agent="agent_requested",
    goals="goal_reached",
    goals_for_good="if(came, 0, goal_reached)",
)


def _menu(
    name: str, expression: str, title: str, explanation: str, pitfalls: str, unit: Unit = "contacts"
) -> Kpi:
    return Kpi(
        id=f"menu_{name}",
        unit=unit,
        expression=expression,
        title=title,
        explanation=explanation,
        events=_EVENTS,
        pitfalls=pitfalls,
        source="common to all vendors",
        grain=MENUS,
        counts=_COUNTS,
    )


_HANG_UPS: Final = "Whether a hang-up was a success is not said: see `menu_truly_contained`."
_TRULY: Final = (
    "Provisional until 24 hours have passed. Who cannot be recognised cannot be seen to come again."
)

KPIS: Final = (
    _menu("entered", "stays", "Menu entered", "Stays in voice menus.", "A contact may enter two."),
    _menu("contained", "stays_contained", "Contained", "Stays that the menu says it settled.",
          _HANG_UPS),
    _menu("hung_up", "stays_hung_up", "Hung up in the menu", "Stays that the customer broke off.",
          "Neither offered nor abandoned: these count from a queue on."),
    _menu("agent_requested", "stays_for_agent", "Agent asked for", "Stays after which the customer "
          "wanted an agent.", "Says nothing of whether one answered."),
    _menu("goal_reached", "goals", "Goal reached", "Stays that reached what the menu is for.",
          "Known only where the menu tells goals."),
    _menu("truly_contained", "goals_for_good", "Truly contained", "Stays that reached their goal "
          "and after which the customer did not contact again within 24 hours.", _TRULY),
    _menu("containment_ratio", ratio("stays_contained", "stays"), "Containment, naive",
          "Contained stays, of all that were entered.", _HANG_UPS, "ratio"),
    _menu("true_containment_ratio", ratio("goals_for_good", "stays"), "Containment, true",
          "Truly contained stays, of all that were entered.", _TRULY, "ratio"),
    _menu("agent_requested_ratio", ratio("stays_for_agent", "stays"), "Asked for an agent",
          "Stays after which the customer wanted an agent, of all that were entered.",
          "High where the menu is the only way to an agent.", "ratio"),
)  # fmt: skip
