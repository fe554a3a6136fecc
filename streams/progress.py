"""How far the worker is: counts for Prometheus. No I/O."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from faust.types import TP

from sinks.metrics import Metrics


class Progress:
    """Turns what happened into metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._checkpointed_at: dict[TP, float] = {}

    @contextmanager
    def cpu_of(self, stage: str) -> Iterator[None]:
        """Count the processor time that this thread spends inside as that of `stage`."""
        began = time.thread_time()
        try:
            yield
        finally:
            self._metrics.stage_cpu.labels(stage).inc(time.thread_time() - began)

    def assigned(self, positions: Mapping[TP, int]) -> None:
        """Partitions were recovered, and begin at their checkpoints."""
        self.checkpointed(positions)

    def revoked(self, partitions: frozenset[TP]) -> None:
        """Partitions belong to somebody else now."""
        for tp in partitions:
            if self._checkpointed_at.pop(tp, None) is not None:
                self._metrics.checkpoint_age.remove(tp.topic, str(tp.partition))
                self._metrics.checkpoint_offset.remove(tp.topic, str(tp.partition))

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
                case _:
                    raise ValueError(f"the fold counts {what!r}, which no metric shows")

    def gap(self, tp: TP) -> None:
        """The log has no records at some offsets."""
        self._metrics.offset_gaps.labels(tp.topic, str(tp.partition)).inc()
