"""The shapes of panels, alike on every board; those of KPIs speak the catalogue's words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, get_args

from grafana_foundation_sdk.builders import bargauge, common, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    DataSourceRef,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)

from sinks.kpis.catalogue import KPIS
from sinks.kpis.definition import Unit

COUNT: Final = "none"
RATIO: Final = "percentunit"
SECONDS: Final = "s"
TIME: Final = "dateTimeAsIso"
UNITS: Final[dict[Unit, str]] = {
    **dict.fromkeys(get_args(Unit), COUNT),
    "ratio": RATIO,
    "seconds": SECONDS,
}
"""From the catalogue's units to Grafana's."""
HEIGHT: Final = 8


_NOT_SHOWN: Final = [
    DynamicConfigValue(id_val="custom.hidden", value=True),
    DynamicConfigValue(id_val="custom.hideFrom", value={"viz": True}),
]
"""Of a column that only links read; newer releases of Grafana say it in the second way."""
Link = dict[str, str]
"""A data link of a column: `title` and `url`."""
Panel = timeseries.Panel | stat.Panel | table.Panel | bargauge.Panel


def lines(
    title: str,
    description: str,
    unit: str,
    source: DataSourceRef,
    targets: Sequence[Builder[Dataquery]],
    *,
    span: int = 12,
    stacked: bool = False,
) -> timeseries.Panel:
    """Values over time; stacked, as bars that add up."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(source)
        .span(span)
        .height(HEIGHT)
        .targets(list(targets))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
        )
    )
    if unit != RATIO:
        panel = panel.min(0)
    if stacked:
        together = common.StackingConfig().mode(StackingMode.NORMAL).group("A")
        panel = panel.draw_style(GraphDrawStyle.BARS).fill_opacity(80).stacking(together)
    return panel


def numbers(
    title: str,
    description: str,
    unit: str,
    source: DataSourceRef,
    target: Builder[Dataquery],
    *,
    span: int = 6,
    height: int = 4,
    worse: Mapping[str, float | None] | None = None,
) -> stat.Panel:
    """The last value of each series, large; `worse` colours it from values on."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(source)
        .span(span)
        .height(height)
        .with_target(target)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )
    steps = [Threshold(value=value, color=color) for color, value in (worse or {}).items()]
    if steps:
        coloured = ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
        panel = panel.thresholds(coloured)
    return panel


def bars(
    title: str,
    description: str,
    unit: str,
    source: DataSourceRef,
    target: Builder[Dataquery],
    *,
    span: int = 12,
) -> bargauge.Panel:
    """One horizontal bar a row or series: the text in it names it."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .min(0)
        .datasource(source)
        .span(span)
        .height(HEIGHT)
        .with_target(target)
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(True))
    )


def listing(
    title: str,
    description: str,
    source: DataSourceRef,
    target: Builder[Dataquery],
    units: Mapping[str, str],
    *,
    span: int = 24,
    height: int = HEIGHT,
    links: Mapping[str, Link] | None = None,
    hidden: Sequence[str] = (),
) -> table.Panel:
    """Rows; `units` and `links` by column; `hidden` columns are there for links alone."""
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .unit(COUNT)
        .datasource(source)
        .span(span)
        .height(height)
        .with_target(target)
    )
    for column, unit in units.items():
        panel = panel.override_by_name(column, [DynamicConfigValue(id_val="unit", value=unit)])
    for column, link in (links or {}).items():
        panel = panel.override_by_name(column, [DynamicConfigValue(id_val="links", value=[link])])
    for column in hidden:
        panel = panel.override_by_name(column, _NOT_SHOWN)
    return panel


def unit_of(column: str) -> str:
    """Grafana's unit of a KPI's column in the views; plain for columns that are no KPI's."""
    kpi = _BY_COLUMN.get(column)
    return UNITS[kpi.unit] if kpi else COUNT


def units_of(columns: Sequence[str]) -> dict[str, str]:
    """The units of those columns that are KPIs."""
    return {column: unit_of(column) for column in columns if column in _BY_COLUMN}


def explained(kpi_id: str) -> str:
    """A KPI in the catalogue's words, with what it is mistaken for."""
    kpi = KPIS[kpi_id]
    return f"{kpi.explanation}\n\nMind: {kpi.pitfalls}"


_BY_COLUMN: Final = {kpi.column: kpi for kpi in KPIS.values()}


def kpi_lines(
    kpi_id: str, source: DataSourceRef, target: Builder[Dataquery], *, span: int = 12
) -> timeseries.Panel:
    """One KPI over time, titled and explained as in the catalogue."""
    kpi = KPIS[kpi_id]
    return lines(kpi.title, explained(kpi_id), UNITS[kpi.unit], source, [target], span=span)
