"""Metrics served over HTTP as a worker serves them, for a Prometheus of a test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

from prometheus_client import CollectorRegistry, start_http_server

from schemas.live import AGENT_STATES, HORIZONS, QUANTILES, WINDOWS
from sinks.queue_metrics import QUEUE_METRICS, QueueCollector, Sample

LABELS = {
    "state": AGENT_STATES,
    "window": tuple(WINDOWS),
    "horizon": tuple(HORIZONS),
    "quantile": tuple(str(q) for q in QUANTILES),
    "preset": ("offered",),
    "kpi": ("waiting", "service_level_target"),
    "severity": ("warning", "critical", "target"),
    "outcome": ("offered", "answered", "service_level_met", "service_level_missed"),
}


@contextmanager
def exposition(registry: CollectorRegistry) -> Iterator[str]:
    """Serve a registry; gives `host:port`."""
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def queues(*samples: Sample) -> CollectorRegistry:
    """The metrics of these queues, as the worker that owns them exposes them."""
    registry = CollectorRegistry()
    registry.register(QueueCollector(lambda: samples))
    return registry


def full_sample(tenant: str, queue: str) -> Sample:
    """A queue of which everything is known."""
    values = {
        (name, labels): 1.0
        for name, (named, _) in QUEUE_METRICS.items()
        for labels in product(*(LABELS[label] for label in named))
    }
    return Sample(tenant, queue, values)
