"""Every KPI, by its id. Pure."""

from typing import Final

from sinks.kpis.agents import AGENTS
from sinks.kpis.customers import CUSTOMERS
from sinks.kpis.definition import Grain, Kpi
from sinks.kpis.handling import HANDLING
from sinks.kpis.service_level import SERVICE_LEVEL
from sinks.kpis.volumes import VOLUMES
from sinks.kpis.waiting import WAITING

KPIS: Final[dict[str, Kpi]] = {
    kpi.id: kpi for kpi in (*VOLUMES, *SERVICE_LEVEL, *WAITING, *HANDLING, *CUSTOMERS, *AGENTS)
}
"""In the order in which people read them."""


class UnknownKpi(LookupError):
    """There is no KPI of that id."""


def of_grain(grain: Grain) -> tuple[Kpi, ...]:
    """The KPIs that one view shows, in order."""
    return tuple(kpi for kpi in KPIS.values() if kpi.grain is grain)


def explain(kpi_id: str) -> str:
    """What a KPI is, in a few lines of plain text. Raises `UnknownKpi`."""
    kpi = KPIS.get(kpi_id)
    if kpi is None:
        near = [known for known in KPIS if kpi_id in known or known.split(".")[0] in kpi_id]
        known = ", ".join(near or KPIS)
        raise UnknownKpi(f"there is no KPI {kpi_id!r}; did you mean: {known}")
    return "\n".join(
        (
            f"{kpi.title} ({kpi.id}, {kpi.unit})",
            kpi.explanation,
            f"Mind: {kpi.pitfalls}",
            f"Computed as: {kpi.expression}",
            f"Needs: {', '.join(kpi.events)}",
            f"After: {kpi.source}",
        )
    )
