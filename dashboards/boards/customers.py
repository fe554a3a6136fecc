"""The board of customer experience: whether people had to come again. Pure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import variables
from dashboards.boards.board import board
from dashboards.boards.panels import COUNT, Panel, explained, kpi_lines, lines, listing, units_of
from dashboards.boards.queries import STORE, trend, whole

NAME: Final = "customers"
_FIRST: Final = (
    "first_contact_resolution_ratio", "first_contact_eligible", "first_contact_mature",
    "first_contact_not_mature", "repeat_contacts", "repeat_contact_ratio",
)  # fmt: skip


def customers() -> Dashboard:
    """The board."""
    return board(
        NAME,
        "Customer experience",
        "Whether people had to come again, across channels and identities.",
        [
            variables.store(),
            variables.tenant(),
            variables.queue(),
            variables.interval(),
            variables.repeats(),
            variables.same_topic(),
            variables.timezone(),
        ],
        [
            ("First contact resolution", [_windows(), *_first_contacts()]),
            ("Customers", [_callers()]),
        ],
        since="now-7d",
        refresh="5m",
    )


def _windows() -> Panel:
    return listing(
        "First contact resolution in the usual windows",
        explained("first_contact_resolution_ratio"),
        STORE,
        whole("fcr_windows", ["window_days", "same_topic", *_FIRST]),
        {"window_days": "d", **units_of(_FIRST)},
    )


def _first_contacts() -> list[Panel]:
    asked = ("first_contact_resolution_ratio", "repeat_contact_ratio")
    window = {"repeat_seconds": "${repeat_seconds}", "same_topic": "${same_topic}"}
    return [kpi_lines(k, STORE, trend("fcr", [k], parameters=window)) for k in asked]


def _callers() -> Panel:
    return lines(
        "Customers, and those who came more than once",
        explained("repeat_callers"),
        COUNT,
        STORE,
        [trend("callers", ["callers", "repeat_callers"])],
        span=24,
    )
