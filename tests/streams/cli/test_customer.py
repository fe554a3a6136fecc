"""`switchboard customer` and `switchboard forget` as people run them."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import stored, switchboard


def test_nobody_that_is_unknown_can_be_explained_or_forgotten(
    processed: Path, tmp_path: Path
) -> None:
    for command in (("customer", "why"), ("forget",)):
        done = switchboard(*command, "nobody@example.org", "--data", processed, cwd=tmp_path)
        assert done.returncode == 1
        assert "nobody@example.org" in done.stderr


def test_what_stands_for_nobody_erases_nobody(processed: Path, tmp_path: Path) -> None:
    before = stored(processed)
    done = switchboard("forget", "withheld", "--yes", "--data", processed, cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing is stored of withheld" in done.stderr
    assert stored(processed) == before


def test_where_nothing_is_kept_apart_nothing_is_listed(processed: Path, tmp_path: Path) -> None:
    done = switchboard("customer", "quarantine", "--data", processed, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "Nothing is quarantined.\n")


@pytest.mark.parametrize("command", ["link", "unlink"])
def test_two_of_the_same_are_no_pair(command: str, tmp_path: Path) -> None:
    same = ("+49 30 123456", "+4930123456")
    done = switchboard("customer", command, *same, "--broker", "127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 2
    assert "two different identifiers" in done.stderr


def test_forgetting_a_caller_leaves_the_numbers_and_nothing_of_them(
    processed: Path, tmp_path: Path
) -> None:
    before = stored(processed)
    caller = _a_caller(before)
    arguments = ("forget", caller, "--data", processed, "--format", "json")
    plan = switchboard(*arguments, "--dry-run", cwd=tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert json.loads(plan.stdout)["rows"]["events"] > 0
    assert stored(processed) == before

    done = switchboard(*arguments, "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["nothing_left"]
    assert report["deleted"]["events"] > 0
    after = stored(processed)
    assert caller not in json.dumps({k: v for k, v in after.items() if k != "checkpoints"})
    assert after["kpi_panes"] == before["kpi_panes"]
    assert after["agent_panes"] == before["agent_panes"]
    assert len(after["erasures"]) == 1

    again = switchboard(*arguments, "--yes", cwd=tmp_path)
    assert again.returncode == 1
    assert "nothing is stored" in again.stderr


def _a_caller(tables: dict[str, list[str]]) -> str:
    """A phone number of the sample that some contact showed."""
    row = next(row for row in tables["interactions"] if "'phone:" in row)
    return row.partition("'phone:")[2].partition("'")[0]
