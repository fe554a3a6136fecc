"""What the worker counts, read back from the registry."""

import time
from collections import Counter
from typing import Any

import pytest
from faust.types import TP

from schemas.rows import EventRow
from schemas.topics import EVENTS_CALL
from sinks.metrics import Metrics
from streams.progress import MAX_SOURCES, OTHER, SAMPLES, Progress

A, B = TP(EVENTS_CALL, 0), TP(EVENTS_CALL, 1)


def row(source: str, occurred_at: float) -> tuple[Any, ...]:
    given = {"source": source, "occurred_at": round(occurred_at * 1000), "topic": EVENTS_CALL}
    return tuple(given.get(name, "") for name in EventRow.columns())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"switchboard_{name}", labels)


def test_lag_is_known_where_the_end_is_and_goes_with_the_partition() -> None:
    metrics = Metrics()
    progress = Progress(metrics)
    progress.lag({A: 3, B: 9}, {A: 10, B: 7})
    labels = {"topic": EVENTS_CALL}
    assert value(metrics, "consumer_lag_records", partition="0", **labels) == 7
    assert value(metrics, "consumer_lag_records", partition="1", **labels) == 0
    progress.lag({A: 4}, {A: 10, B: 7})
    assert value(metrics, "consumer_lag_records", partition="0", **labels) == 6
    assert value(metrics, "consumer_lag_records", partition="1", **labels) is None


def test_partitions_that_went_are_shown_no_more() -> None:
    metrics = Metrics()
    progress = Progress(metrics)
    progress.assigned({A: 3, B: 4})
    progress.assigned({B: 5})
    labels = {"topic": EVENTS_CALL}
    assert value(metrics, "checkpoint_offset_records", partition="0", **labels) is None
    assert value(metrics, "checkpoint_age_seconds", partition="0", **labels) is None
    assert value(metrics, "checkpoint_offset_records", partition="1", **labels) == 5
    age = value(metrics, "checkpoint_age_seconds", partition="1", **labels)
    assert age is not None
    assert 0 <= age < 60


def test_the_newest_event_of_each_source_is_shown_and_sources_without_end_are_not() -> None:
    metrics = Metrics()
    progress = Progress(metrics)
    progress.stored([], {"pbx": 300_000})
    name = "feed_last_event_timestamp_seconds"
    assert value(metrics, name, source="pbx") == 300
    progress.stored([], {"pbx": 250_000})
    assert value(metrics, name, source="pbx") == 300
    progress.stored([], {f"source-{n}": 1_000_000 + 1_000 * n for n in range(2 * MAX_SOURCES)})
    shown = [s for m in metrics.feed_last_event.collect() for s in m.samples]
    assert len(shown) == MAX_SOURCES + 1
    assert value(metrics, name, source=OTHER) == 1_000 + 2 * MAX_SOURCES - 1


def test_event_lag_is_that_of_a_sample() -> None:
    metrics = Metrics()
    progress = Progress(metrics)
    now = time.time()
    progress.stored([row("pbx", now - 20.0)] * 10_000, {})
    count = value(metrics, "event_lag_seconds_count", topic=EVENTS_CALL)
    total = value(metrics, "event_lag_seconds_sum", topic=EVENTS_CALL)
    assert count is not None
    assert total is not None
    assert count == SAMPLES
    assert 19 < total / count < 80


def test_what_folds_count_has_a_metric_each_and_nothing_is_dropped() -> None:
    metrics = Metrics()
    progress = Progress(metrics)
    counts = {("event", "stored"): 5, ("late", "applied"): 2, ("skewed", "pbx"): 1}
    progress.counted(A, Counter(counts | {("dead_letter", "empty"): 3, ("repeated", ""): 4}))
    progress.counted(A, Counter({("quarantined", "too_large"): 2}))
    assert value(metrics, "identity_quarantined_total", reason="too_large") == 2
    assert value(metrics, "events_total", topic=EVENTS_CALL, outcome="stored") == 5
    assert value(metrics, "events_total", topic=EVENTS_CALL, outcome="repeated") == 4
    assert value(metrics, "late_events_total", topic=EVENTS_CALL) == 2
    assert value(metrics, "clock_skew_total", topic=EVENTS_CALL) == 1
    assert value(metrics, "dead_letters_total", reason="empty") == 3
    with pytest.raises(ValueError, match="no metric shows"):
        progress.counted(A, Counter({("surprise", ""): 1}))
