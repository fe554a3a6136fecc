"""The board of self-service and campaigns: what is settled without an agent. Pure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import variables
from dashboards.boards.board import board
from dashboards.boards.panels import COUNT, Panel, explained, kpi_lines, lines, listing, units_of
from dashboards.boards.queries import STORE, Split, trend, whole

NAME: Final = "selfservice"
_MENUS: Final = (
    "menu_entered", "menu_contained", "menu_hung_up", "menu_agent_requested", "menu_goal_reached",
    "menu_truly_contained", "menu_containment_ratio", "menu_true_containment_ratio",
    "menu_agent_requested_ratio",
)  # fmt: skip
_MENU_TRENDS: Final = (
    "menu_containment_ratio", "menu_true_containment_ratio", "menu_agent_requested_ratio",
    "menu_entered",
)  # fmt: skip
_USES: Final = (
    "selfservice_used", "selfservice_solved", "selfservice_deflected", "selfservice_success_ratio",
    "deflection_ratio",
)  # fmt: skip
_USE_TRENDS: Final = ("selfservice_success_ratio", "deflection_ratio")
_CAMPAIGNS: Final = (
    "campaign_sent", "campaign_failed", "campaign_delivered", "campaign_opened", "campaign_clicked",
    "campaign_delivered_ratio", "campaign_opened_ratio", "campaign_clicked_ratio",
    "campaign_contacts",
)  # fmt: skip
_MESSAGES: Final = (
    "campaign_sent", "campaign_failed", "campaign_delivered", "campaign_opened", "campaign_clicked",
)  # fmt: skip


def selfservice() -> Dashboard:
    """The board."""
    return board(
        NAME,
        "Self-service and campaigns",
        "What voice menus, bots and pages settle without an agent, and what campaigns bring about."
        " Whether a customer came again is known after a day: the last one is provisional.",
        [variables.store(), variables.tenant(), variables.interval(), variables.timezone()],
        [
            ("Voice menus", _menus()),
            ("Self-service", _uses()),
            ("Campaigns", _campaigns()),
        ],
        since="now-7d",
        refresh="5m",
    )


def _menus() -> list[Panel]:
    return [
        listing(
            "Voice menus",
            f"Each menu over the whole of the time shown. {explained('menu_containment_ratio')}",
            STORE,
            whole("kpi_menus", _MENUS, split="menu"),
            units_of(_MENUS),
        ),
        *(_trend("kpi_menus", kpi_id, "menu") for kpi_id in _MENU_TRENDS),
    ]


def _uses() -> list[Panel]:
    return [
        listing(
            "Self-service",
            f"Each surface over the whole of the time shown. {explained('deflection_ratio')}",
            STORE,
            whole("kpi_selfservice", _USES, split="surface"),
            units_of(_USES),
        ),
        *(_trend("kpi_selfservice", kpi_id, "surface") for kpi_id in _USE_TRENDS),
    ]


def _campaigns() -> list[Panel]:
    return [
        listing(
            "Campaigns",
            f"Each campaign over the whole of the time shown. {explained('campaign_sent')}",
            STORE,
            whole("kpi_campaigns", _CAMPAIGNS, split="campaign,medium"),
            units_of(_CAMPAIGNS),
        ),
        lines(
            "Messages of campaigns",
            f"What became of the messages that were sent. {explained('campaign_opened')}",
            COUNT,
            STORE,
            [trend("kpi_campaigns", _MESSAGES, split="campaign,medium")],
        ),
        _trend("kpi_campaigns", "campaign_contacts", "campaign,medium"),
    ]


def _trend(view: str, kpi_id: str, split: Split) -> Panel:
    return kpi_lines(kpi_id, STORE, trend(view, [kpi_id], split=split))
