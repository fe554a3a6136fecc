"""`switchboard process`: again changes nothing, killed loses and repeats nothing, golden values."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import SWITCHBOARD, environment, stored, switchboard

REAL = Path(__file__).parents[4] / "shared" / "data" / "asterisk_queue_log.txt"
DEADLINE_SECONDS = 60.0
IN_SMALL_BLOCKS = {"SWITCHBOARD_PROCESSING__FLUSH_ROWS": "50"}
"""So that a process can be killed between two blocks."""


def kpis(data: Path, *question: str) -> list[dict[str, Any]]:
    asked: tuple[str | Path, ...] = ("kpis", *question, "--format", "json", "--data", data)
    done = switchboard(*asked, cwd=data.parent)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_running_it_again_changes_nothing(processed: Path, sample: Path) -> None:
    before = stored(processed)
    assert len(before["events"]) > 2_000
    done = switchboard(
        "process", "asterisk-queue-log", sample, "--data", processed, cwd=processed.parent
    )
    assert done.returncode == 0, done.stderr
    assert "nothing new" in done.stdout
    assert stored(processed) == before


@pytest.mark.parametrize("table", ["kpi_panes", "checkpoints"])
def test_killed_on_the_way_and_run_again_it_gives_the_same(
    processed_once: Path, sample: Path, tmp_path: Path, table: str
) -> None:
    data = tmp_path / "data"
    command: list[str | Path] = [
        SWITCHBOARD,
        "process",
        "asterisk-queue-log",
        sample,
        "--data",
        data,
    ]
    parts = data / "clickhouse" / "data" / "switchboard" / table
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(IN_SMALL_BLOCKS),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_rows(parts, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not list((data / "bookmarks").glob("*"))  # it was killed before its end
    done = switchboard(*command[1:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "taken back" in done.stderr
    for question in ((), ("--interval", "30m")):
        assert kpis(data, *question) == kpis(processed_once, *question)


def wait_for_rows(parts: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a table has a part: rows were stored."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not list(parts.glob("*_*_*_*")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, f"no rows in {parts}"
        time.sleep(0.005)


def test_lines_that_cannot_be_read_are_reported_and_the_rest_goes_on(
    sample: Path, tmp_path: Path
) -> None:
    lines = sample.read_bytes().splitlines(keepends=True)[:40]
    log = tmp_path / "queue_log"
    log.write_bytes(b"".join([*lines[:20], b"not a line\n", *lines[20:]]))
    done = switchboard(
        "process", "asterisk-queue-log", log, "--data", "data", "--format", "json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["lines"], found["unreadable"]) == (41, 1)
    assert "queue_log:21" in done.stderr
    assert found["queues"]


@pytest.mark.shared
@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL.name} is not beside the project")
def test_the_real_log_gives_the_golden_values(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = switchboard("process", "asterisk-queue-log", REAL, "--data", data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (found,) = kpis(data, "--queue", "IT", "--target", "60", "--short", "30", "--interval", "all")
    counts = {
        "offered": 108,
        "answered": 93,
        "abandoned": 12,
        "timed_out": 1,
        "open": 2,
        "missed_rings": 360,
        "longest_wait_seconds": 300,
        "callers": 63,
        "repeat_callers": 24,
        "first_contact_mature": 36,
        "first_contact_without_repeat": 23,
        "first_contact_not_mature": 57,
    }
    assert {name: found[name] for name in counts} == counts
    assert {name: round(100 * v, 2) for name, v in found["service_level_ratio"].items()} == {
        "offered": 68.87,
        "answered_abandoned": 69.52,
        "short_abandons_removed": 70.87,
        "abandons_in_target_removed": 73.00,
        "answered_only": 78.49,
        "all_exits": 73.58,
        "asterisk_perf": 78.02,
        "asterisk_perf2": 73.79,
        "cisco_ignored": 72.28,
        "cisco_negative": 68.87,
        "cisco_positive": 73.58,
    }
    assert round(100 * found["abandonment_ratio"], 2) == 11.32
    assert round(found["average_speed_of_answer_seconds"], 2) == 38.70
    assert round(found["average_talk_seconds"], 2) == 262.78
    assert round(100 * found["first_contact_resolution_ratio"], 1) == 63.9
