"""Every KPI is named, explained and there; presets are those that settings can name."""

from typing import get_args

import pytest

from schemas.queues import Preset as PresetId
from sinks.kpis.catalogue import KPIS, UnknownKpi, explain, of_grain
from sinks.kpis.definition import Grain, Kpi
from sinks.kpis.definitions.service_level import PRESETS

PUBLISHED = [
    "offered",
    "answered",
    "abandoned",
    "timed_out",
    "overflowed",
    "key_pressed",
    "callback_accepted",
    "emptied",
    "transferred_waiting",
    "open",
    "presumed_lost",
    "abandonment_ratio",
    "abandonment_net_of_short_ratio",
    "lost_ratio",
    "average_speed_of_answer_seconds",
    "longest_wait_seconds",
    "wait_p50_seconds",
    "wait_p90_seconds",
    "wait_p95_seconds",
    "average_talk_seconds",
    "average_hold_seconds",
    "average_wrapup_seconds",
    "average_handle_seconds",
    "average_ring_seconds",
    "transferred_blind",
    "transferred_consult",
    "transferred_recall",
    "transfer_ratio",
    "missed_rings",
    "missed_rings_per_offered",
    "first_responses",
    "average_first_response_seconds",
    "first_response_p50_seconds",
    "first_response_p90_seconds",
    "replies",
    "average_reply_seconds",
    "reply_p90_seconds",
    "average_first_resolution_seconds",
    "average_full_resolution_seconds",
    "reopen_ratio",
    "backlog",
    "backlog_over_7_days",
    "awaiting_reply",
    "chat_concurrency",
    "callers",
    "repeat_callers",
    "first_contact_resolution_ratio",
]


@pytest.mark.parametrize("kpi", KPIS.values(), ids=lambda kpi: kpi.id)
def test_a_kpi_says_what_it_is(kpi: Kpi) -> None:
    for text in (kpi.title, kpi.explanation, kpi.pitfalls, kpi.source):
        assert text.strip()
    assert kpi.explanation.endswith(".")
    assert bool(kpi.events) is not kpi.expression.startswith("CAST(NULL")
    assert kpi.id.partition(".")[0].endswith("_ratio") == (kpi.unit == "ratio")
    assert kpi.id.endswith("_seconds") == (kpi.unit == "seconds")
    assert explain(kpi.id).startswith(kpi.title)


def test_the_published_ids_are_there() -> None:
    assert set(PUBLISHED) <= set(KPIS)


def test_every_preset_that_settings_can_name_has_a_service_level() -> None:
    assert [preset.id for preset in PRESETS] == list(get_args(PresetId))
    assert {f"service_level_ratio.{preset}" for preset in get_args(PresetId)} <= set(KPIS)


def test_no_two_kpis_of_a_view_share_a_column() -> None:
    for grain in Grain:
        columns = [kpi.column for kpi in of_grain(grain)]
        assert len(columns) == len(set(columns))


def test_an_unknown_kpi_is_refused_with_near_ones() -> None:
    with pytest.raises(UnknownKpi, match=r"service_level_ratio\.offered"):
        explain("service_level_ratio")
