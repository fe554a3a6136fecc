"""`switchboard doctor` finds what is wrong, says what to do, and always ends."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sinks.migrate import packaged_migrations
from streams.cli.checks import Finding, Status, examined, ok
from streams.cli.options import NothingFound
from streams.embedded import EmbeddedBroker
from tests.support.command_line import switchboard

PATIENTLY = ("--timeout", "60")
"""Where all must be well: how fast the machine is does not matter."""


def examine(cwd: Path, *arguments: str | Path, **settings: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the worst finding of each check."""
    done = switchboard("doctor", "--format", "json", *arguments, cwd=cwd, settings=settings)
    worst = ["ok", "warning", "problem"].index
    found = sorted(json.loads(done.stdout), key=lambda finding: worst(finding["status"]))
    return done.returncode, {finding["check"]: finding for finding in found}


def test_a_fresh_machine_is_well(tmp_path: Path) -> None:
    code, found = examine(tmp_path, *PATIENTLY)
    assert code == 0
    assert {finding["status"] for finding in found.values()} == {"ok"}
    assert {"configuration", "data directory", "disk", "open files", "ClickHouse",
            "embedded engine", "embedded broker", "clock"} <= set(found)  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_processed_directory_is_well(processed: Path, tmp_path: Path) -> None:
    code, found = examine(tmp_path, *PATIENTLY, "--data", processed)
    assert code == 0
    assert {finding["status"] for finding in found.values()} == {"ok"}
    assert packaged_migrations()[-1].name in found["migrations"]["found"]
    assert "source partitions" in found["checkpoints"]["found"]


def test_settings_not_taken_over_are_a_warning(processed: Path, tmp_path: Path) -> None:
    (tmp_path / "switchboard.toml").write_text("[queues.sales]\ntarget_seconds = 30\n")
    code, found = examine(tmp_path, *PATIENTLY, "--data", processed)
    assert code == 0
    assert found["queue settings"]["status"] == "warning"
    assert "switchboard migrate" in found["queue settings"]["advice"]


def test_a_bad_configuration_is_a_problem_for_each_key(tmp_path: Path) -> None:
    (tmp_path / "switchboard.toml").write_text("tenent = 'x'\n[broker]\npartitions = 0\n")
    done = switchboard("doctor", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("problem") == 2
    assert "tenent" in done.stdout
    assert "broker.partitions" in done.stdout


def test_missing_topics_are_a_problem_until_they_are_made(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    url = {"SWITCHBOARD_BROKER__URL": embedded_broker.bootstrap}
    code, found = examine(tmp_path, *PATIENTLY, **url)
    assert code == 1
    assert found["topics"]["status"] == "problem"
    assert found["topics"]["advice"] == "switchboard topics create"
    switchboard("topics", "create", cwd=tmp_path, settings=url)
    code, found = examine(tmp_path, *PATIENTLY, **url)
    assert code == 0
    assert found["topics"]["status"] == "ok"
    assert found["broker"]["status"] == "ok"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_it_ends_though_servers_do_not_answer(tmp_path: Path, silent_port: int) -> None:
    started = time.monotonic()
    code, found = examine(
        tmp_path,
        "--timeout",
        "1",
        SWITCHBOARD_BROKER__URL=f"127.0.0.1:{silent_port}",
        SWITCHBOARD_CLICKHOUSE__URL=f"http://127.0.0.1:{silent_port}",
    )
    assert code == 1
    assert {found[check]["status"] for check in ("broker", "ClickHouse")} == {"problem"}
    assert all(found[check]["advice"] for check in ("broker", "ClickHouse"))
    assert time.monotonic() - started < 30


def test_the_embedded_broker_may_take_as_long_as_it_is_told(tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    code, found = examine(tmp_path, "--timeout", "1", CALF_TANSU_BIN=str(silent))
    assert code == 1
    assert found["embedded broker"]["status"] == "problem"
    assert "did not answer" in found["embedded broker"]["found"]
    assert "within 1 s" in found["embedded broker"]["found"]


def test_silence_beyond_the_deadline_is_a_problem_after_what_was_found() -> None:
    released = threading.Event()

    def hang() -> Iterator[Finding]:
        yield ok("first", "fine")
        released.wait()

    try:
        found = list(examined("slow", hang, "look", deadline_seconds=2.0))
    finally:
        released.set()
    assert found == [
        ok("first", "fine"),
        Finding("slow", Status.PROBLEM, "no answer within 2 s", "look"),
    ]


def test_a_foreseen_error_is_a_finding_and_a_bug_is_raised() -> None:
    def fail(error: Exception) -> Iterator[Finding]:
        raise error
        yield  # makes it a generator

    (finding,) = examined("x", lambda: fail(NothingFound("gone")), "look", 1.0)
    assert finding == Finding("x", Status.PROBLEM, "gone", "look")
    with pytest.raises(ZeroDivisionError):
        list(examined("x", lambda: fail(ZeroDivisionError()), "look", 1.0))
