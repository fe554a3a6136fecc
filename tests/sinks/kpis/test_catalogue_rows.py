"""Every row of the catalogue that the design lists has its KPIs here, by their ids."""

from pathlib import Path
from typing import Final

import pytest

from schemas.live import QueueLiveRow
from schemas.rows import Row
from sinks.kpis.catalogue import KPIS

DESIGN = Path(__file__).parents[4] / "shared" / "design" / "kpis.md"

ROWS: Final[dict[str, tuple[str, ...]]] = {
    "abandonment": ("abandonment_ratio", "abandonment_net_of_short_ratio"),
    "lost, blocked": ("lost_ratio", "calls_blocked", "blocked_ratio"),
    "average speed of answer, wait p50 p90 p95, longest wait (now and past)": (
        "average_speed_of_answer_seconds",
        "wait_p50_seconds",
        "wait_p90_seconds",
        "wait_p95_seconds",
        "longest_wait_seconds",
    ),
    "handle time (AHT)": ("average_handle_seconds", "agent_average_handle_seconds"),
    "talk (ATT), hold, wrap-up (ACW), ring": (
        "average_talk_seconds",
        "average_hold_seconds",
        "average_hold_per_held_seconds",
        "average_wrapup_seconds",
        "average_wrapup_per_wrapped_up_seconds",
        "average_ring_seconds",
    ),
    "first contact resolution": ("first_contact_resolution_ratio",),
    "repeat contacts": ("repeat_contacts", "repeat_contact_ratio"),
    "transfer rate": (
        "transfer_ratio",
        "transfer_blind_ratio",
        "transfer_consult_ratio",
        "transfer_recall_ratio",
    ),
    "voice-menu containment": ("menu_containment_ratio", "menu_true_containment_ratio"),
    "asked for an agent after the menu": ("menu_agent_requested_ratio",),
    "callback": (
        "callback_offered",
        "callback_accepted_ratio",
        "callback_requested",
        "callback_attempted",
        "callback_connected",
        "average_time_to_callback_seconds",
    ),
    "occupancy": ("agent_occupancy_ratio", "slot_occupancy_ratio"),
    "utilisation": ("agent_utilisation_ratio",),
    "adherence": ("adherence_ratio",),
    "contacts per agent, answer rate of an agent": (
        "agent_contacts_per_staffed_hour",
        "agent_answer_ratio",
    ),
    "CSAT": ("csat_ratio", "csat_mean", "csat_response_ratio"),
    "NPS": ("nps_ratio",),
    "CES": ("ces_mean",),
    "churn": ("churn_ratio",),
    "first response (chat, e-mail, social)": ("average_first_response_seconds",),
    "reply time": ("average_reply_seconds", "reply_p50_seconds", "reply_p90_seconds"),
    "resolution": ("average_first_resolution_seconds", "average_full_resolution_seconds"),
    "reopen": ("reopen_ratio",),
    "backlog": ("backlog", "backlog_over_7_days"),
    "chat concurrency": ("chat_concurrency",),
    "self-service success, deflection": ("selfservice_success_ratio", "deflection_ratio"),
    "campaign": (
        "campaign_delivered_ratio",
        "campaign_opened_ratio",
        "campaign_clicked_ratio",
        "campaign_contacts",
    ),
    "voice quality": ("mos_min", "mos_mean", "r_factor_mean"),
    "estimated wait": (
        "estimated_wait_seconds",
        "estimated_wait_error_seconds",
        "estimated_wait_within_30_seconds_ratio",
    ),
}
"""Row of the table -> ids."""
STORED: Final[dict[str, tuple[type[Row], tuple[str, ...]]]] = {
    "waiting now, agents available, on contact, in wrap-up, paused, offline": (
        QueueLiveRow,
        (
            "waiting",
            "agents_available",
            "agents_on_contact",
            "agents_wrapup",
            "agents_paused",
            "agents_offline",
        ),
    ),
    "estimated wait": (QueueLiveRow, ("estimated_wait_ms",)),
}
"""Row of the table -> the table and the columns that hold what it is now."""
SERVICE_LEVEL: Final = "service_level_ratio."


@pytest.mark.parametrize("ids", ROWS.values(), ids=list(ROWS))
def test_a_row_has_its_kpis(ids: tuple[str, ...]) -> None:
    assert [kpi_id for kpi_id in ids if kpi_id not in KPIS] == []


@pytest.mark.parametrize(("table", "columns"), STORED.values(), ids=list(STORED))
def test_a_row_that_is_a_state_is_stored(table: type[Row], columns: tuple[str, ...]) -> None:
    assert set(columns) <= set(table.columns())


@pytest.mark.shared
@pytest.mark.skipif(not DESIGN.exists(), reason=f"{DESIGN.name} is not beside the project")
def test_every_row_of_the_design_is_here() -> None:
    tables = [line for line in DESIGN.read_text().splitlines() if line.startswith("|")]
    names = [line.split("|")[1].strip() for line in tables]
    presets = names[names.index("preset id") + 2 : names.index("KPI")]
    for preset in (one for name in presets for one in name.replace("`", "").split(" / ")):
        assert SERVICE_LEVEL + preset in KPIS
    assert [name for name in names[names.index("KPI") + 2 :] if name not in ROWS | STORED] == []
