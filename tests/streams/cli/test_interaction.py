"""`switchboard interaction` shows one contact whole, and says what to do without one."""

from pathlib import Path

import pytest

from tests.streams.cli.conftest import Json
from tests.support.command_line import switchboard


@pytest.fixture(scope="module")
def transferred(sample: Path) -> str:
    """A call of the sample that was passed on."""
    lines = (line.split("|") for line in sample.read_text().splitlines())
    return next(fields[1] for fields in lines if fields[4] == "BLINDTRANSFER")


def test_json_has_facts_visits_and_events_in_order(answer: Json, transferred: str) -> None:
    found = answer("interaction", transferred)
    assert found["interaction_id"] == transferred
    assert found["channel"] == "call"
    assert found["visits"][0]["outcome"] == "answered"
    assert found["visits"][0]["transfer"] == "blind"
    times = [event["occurred_at"] for event in found["events"]]
    assert times == sorted(times)
    assert times[0] == found["started_at"]
    assert found["events"][0]["type"] == "interaction.started"
    assert found["talk_seconds"] == sum(v["talk_seconds"] or 0 for v in found["visits"])
    assert not [name for name in found if name.endswith("_ms")]


def test_the_timeline_is_readable(processed_once: Path, tmp_path: Path, transferred: str) -> None:
    done = switchboard("interaction", transferred, "--data", processed_once, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert transferred in lines[0]
    assert " 0:00  interaction.started" in done.stdout
    assert "transfer.completed" in done.stdout
    assert max(map(len, lines)) <= 80


def test_one_that_is_not_there_is_answered_with_some_that_are(
    processed_once: Path, tmp_path: Path, transferred: str
) -> None:
    part = transferred.partition(".")[0]
    done = switchboard("interaction", part, "--data", processed_once, cwd=tmp_path)
    assert done.returncode == 1
    assert transferred in done.stderr
