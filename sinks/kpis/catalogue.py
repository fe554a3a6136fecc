"""Every KPI, by its id: those of all modules in `sinks.kpis.definitions`. Pure."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Final

from sinks.kpis import definitions
from sinks.kpis.definition import OTHERS, Family, Grain, Kpi, Section


def _defined() -> Iterator[tuple[Section, tuple[Kpi, ...]]]:
    for module in pkgutil.iter_modules(definitions.__path__):
        found = import_module(f"{definitions.__name__}.{module.name}")
        yield getattr(found, "SECTION", OTHERS), found.KPIS


def _by_section() -> dict[str, tuple[Kpi, ...]]:
    sections: dict[str, tuple[Kpi, ...]] = {}
    for section, kpis in sorted(_defined(), key=lambda pair: pair[0].place):
        sections[section.title] = sections.get(section.title, ()) + kpis
    return sections


SECTIONS: Final[dict[str, tuple[Kpi, ...]]] = _by_section()
"""By the heading under which people read them, in that order."""

KPIS: Final[dict[str, Kpi]] = {kpi.id: kpi for kpis in SECTIONS.values() for kpi in kpis}
"""In the order in which people read them."""

if len(KPIS) != sum(map(len, SECTIONS.values())):
    _ids = [kpi.id for kpis in SECTIONS.values() for kpi in kpis]
    raise ValueError(f"defined twice: {', '.join(sorted({i for i in _ids if _ids.count(i) > 1}))}")

FAMILIES: Final[tuple[Family, ...]] = tuple(
    dict.fromkeys(kpi.grain for kpi in KPIS.values() if isinstance(kpi.grain, Family))
)
"""What KPIs are counted over, beside the views that are made by hand."""


class UnknownKpi(LookupError):
    """There is no KPI of that id."""


def of_grain(grain: Grain | Family) -> tuple[Kpi, ...]:
    """The KPIs that one view shows, in order."""
    return tuple(kpi for kpi in KPIS.values() if kpi.grain == grain)


def known(kpi_id: str) -> Kpi:
    """The KPI of that id. Raises `UnknownKpi` with those whose ids are like it."""
    kpi = KPIS.get(kpi_id)
    if kpi is None:
        near = [other for other in KPIS if kpi_id in other or other.split(".")[0] in kpi_id]
        raise UnknownKpi(f"there is no KPI {kpi_id!r}; did you mean: {', '.join(near or KPIS)}")
    return kpi


def explain(kpi_id: str) -> str:
    """What a KPI is, in a few lines of plain text. Raises `UnknownKpi`."""
    kpi = known(kpi_id)
    counts = [f"  {name} counts {tally.of_row}" for name, tally in kpi.counts.items()]
    return "\n".join(
        (
            f"{kpi.title} ({kpi.id}, {kpi.unit})",
            kpi.explanation,
            f"Mind: {kpi.pitfalls}",
            f"Computed as: {kpi.expression}",
            *counts,
            f"Splits: {', '.join(kpi.grain.dimensions)}",
            f"Needs: {', '.join(kpi.events) or 'what no event tells; it is never known'}",
            f"After: {kpi.source}",
        )
    )
