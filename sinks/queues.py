"""Reads what stage 2 knows of queues now, and open breaches. Touches the store it is given."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sinks.store import Store

_LIVE: Final = """
SELECT * EXCEPT (version, tenant), now64(3, 'UTC') AS asked_at
FROM queue_live FINAL
WHERE tenant = {tenant:String} AND queue != ''
ORDER BY queue
"""
_OPEN: Final = """
SELECT queue, kpi, severity, opened_at, value, threshold
FROM queue_breaches FINAL
WHERE tenant = {tenant:String} AND closed_at IS NULL
ORDER BY queue, opened_at
"""


@dataclass(frozen=True, slots=True)
class OpenBreach:
    """A breach that is not closed."""

    queue: str
    kpi: str
    severity: str
    opened_at: datetime
    value: float
    threshold: float


def live_queues(store: Store, tenant: str) -> list[dict[str, Any]]:
    """The rows of `queue_live` of every queue, by name, with `asked_at`, the store's time.

    Raises `StoreError`.
    """
    return store.query(_LIVE, {"tenant": tenant})


def open_breaches(store: Store, tenant: str) -> list[OpenBreach]:
    """The breaches that are open, by queue and age. Raises `StoreError`."""
    return [OpenBreach(**row) for row in store.query(_OPEN, {"tenant": tenant})]
