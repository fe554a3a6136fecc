"""`switchboard simulate`: files, pace, faults, and a broker."""

import base64
import json
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from schemas.topics import SOURCE_TOPICS
from simulator.figures import queue_figures
from simulator.presets import PRESETS, small
from simulator.run import Run
from simulator.telling import SOURCE_OF, Encoded
from streams.broker_admin import PLAINTEXT, admin_client
from streams.cli.simulate import (
    RECORDS_AT_ONCE,
    TICK_SECONDS,
    Preset,
    Skewed,
    _batches,
    _Pace,
    line_of,
)
from streams.embedded import EmbeddedBroker
from tests.support.command_line import SWITCHBOARD, environment, switchboard

DEADLINE_SECONDS = 60.0


def simulated(tmp_path: Path, *arguments: str | Path) -> str:
    done = switchboard("simulate", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_file_holds_every_event_and_the_truth_what_happened(tmp_path: Path) -> None:
    simulated(tmp_path, "--seed", "5", "--output", "events.jsonl", "--truth", "truth.jsonl")
    run = Run(small(seed=5))
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    assert lines == [line_of(event) for event in run.deliveries()]
    first = json.loads(lines[0])
    assert first.keys() == {"topic", "key", "event"}
    assert first["event"]["subject"] == first["key"]
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").open()]
    assert truth == json.loads(json.dumps(list(run.truth.documents())))


def test_any_speed_gives_the_same_events(tmp_path: Path) -> None:
    simulated(tmp_path, "--output", "at-once")
    simulated(tmp_path, "--speed", "200000", "--output", "in-a-second")
    assert (tmp_path / "at-once").read_bytes() == (tmp_path / "in-a-second").read_bytes()
    as_log = "--seed", "5", "--format", "queue-log", "--output", "queue_log"
    simulated(tmp_path, "--speed", "200000", *as_log)
    lines = (tmp_path / "queue_log").read_text().splitlines()
    assert lines == list(Run(small(seed=5)).queue_log())


def test_faults_and_a_model_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "centre.toml").write_text(
        '[people]\nagents = 3\n[[queues]]\nname = "help"\ncontacts_a_day = 50\n'
    )
    arguments = "--model", "centre.toml", "--repeated", "1", "--malformed", "0.5", "--output", "f"
    simulated(tmp_path, *arguments)
    records = [json.loads(line) for line in (tmp_path / "f").open()]
    garbage = [record["bytes"] for record in records if "bytes" in record]
    assert b"<xml/>" in {base64.b64decode(text) for text in garbage}
    events = [r["event"] for r in records if r.get("event", {}).get("id", "1") != "1"]
    ids = Counter((event["source"], event["id"]) for event in events)
    assert set(ids.values()) == {2}
    entered = [event for event in events if event["type"] == "queue.entered"]
    assert {event["data"]["queue"] for event in entered} == {"help"}


def test_a_model_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "centre.toml").write_text('[[queues]]\nname = "a"\noverflow_to = "b"\n')
    done = switchboard("simulate", "--model", "centre.toml", "--output", "f", cwd=tmp_path)
    assert done.returncode == 2
    assert "centre.toml" in done.stderr
    assert "which is no queue" in done.stderr


def test_a_simulated_queue_log_is_processed_like_any_other(tmp_path: Path) -> None:
    simulated(tmp_path, "--seed", "5", "--format", "queue-log", "--output", "queue_log")
    for command in (
        ("process", "asterisk-queue-log", "queue_log"),
        ("kpis", "--format", "json"),
    ):
        done = switchboard(*command, "--data", "data", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    measured = {kpis["queue"]: kpis for kpis in json.loads(done.stdout)}
    run = Run(small(seed=5))
    for _ in run.events():
        pass
    truth = {q: f for (q, channel), f in queue_figures(run.truth).items() if channel == "call"}
    assert measured.keys() == truth.keys()
    for queue, figures in truth.items():
        found = measured[queue]
        for kpi in ("offered", "answered", "ended", "emptied", "open", "transferred_blind"):
            assert found[kpi] == figures[kpi], (queue, kpi)
        # Whole seconds: each end of a wait is cut off, so a wait is less than a second off.
        speed = figures["average_speed_of_answer_seconds"]
        assert found["average_speed_of_answer_seconds"] == pytest.approx(speed, abs=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_live_centre_is_closed_by_a_signal_and_leaves_its_truth(
    tmp_path: Path, number: signal.Signals
) -> None:
    output = tmp_path / "events.jsonl"
    command: list[str | Path] = [
        SWITCHBOARD,
        "simulate",
        "--live",
        "--output",
        output,
        "--truth",
        "truth.jsonl",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment())
    try:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not output.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(DEADLINE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").open()]
    assert sum(document["is"] == "staff" for document in truth) == 12


def test_a_broker_gets_every_event(tmp_path: Path, embedded_broker: EmbeddedBroker) -> None:
    where = "--broker", embedded_broker.bootstrap
    made = switchboard("topics", "create", *where, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    said = simulated(tmp_path, "--seed", "5", *where)
    expected = sum(1 for _ in Run(small(seed=5)).deliveries())
    assert f"{expected} events published" in said
    with admin_client(embedded_broker.bootstrap, PLAINTEXT, 15.0) as admin:
        found = admin.list_topics()
    assert set(SOURCE_TOPICS) <= set(found)


def test_without_a_broker_or_a_file_there_is_nowhere_to_go(tmp_path: Path) -> None:
    done = switchboard("simulate", cwd=tmp_path)
    assert done.returncode == 2
    assert "no broker is named" in done.stderr


def test_every_preset_and_source_can_be_asked_for() -> None:
    assert {preset.value for preset in Preset} == PRESETS.keys()
    assert {source.value for source in Skewed} == set(SOURCE_OF.values())


class Script(_Pace):
    """A pace whose clock moves only while somebody waits."""

    def __init__(self) -> None:
        super().__init__(1.0, None)
        self.now = 0.0

    def due_in(self, at_ms: int) -> float:
        return at_ms / 1000 - self.now


def test_what_is_due_goes_in_batches_and_nothing_goes_early() -> None:
    due = [0] * (RECORDS_AT_ONCE + 1) + [5, *range(100, 3_000, 90), 9_000]
    pace = Script()
    sent: list[int] = []
    for batch in _batches((Encoded(at, "t", "s", b"{}") for at in due), pace):
        if isinstance(batch, float):
            pace.now += batch
            continue
        assert len(batch) <= RECORDS_AT_ONCE
        # Nothing comes earlier than it happened, and nothing is kept waiting for others.
        assert max(event.due_at for event in batch) <= pace.now * 1000 + 1e-6
        assert min(event.due_at for event in batch) >= (pace.now - 2 * TICK_SECONDS) * 1000
        sent += [event.due_at for event in batch]
    assert sent == due
