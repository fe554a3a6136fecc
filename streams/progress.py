"""How far the worker is, as metrics. Touches nothing but them, and reads the clock."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from faust.types import TP

from schemas.encoded import sample
from schemas.rows import EventRow
from sinks.metrics import Metrics

MAX_SOURCES: Final = 100
OTHER: Final = "other"
"""Label of the sources beyond `MAX_SOURCES`: whoever sends events must not fill the registry."""
SAMPLES: Final = 200
"""Events of a block whose lag is observed."""


class Progress:
    """Turns what happened into metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._checkpointed_at: dict[TP, float] = {}
        self._lagging: set[TP] = set()
        self._latest: dict[str, int] = {}

    @contextmanager
    def cpu_of(self, stage: str) -> Iterator[None]:
        """Count the processor time that this thread spends inside as that of `stage`."""
        began = time.thread_time()
        try:
            yield
        finally:
            self._metrics.stage_cpu.labels(stage).inc(time.thread_time() - began)

    def assigned(self, positions: Mapping[TP, int]) -> None:
        """These partitions, and no others, were recovered, and begin at their checkpoints."""
        for tp in self._checkpointed_at.keys() - positions.keys():
            del self._checkpointed_at[tp]
            self._metrics.checkpoint_age.remove(tp.topic, str(tp.partition))
            self._metrics.checkpoint_offset.remove(tp.topic, str(tp.partition))
        self.checkpointed(positions)

    def checkpointed(self, positions: Mapping[TP, int]) -> None:
        """Checkpoints are stored that cover everything before these offsets."""
        now = time.monotonic()
        for tp, offset in positions.items():
            self._metrics.checkpoint_offset.labels(tp.topic, str(tp.partition)).set(offset)
            if tp not in self._checkpointed_at:
                gauge = self._metrics.checkpoint_age.labels(tp.topic, str(tp.partition))
                gauge.set_function(partial(self._age, tp))
            self._checkpointed_at[tp] = now

    def _age(self, tp: TP) -> float:
        return time.monotonic() - self._checkpointed_at.get(tp, time.monotonic())

    def lag(self, positions: Mapping[TP, int], ends: Mapping[TP, int]) -> None:
        """Positions of the partitions held, and the ends of their logs as far as they are known."""
        known = positions.keys() & ends.keys()
        for tp in known:
            gauge = self._metrics.consumer_lag.labels(tp.topic, str(tp.partition))
            gauge.set(max(0, ends[tp] - positions[tp]))
        for tp in self._lagging - known:
            self._metrics.consumer_lag.remove(tp.topic, str(tp.partition))
        self._lagging = set(known)

    def counted(self, tp: TP, counts: Counter[tuple[str, str]]) -> None:
        """A fold counted these since the last time."""
        metrics = self._metrics
        for (what, which), n in counts.items():
            match what:
                case "event":
                    metrics.events.labels(tp.topic, which).inc(n)
                case "repeated":
                    metrics.events.labels(tp.topic, "repeated").inc(n)
                case "late":
                    metrics.late_events.labels(tp.topic).inc(n)
                case "skewed":
                    metrics.clock_skew.labels(tp.topic).inc(n)
                case "dead_letter":
                    metrics.dead_letters.labels(which).inc(n)
                case "quarantined":
                    metrics.identity_quarantined.labels(which).inc(n)
                case _:
                    raise ValueError(f"the fold counts {what!r}, which no metric shows")

    def stored(self, events: Sequence[tuple[Any, ...]], latest: Mapping[str, int]) -> None:
        """Rows of `EventRow` were stored just now; by source, the latest time they say (ms)."""
        now = time.time()
        step = max(1, len(events) // SAMPLES)
        topics = sample(EventRow, events, "topic", step)
        times = sample(EventRow, events, "occurred_at", step)
        for topic, at in zip(topics, times, strict=True):
            self._metrics.event_lag.labels(topic).observe(now - at / 1000)
        for source, at in latest.items():
            known = source in self._latest or len(self._latest) < MAX_SOURCES
            label = source if known else OTHER
            if at > self._latest.get(label, -1):
                self._latest[label] = at
                self._metrics.feed_last_event.labels(label).set(at / 1000)

    def unknown_fields(self, counts: Mapping[str, int]) -> None:
        """Sources, and the number of their fields that the contract does not know."""
        for source, n in counts.items():
            label = source if source in self._latest or len(self._latest) < MAX_SOURCES else OTHER
            self._metrics.unknown_fields.labels(label).set(n)

    def gap(self, tp: TP) -> None:
        """The log has no records at some offsets."""
        self._metrics.offset_gaps.labels(tp.topic, str(tp.partition)).inc()
