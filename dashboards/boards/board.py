"""What every board has: its address, tags, links to the others, and how it is laid out. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableModel,
)

from dashboards.boards.panels import Link, Panel

TAG: Final = "switchboard"
FULL_WIDTH: Final = 24


def uid(name: str) -> str:
    """The address of a board: links rely on it."""
    return f"switchboard-{name}"


def board(
    name: str,
    title: str,
    description: str,
    variables: Sequence[Builder[VariableModel]],
    sections: Sequence[tuple[str, Sequence[Panel]]],
    *,
    since: str = "now-24h",
    refresh: str = "1m",
) -> Model:
    """A board of sections (title, panels), read from top to bottom."""
    others = (
        DashboardLink("Switchboard")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
    )
    made = (
        Dashboard(title)
        .uid(uid(name))
        .description(description)
        .tags([TAG])
        .timezone("utc")
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh(refresh)
        .link(others)
    )
    for variable in variables:
        made = made.with_variable(variable)
    for heading, panels in sections:
        made = made.with_row(Row(heading))
        for panel in panels:
            made = made.with_panel(panel)
    model = made.build()
    for number, one in enumerate(model.panels or [], 1):
        one.id_val = number  # rows and panels alike: links and screenshots name them
    return model


def to(name: str, title: str, query: str) -> Link:
    """A link from a row to another board, with what `query` says in its address."""
    return {"title": title, "url": f"/d/{uid(name)}?{query}"}


def json_of(model: Model) -> dict[str, Any]:
    """What is written out: as Grafana provisions it."""
    return model.to_json()
