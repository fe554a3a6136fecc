"""ClickHouse away for longer than a session lasts, and logs with gaps of their own."""

import asyncio
import subprocess
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer
from faust.types import TP

from schemas.topics import EVENTS_CALL
from sinks.errors import StoreMisconfigured
from sinks.metrics import Metrics
from sinks.store import Store
from streams.app import Pipeline
from streams.parts import migrate_all
from tests.integration.conftest import (
    DEADLINE_SECONDS,
    Run,
    Sent,
    publish,
    publish_now,
    sample_records,
    wait_for,
)
from tests.integration.test_lifecycle import SESSION_SECONDS, Workplace, on_one_broker, place
from tests.support.worker import WorkerProcess

__all__ = ["place"]

MEBIBYTE = 1 << 20
BACKLOG_BYTES = 64 * MEBIBYTE
RECORD_BYTES = 128 << 10
BUFFER_BYTES = 4 * MEBIBYTE
BOUND_BYTES = 40 * MEBIBYTE
"""The buffer; eight chunks of 1 MiB in Faust and one a partition in aiokafka, both at once as they
are handed on; and what an allocator does not give back. Much of the backlog would be more."""


def resident_bytes(worker: WorkerProcess) -> int:
    said = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(worker.process.pid)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(said.stdout) * 1024


@on_one_broker
def test_an_outage_longer_than_a_session_costs_neither_membership_nor_memory(
    place: Workplace,
) -> None:
    worker = place.start(PROCESSING__BUFFER_BYTES=str(BUFFER_BYTES))
    worker.wait_ready()
    place.publish(sample_records(40))
    place.wait_stored(1)
    recoveries = worker.said.count("continues at")
    before = resident_bytes(worker)

    place.server.refuse()
    junk = bytes(RECORD_BYTES)  # becomes dead letters, which hold it
    count = BACKLOG_BYTES // RECORD_BYTES
    publish_now(place.run.bootstrap, [Sent(EVENTS_CALL, b"k", junk, 0) for _ in range(count)])
    worker.wait_for_words("waiting for ClickHouse")
    waited = "switchboard_sink_waiting_seconds"
    peak = before
    while worker.metric(waited) < SESSION_SECONDS + 3:
        peak = max(peak, resident_bytes(worker))
    assert peak - before < BOUND_BYTES
    assert worker.said.count("continues at") == recoveries

    place.server.clear()
    wait_for(lambda: dead_letters(place.store) == count, "the backlog to be stored")
    worker.wait_ready()
    assert worker.said.count("continues at") == recoveries
    assert worker.terminated() == 0, worker.said


def test_a_one_shot_run_fails_on_what_only_a_person_can_mend(
    run: Run, new_store: Callable[[], Store]
) -> None:
    store, settings = new_store(), run.settings(partitions=2)
    migrate_all(store, settings)
    run.remake_topics(settings)
    store.command("DROP TABLE kpi_panes")

    async def test() -> None:
        ends = await publish(run.bootstrap, sample_records(40))
        with pytest.raises(StoreMisconfigured, match="switchboard migrate"):
            await Pipeline(settings, run.bootstrap, store, Metrics()).run_until(ends)

    asyncio.run(asyncio.wait_for(test(), DEADLINE_SECONDS))


def dead_letters(store: Store) -> int:
    return int(store.query("SELECT count() AS n FROM dead_letters FINAL")[0]["n"])


@pytest.mark.parametrize(
    "broker", [pytest.param("apache-kafka", marks=pytest.mark.kafka)], indirect=True
)
def test_markers_of_transactions_are_passed_over_and_aborted_records_are_not_read(
    run: Run, new_store: Callable[[], Store]
) -> None:
    records = [r for r in sample_records(60) if r.topic == EVENTS_CALL][:9]
    store = new_store()
    settings = run.settings(partitions=1, stall_seconds=2)
    migrate_all(store, settings)
    run.remake_topics(settings)

    async def test() -> None:
        end = await _transactions(run.bootstrap, records)
        pipeline = Pipeline(settings, run.bootstrap, store, Metrics())
        await asyncio.wait_for(pipeline.run_until({TP(EVENTS_CALL, 0): end}), 60)

    asyncio.run(test())
    rows = store.query("SELECT source_offset FROM events FINAL ORDER BY source_offset")
    # Three records, a marker; three that were aborted, a marker; three records, a marker.
    assert [row["source_offset"] for row in rows] == [0, 1, 2, 8, 9, 10]


async def _transactions(bootstrap: str, records: list[Sent]) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="test")
    await producer.start()
    try:
        for number in range(3):
            await producer.begin_transaction()
            for r in records[3 * number : 3 * number + 3]:
                last = await producer.send_and_wait(r.topic, r.value, r.key, 0)
            await (producer.abort_transaction if number == 1 else producer.commit_transaction)()
    finally:
        await producer.stop()
    return int(last.offset) + 1
