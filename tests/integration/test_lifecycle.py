"""Workers as processes: stopped, killed, frozen and left alone; what is stored does not change."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import FOLDED_TOPICS, SOURCE_TOPICS
from sinks.store import Store
from streams.parts import migrate_all
from tests.integration.conftest import Run, Sent, publish_now, sample_records, wait_for
from tests.integration.test_pipeline import tables
from tests.support.clickhouse import ClickHouseServer, unused_database
from tests.support.clickhouse_http import Fault
from tests.support.worker import WorkerProcess, stopped

LINES = 200
PARTITIONS = 2
SOURCES = len(FOLDED_TOPICS)
SESSION_SECONDS = 6.0
LONG_SESSION_SECONDS = 20.0
"""Half of it is what a last checkpoint may take. Longer ones cost: after one worker left, the
embedded broker takes twice as long to let the next one in."""

on_one_broker = pytest.mark.parametrize("broker", ["tansu"], indirect=True)
"""For what does not depend on the kind of broker."""


@dataclass
class Workplace:
    """Fresh topics, a database, and the workers started on them."""

    run: Run
    server: ClickHouseServer
    directory: Path
    stack: ExitStack
    store: Store
    started: list[WorkerProcess] = field(default_factory=list)

    def start(self, **settings: str) -> WorkerProcess:
        """One more worker, in the one group."""
        chosen = {
            "BROKER__URL": self.run.bootstrap,
            "BROKER__GROUP": self.store.database,
            "BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            "CLICKHOUSE__URL": self.server.url,
            "CLICKHOUSE__DATABASE": self.store.database,
            "PROCESSING__LATENESS_SECONDS": str(30 * 86_400),
            "PROCESSING__FLUSH_SECONDS": "0.2",
            **settings,
        }
        directory = self.directory / f"worker-{len(self.started)}"
        worker = self.stack.enter_context(WorkerProcess(directory, chosen))
        self.started.append(worker)
        return worker

    def publish(self, records: list[Sent]) -> None:
        """Publish to the topics, acknowledged."""
        publish_now(self.run.bootstrap, records)

    def stored(self) -> int:
        """Events that are stored, each counted once."""
        return int(self.store.query("SELECT count() AS n FROM events FINAL")[0]["n"])

    def wait_stored(self, events: int) -> None:
        """Wait until so many events are stored."""
        wait_for(lambda: self.stored() >= events, f"{events} events to be stored")


def handed_over(worker: WorkerProcess) -> float:
    """Events in the blocks that a worker has filled: stored, or on their way."""
    return worker.metric("switchboard_events_total", outcome="stored")


def covered(worker: WorkerProcess) -> float:
    """Events that stored checkpoints vouch for, on topics that were made anew."""
    offset = "switchboard_checkpoint_offset_records"
    return sum(worker.metric(offset, topic=topic) for topic in SOURCE_TOPICS)


@pytest.fixture(scope="module")
def records() -> list[Sent]:
    """Events of the sample's first lines."""
    return sample_records(LINES)


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """What a run without any trouble stores; computed once."""
    return {}


@pytest.fixture
def place(run: Run, server: ClickHouseServer, tmp_path: Path) -> Iterator[Workplace]:
    """A workplace whose workers are gone afterwards."""
    with ExitStack() as stack:
        store = stack.enter_context(server.open(unused_database()))
        settings = run.settings(PARTITIONS)
        migrate_all(store, settings)
        run.remake_topics(settings)
        yield Workplace(run, server, tmp_path / "workers", stack, store)
        server.clear()
        stack.close()


@pytest.fixture
def expected(
    place: Workplace,
    server: ClickHouseServer,
    records: list[Sent],
    reference: dict[str, Any],
) -> dict[str, Any]:
    """The tables of all records, as one worker in peace stores them."""
    if not reference:
        with server.open(unused_database()) as store:
            place.run.over(records, store, partitions=PARTITIONS)
            reference.update(tables(store))
        place.run.remake_topics(place.run.settings(PARTITIONS))
    return reference


def test_a_worker_told_to_stop_checkpoints_and_the_next_one_goes_on_there(
    place: Workplace, records: list[Sent], expected: dict[str, Any]
) -> None:
    half = len(records) // 2
    # No checkpoint but the last one.
    first = place.start(
        PROCESSING__CHECKPOINT_SECONDS="3600",
        BROKER__SESSION_TIMEOUT_SECONDS=str(LONG_SESSION_SECONDS),
    )
    place.publish(records[:half])
    place.wait_stored(half)
    assert first.terminated(within_seconds=LONG_SESSION_SECONDS + 4) == 0, first.said

    second = place.start()
    place.publish(records[half:])
    second.wait_ready()
    place.wait_stored(len(records))

    def rows() -> float:
        return second.metric("switchboard_sink_rows_total", table="events")

    # Rows can be read a moment before they are counted.
    wait_for(lambda: rows() >= handed_over(second), "the rows to be counted")
    assert rows() == len(records) - half
    assert second.terminated() == 0, second.said
    assert tables(place.store) == expected


