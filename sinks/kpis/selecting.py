"""The select list of a view: its KPIs, as the catalogue defines them. Pure."""

from sinks.kpis.catalogue import of_grain
from sinks.kpis.definition import Family, Grain


def select_kpis(grain: Grain | Family) -> str:
    """Select list of a grain's KPIs, over its count columns."""
    return ",\n  ".join(f"{kpi.expression} AS {kpi.column}" for kpi in of_grain(grain))
