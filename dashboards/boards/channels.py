"""The board of channels: calls, chats, e-mail and social messages beside each other. Pure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import variables
from dashboards.boards.board import board
from dashboards.boards.panels import COUNT, Panel, kpi_lines, lines, listing, units_of
from dashboards.boards.queries import STORE, trend, whole

NAME: Final = "channels"
_SUMMARY: Final = (
    "offered", "answered", "abandoned", "abandonment_ratio", "average_speed_of_answer_seconds",
    "wait_p90_seconds", "average_handle_seconds", "transfer_ratio",
)  # fmt: skip
_TRENDS: Final = (
    "answered", "abandonment_ratio", "average_speed_of_answer_seconds", "wait_p90_seconds",
    "average_handle_seconds", "transfer_ratio",
)  # fmt: skip


def channels() -> Dashboard:
    """The board."""
    return board(
        NAME,
        "Channels",
        "The same figures for every channel. A wait on the phone and one for an e-mail are not the"
        " same thing: compare a channel with itself.",
        [
            variables.store(),
            variables.tenant(),
            variables.channel(),
            variables.interval(),
            variables.cohort(),
            variables.timezone(),
        ],
        [
            ("In the time shown", [_summary()]),
            ("By interval", [_offered(), *(_trend(kpi_id) for kpi_id in _TRENDS)]),
        ],
    )


def _summary() -> Panel:
    return listing(
        "Channels",
        "Each channel and direction over the whole of the time shown.",
        STORE,
        whole("kpi_interval", _SUMMARY, split="channel,direction"),
        units_of(_SUMMARY),
    )


def _offered() -> Panel:
    return lines(
        "Offered",
        "Contacts offered to queues, by channel; the bars add up to all of them.",
        COUNT,
        STORE,
        [trend("kpi_interval", ["offered"], split="channel")],
        span=24,
        stacked=True,
    )


def _trend(kpi_id: str) -> Panel:
    return kpi_lines(kpi_id, STORE, trend("kpi_interval", [kpi_id], split="channel"))