def test_another_worker_takes_over_from_one_that_was_killed(
    place: Workplace, records: list[Sent], expected: dict[str, Any]
) -> None:
    half = len(records) // 2
    one, other = place.start(), place.start()
    total = SOURCES * PARTITIONS
    wait_for(lambda: (one.partitions, other.partitions) == (total // 2, total // 2), "half each")
    place.publish(records[:half])
    place.wait_stored(half // 2)
    one.send(signal.SIGKILL)
    assert one.ended() == -signal.SIGKILL
    place.publish(records[half:])
    wait_for(lambda: other.partitions == total, "the other to have all partitions")
    place.wait_stored(len(records))
    wait_for(lambda: other.get("/readyz")[0] == 200, "the other to be ready")
    assert other.terminated() == 0, other.said
    assert tables(place.store) == expected


def test_a_worker_that_slept_through_its_session_changes_nothing_when_it_wakes(
    place: Workplace, records: list[Sent], expected: dict[str, Any]
) -> None:
    third = len(records) // 3
    one, other = place.start(), place.start()
    total = SOURCES * PARTITIONS
    wait_for(lambda: (one.partitions, other.partitions) == (total // 2, total // 2), "half each")
    place.publish(records[:third])
    place.wait_stored(third)
    place.publish(records[third : 2 * third])
    with stopped(one):
        wait_for(lambda: other.partitions == total, "the other to have all partitions")
        place.wait_stored(2 * third)
    wait_for(
        lambda: (one.partitions, other.partitions) == (total // 2, total // 2),
        "half each again",
    )
    place.publish(records[2 * third :])
    place.wait_stored(len(records))
    assert [one.terminated(), other.terminated()] == [0, 0], one.said + other.said
    assert tables(place.store) == expected


@on_one_broker
def test_a_worker_waits_for_clickhouse_and_says_so(
    place: Workplace, records: list[Sent], expected: dict[str, Any]
) -> None:
    place.publish(records)
    place.server.refuse()
    worker = place.start()
    worker.wait_for_words("waiting for ClickHouse")
    assert worker.get("/healthz") == (200, "ok")
    place.server.clear()
    worker.wait_ready()
    place.wait_stored(len(records))
    assert worker.terminated() == 0, worker.said
    assert tables(place.store) == expected


@on_one_broker
def test_a_worker_does_not_wait_for_clickhouse_when_it_is_told_to_stop(
    place: Workplace, records: list[Sent], expected: dict[str, Any]
) -> None:
    worker = place.start()
    worker.wait_ready()
    place.server.fault(Fault("delay", times=None, inserts=True, seconds=300))
    place.publish(records)
    wait_for(lambda: handed_over(worker) > 0, "a block to be on its way")
    began = time.monotonic()
    assert worker.terminated() == 0, worker.said
    assert time.monotonic() - began < SESSION_SECONDS + 15
    place.server.clear()

    # What the first one still stored may be all events, and nothing that comes of them.
    again = place.start(PROCESSING__CHECKPOINT_SECONDS="0.5")
    wait_for(lambda: covered(again) == len(records), "checkpoints of everything")
    assert again.terminated() == 0, again.said
    assert tables(place.store) == expected


@on_one_broker
def test_a_second_signal_ends_a_worker_at_once(place: Workplace, records: list[Sent]) -> None:
    worker = place.start(BROKER__SESSION_TIMEOUT_SECONDS=str(LONG_SESSION_SECONDS))
    worker.wait_ready()
    place.server.fault(Fault("delay", times=None, inserts=True, seconds=300))
    place.publish(records)
    wait_for(lambda: handed_over(worker) > 0, "a block to be on its way")
    worker.send(signal.SIGTERM)
    worker.wait_for_words("not assigned")
    # By the first signal alone it would wait for its block so long, and for its threads once more.
    assert worker.terminated(within_seconds=LONG_SESSION_SECONDS / 2) == 130, worker.said


@on_one_broker
def test_a_worker_without_its_topics_says_how_they_are_made(
    place: Workplace, records: list[Sent]
) -> None:
    place.run.delete_topics()
    worker = place.start()
    assert worker.ended() == 1
    assert "switchboard topics create" in worker.said
    assert "Traceback" not in worker.said


@pytest.fixture(autouse=True)
def _said(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show what the workers said where a test fails."""
    yield
    place: Workplace | None = request.node.funcargs.get("place")
    for number, worker in enumerate(place.started if place else ()):
        sys.stdout.write(f"--- worker {number}\n{worker.said}\n")
