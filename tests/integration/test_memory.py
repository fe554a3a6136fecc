"""What a worker has read goes when it was read: the collector looks seldom (`streams.garbage`)."""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

from sinks.metrics import Metrics
from sinks.store import Store
from streams.app import Pipeline
from streams.parts import migrate_all
from tests.integration.conftest import DEADLINE_SECONDS, Run, Sent, publish_now, sample_records

LINES = 1_000
PADDING = "x" * 20_000
"""In each event, so that few of them fill many fetches."""
LARGE = 100_000
"""Bytes; what a fetch holds has more, and little else has."""


def padded(record: Sent) -> Sent:
    """The same event, with a field that nobody knows."""
    event = json.loads(record.value or b"")
    event["data"]["padding"] = PADDING
    return replace(record, value=json.dumps(event).encode())


def test_what_was_fetched_goes_without_the_collector(
    run: Run, new_store: Callable[[], Store]
) -> None:
    records = [padded(record) for record in sample_records(LINES)]
    read = sum(len(record.value or b"") for record in records)
    settings, store = run.settings(partitions=2), new_store()
    migrate_all(store, settings)
    run.remake_topics(settings)
    ends = publish_now(run.bootstrap, records)
    del records

    async def process() -> None:
        pipeline = Pipeline(settings, run.bootstrap, store, Metrics())
        await asyncio.wait_for(pipeline.run_until(ends), DEADLINE_SECONDS)

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        asyncio.run(process())
        traces = tracemalloc.take_snapshot().traces
        held = sum(trace.size for trace in traces if trace.size > LARGE)
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held < read / 4  # the last ones go with the consumer, which is in cycles
