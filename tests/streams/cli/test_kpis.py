"""`switchboard kpis` answers exactly what was asked, and fits the terminal."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sinks.kpis.catalogue import KPIS, of_grain
from sinks.kpis.definition import Grain
from tests.streams.cli.conftest import Json
from tests.support.command_line import WIDTH, switchboard

QUEUES = ("billing", "sales", "support")
OF_QUEUES = [k.id for g in Grain if g is not Grain.AGENT for k in of_grain(g)]


def flat(found: dict[str, Any]) -> dict[str, Any]:
    ratios = found.pop("service_level_ratio")
    return found | {f"service_level_ratio.{preset}": value for preset, value in ratios.items()}


def test_each_queue_is_an_object_with_every_kpi(answer: Json) -> None:
    found = [flat(result) for result in answer("kpis")]
    assert [result["queue"] for result in found] == list(QUEUES)
    for result in found:
        assert set(result) >= set(OF_QUEUES)
        for kpi_id in OF_QUEUES:
            if KPIS[kpi_id].unit == "ratio" and result[kpi_id] is not None:
                assert 0 <= result[kpi_id] <= 1


@pytest.mark.parametrize("queue", QUEUES)
def test_counts_are_those_of_the_file(answer: Json, sample: Path, queue: str) -> None:
    lines = [line.split("|") for line in sample.read_text().splitlines()]
    events = Counter(fields[4] for fields in lines if fields[2] == queue)
    (found,) = answer("kpis", "--queue", queue)
    counted = {
        "offered": "ENTERQUEUE",
        "answered": "CONNECT",
        "abandoned": "ABANDON",
        "timed_out": "EXITWITHTIMEOUT",
    }
    assert found["missed_rings"] == events["RINGNOANSWER"] + events["RINGCANCELED"]
    assert {kpi: found[kpi] for kpi in counted} == {k: events[e] for k, e in counted.items()}


def test_panes_and_interactions_agree(answer: Json) -> None:
    panes = answer("kpis")
    counted = answer("kpis", "--target", "20", "--short", "5")
    assert {result.pop("source") for result in panes} == {"panes"}
    assert {result.pop("source") for result in counted} == {"interactions"}
    assert panes == counted


def test_intervals_add_up_to_the_whole(answer: Json) -> None:
    (whole,) = answer("kpis", "--queue", "support")
    parts = answer("kpis", "--queue", "support", "--interval", "30m")
    for kpi_id in ("offered", "answered", "abandoned", "missed_rings"):
        assert sum(part[kpi_id] for part in parts) == whole[kpi_id]
    assert len(parts) > 10


def test_a_total_adds_up_the_queues(answer: Json) -> None:
    (total,) = answer("kpis", "--split", "total")
    assert "queue" not in total
    assert total["offered"] == sum(result["offered"] for result in answer("kpis"))


def test_repeats_are_counted_in_the_window_and_of_the_topic_asked_for(answer: Json) -> None:
    (day,) = answer("kpis", "--split", "total")
    (month,) = answer("kpis", "--split", "total", "--repeat-days", "30")
    (same,) = answer("kpis", "--split", "total", "--repeat-days", "30", "--same-topic")
    assert 0 < day["repeat_contacts"] <= month["repeat_contacts"]
    # The sample is of three days: after thirty, nothing has passed.
    assert (day["first_contact_mature"] > 0, month["first_contact_mature"]) == (True, 0)
    assert month["first_contact_resolution_ratio"] is None
    # A queue_log has no topics: all are of the one that nobody told.
    assert same == month


def test_a_time_without_offset_is_of_the_queues_timezone(processed: Path, tmp_path: Path) -> None:
    (tmp_path / "switchboard.toml").write_text("[queues.default]\ntimezone = 'America/New_York'\n")
    asked = ("kpis", "--queue", "sales", "--to", "2026-03-02T12:00", "--data", processed)
    meant = "2026-03-02T17:00:00Z"
    local = switchboard(*asked, "--from", "2026-03-02T07:00", "--format", "json", cwd=tmp_path)
    utc = switchboard(
        *asked, "--from", "2026-03-02T12:00Z", "--to", meant, "--format", "json", cwd=tmp_path
    )
    assert local.returncode == 0, local.stderr
    assert local.stdout == utc.stdout
    assert meant in local.stdout
    assert "switchboard migrate" in local.stderr  # the store was made with another timezone


@pytest.mark.parametrize(
    "question",
    [(), ("--interval", "1h"), ("--split", "queue,channel,direction"), ("--split", "total")],
    ids=" ".join,
)
@pytest.mark.parametrize("width", [WIDTH, 60, 160])
def test_tables_are_never_wider_than_the_terminal(
    processed_once: Path, tmp_path: Path, question: tuple[str, ...], width: int
) -> None:
    done = switchboard(
        "kpis", *question, "--data", processed_once, cwd=tmp_path, settings={"COLUMNS": str(width)}
    )
    assert done.returncode == 0, done.stderr
    tables = [line for line in done.stdout.splitlines() if "  " in line.strip()]
    assert tables
    assert max(map(len, tables)) <= width
    assert "…" not in done.stdout


def test_a_queue_that_never_was_is_told_from_one_that_was_quiet(
    processed_once: Path, answer: Json, tmp_path: Path
) -> None:
    assert answer("kpis", "--queue", "sales", "--from", "2030-01-01") == []
    done = switchboard("kpis", "--queue", "sale", "--data", processed_once, cwd=tmp_path)
    assert done.returncode == 1
    assert all(queue in done.stderr for queue in QUEUES)


def test_nothing_stored_says_how_to_begin(tmp_path: Path) -> None:
    done = switchboard("kpis", "--data", "nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert "switchboard process" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bad_interval_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    done = switchboard("kpis", "--interval", "7m", "--data", "nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert "7m" in done.stderr


@pytest.mark.parametrize("kpi_id", ["abandonment_ratio", "service_level_ratio.offered"])
def test_a_kpi_is_explained(tmp_path: Path, kpi_id: str) -> None:
    done = switchboard("kpis", "explain", kpi_id, cwd=tmp_path)
    text = " ".join(done.stdout.split())
    for part in (KPIS[kpi_id].explanation, KPIS[kpi_id].pitfalls, *KPIS[kpi_id].events):
        assert part in text


def test_the_contacts_behind_a_figure_are_listed(answer: Json) -> None:
    (found,) = answer("kpis", "--queue", "sales")
    behind = answer("kpis", "--queue", "sales", "--contacts", "abandoned")
    assert len(behind) == found["abandoned"] > 0
    assert {contact["dimensions"]["queue"] for contact in behind} == {"sales"}
    assert len({contact["interaction_id"] for contact in behind}) == len(behind)


def test_what_an_agent_did_is_listed_by_contact_and_by_state(answer: Json) -> None:
    agents = answer("kpis", "--split", "agent")
    (ada, *_) = [one for one in agents if one.get("agent_handled") and one["agent_paused_seconds"]]
    only = ("--only", f"agent={ada['agent']}")
    handled = answer("kpis", *only, "--contacts", "agent_handled")
    assert len(handled) == ada["agent_handled"]
    assert {one["dimensions"]["agent"] for one in handled} == {ada["agent"]}
    paused = answer("kpis", *only, "--contacts", "agent_paused_seconds")
    assert {one["interaction_id"] for one in paused} == {""}
    seconds = sum(one["adds"]["state_paused_ms"] for one in paused) / 1000
    assert seconds == ada["agent_paused_seconds"]


def test_agents_hours_and_windows_are_told_apart(answer: Json) -> None:
    (total,) = answer("kpis", "--split", "total")
    by_hour = answer("kpis", "--split", "hour", "--channel", "call")
    assert sum(found["offered"] for found in by_hour) == total["offered"]
    agents = answer("kpis", "--split", "agent")
    assert sum(found.get("agent_answered") or 0 for found in agents) > 0
    windows = answer("kpis", "--rolling", "1h", "--interval", "30m", "--split", "total")
    assert sum(found["offered"] for found in windows) == 2 * total["offered"]


def test_a_choice_that_is_none_is_refused(tmp_path: Path) -> None:
    done = switchboard("kpis", "--only", "mood=good", "--data", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "NAME=VALUE" in done.stderr
