"""The board of channels: calls, chats, e-mail and social messages beside each other. Pure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import variables
from dashboards.boards.board import board
from dashboards.boards.panels import COUNT, Panel, explained, kpi_lines, lines, listing, units_of
from dashboards.boards.queries import STORE, trend, whole
from sinks.kpis.definitions.conversations import BACKLOG_AGES
from sinks.kpis.query import REPEAT_SECONDS

NAME: Final = "channels"
_SUMMARY: Final = (
    "offered", "answered", "abandoned", "abandonment_ratio", "average_speed_of_answer_seconds",
    "wait_p90_seconds", "average_handle_seconds", "transfer_ratio",
)  # fmt: skip
_TRENDS: Final = (
    "answered", "abandonment_ratio", "average_speed_of_answer_seconds", "wait_p90_seconds",
    "average_handle_seconds", "transfer_ratio",
)  # fmt: skip
_ANSWERS: Final = (
    "first_responses", "average_first_response_seconds", "first_response_p50_seconds",
    "first_response_p90_seconds", "replies", "average_reply_seconds", "reply_p50_seconds",
    "reply_p90_seconds",
)  # fmt: skip
_RESOLUTIONS: Final = (
    "contacts_solved", "average_first_resolution_seconds", "first_resolution_p50_seconds",
    "first_resolution_p90_seconds", "average_full_resolution_seconds",
    "full_resolution_p50_seconds", "full_resolution_p90_seconds",
)  # fmt: skip
_SOLUTIONS: Final = (
    "contacts_reopened", "reopen_ratio", "average_first_resolution_business_seconds",
    "average_full_resolution_business_seconds",
)  # fmt: skip
_BACKLOG: Final = (
    "backlog", *(f"backlog_{age}" for age, *_ in BACKLOG_AGES), "awaiting_reply",
    "longest_awaiting_reply_seconds",
)  # fmt: skip
_CONVERSATION_TRENDS: Final = (
    "average_first_response_seconds", "first_response_p90_seconds", "average_reply_seconds",
    "reply_p90_seconds", "average_first_resolution_seconds", "average_full_resolution_seconds",
)  # fmt: skip
_REOPENED: Final = {"repeat_seconds": str(REPEAT_SECONDS)}


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
            ("Messages and tickets", [_answers(), _resolutions(), _solutions(), _backlog()]),
            (
                "Messages and tickets by interval",
                [*(_conversation(k) for k in _CONVERSATION_TRENDS), _reopens(), _concurrency()],
            ),
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


def _answers() -> Panel:
    return listing(
        "Responses and replies",
        f"Each channel over the whole of the time shown. {explained('first_response_p90_seconds')}",
        STORE,
        whole("conversation_interval", _ANSWERS, split="channel"),
        units_of(_ANSWERS),
    )


def _resolutions() -> Panel:
    return listing(
        "Resolutions",
        explained("contacts_solved"),
        STORE,
        whole("conversation_interval", _RESOLUTIONS, split="channel"),
        units_of(_RESOLUTIONS),
        span=12,
    )


def _solutions() -> Panel:
    return listing(
        "Reopened within a day, and resolutions in business hours",
        f"{explained('reopen_ratio')}\n\n{explained('average_first_resolution_business_seconds')}",
        STORE,
        whole("solutions", _SOLUTIONS, split="channel", parameters=_REOPENED),
        units_of(_SOLUTIONS),
        span=12,
    )


def _backlog() -> Panel:
    return listing(
        "Backlog by age, and who waits for a reply",
        explained("backlog"),
        STORE,
        whole("backlog", _BACKLOG, split="channel"),
        units_of(_BACKLOG),
    )


def _conversation(kpi_id: str) -> Panel:
    return kpi_lines(kpi_id, STORE, trend("conversation_interval", [kpi_id], split="channel"))


def _reopens() -> Panel:
    asked = trend("solutions", ["reopen_ratio"], split="channel", parameters=_REOPENED)
    return kpi_lines("reopen_ratio", STORE, asked)


def _concurrency() -> Panel:
    asked = trend("chat_time", ["chat_concurrency"], split="channel")
    return kpi_lines("chat_concurrency", STORE, asked)
