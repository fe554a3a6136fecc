"""Metrics served over HTTP as a worker serves them, for a Prometheus of a test's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server


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
