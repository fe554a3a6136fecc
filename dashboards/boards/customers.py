"""The board of customer experience: whether people came again, were content, stayed. Pure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import variables
from dashboards.boards.board import board
from dashboards.boards.panels import COUNT, Panel, explained, kpi_lines, lines, listing, units_of
from dashboards.boards.queries import STORE, trend, whole

NAME: Final = "customers"
_FIRST: Final = (
    "first_contact_resolution_ratio", "first_contact_eligible", "first_contact_mature",
    "first_contact_without_repeat",
    "first_contact_not_mature", "repeat_contacts", "repeat_contact_ratio",
)  # fmt: skip
_SURVEYS: Final = (
    "csat_ratings", "csat_satisfied", "csat_ratio", "csat_mean", "csat_response_ratio",
    "nps_customers", "nps_promoters", "nps_detractors", "nps_ratio", "ces_ratings", "ces_mean",
)  # fmt: skip
_SURVEY_TRENDS: Final = ("csat_ratio", "csat_response_ratio", "nps_ratio", "ces_mean")
_CHURN: Final = ("customers_active", "customers_churned", "customers_returned", "churn_ratio")
_CALLBACKS: Final = (
    "callback_offered", "callback_requested", "callback_attempted", "callback_connected",
    "callback_failed", "callback_accepted_ratio", "callback_connected_ratio",
    "average_time_to_callback_seconds",
)  # fmt: skip
_QUALITY: Final = ("quality_legs", "mos_mean", "mos_min", "r_factor_mean")


def customers() -> Dashboard:
    """The board."""
    return board(
        NAME,
        "Customer experience",
        "Whether people had to come again, across channels and identities; what they say when they"
        " are asked; whether they stay.",
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
            ("Surveys", [_surveys(), *(_survey_trend(kpi_id) for kpi_id in _SURVEY_TRENDS)]),
            ("Customers", [_callers(), _churn(), _lost()]),
            ("Callbacks", [_callbacks(), *_callback_trends()]),
            ("Voice quality", [_quality(), _sound("mos_mean"), _sound("mos_min")]),
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


def _surveys() -> Panel:
    return listing(
        "CSAT, NPS and CES",
        f"Each queue over the whole of the time shown. {explained('csat_ratio')}",
        STORE,
        whole("kpi_surveys", _SURVEYS),
        units_of(_SURVEYS),
    )


def _survey_trend(kpi_id: str) -> Panel:
    return kpi_lines(kpi_id, STORE, trend("kpi_surveys", [kpi_id]))


def _churn() -> Panel:
    return listing(
        "Churn",
        explained("churn_ratio"),
        STORE,
        whole("kpi_churn", _CHURN, split=""),
        units_of(_CHURN),
        span=12,
    )


def _lost() -> Panel:
    return lines(
        "Customers lost and regained",
        explained("customers_churned"),
        COUNT,
        STORE,
        [trend("kpi_churn", ["customers_churned", "customers_returned"], split="")],
    )


def _callbacks() -> Panel:
    return listing(
        "Callbacks",
        f"Each queue over the whole of the time shown. {explained('callback_connected_ratio')}",
        STORE,
        whole("kpi_callbacks", _CALLBACKS),
        units_of(_CALLBACKS),
    )


def _callback_trends() -> list[Panel]:
    asked = ("callback_requested", "callback_connected")
    return [kpi_lines(kpi_id, STORE, trend("kpi_callbacks", [kpi_id])) for kpi_id in asked]


def _quality() -> Panel:
    return listing(
        "How calls sounded",
        explained("mos_mean"),
        STORE,
        whole("kpi_quality", _QUALITY, split="queue,codec"),
        units_of(_QUALITY),
    )


def _sound(kpi_id: str) -> Panel:
    return kpi_lines(kpi_id, STORE, trend("kpi_quality", [kpi_id], split="queue,codec"))
