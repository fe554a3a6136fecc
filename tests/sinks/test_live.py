"""What the wallboard is told, from rows of the engine."""

import json
from datetime import datetime

from schemas.live import QueueBreachRow, QueueLiveRow
from sinks.kpis.views import views
from sinks.live import queues_now
from sinks.migrate import migrate
from sinks.store import Store
from tests.support.rows import NOON, row


def test_queues_with_what_is_open_worst_first(store: Store) -> None:
    migrate(store, views=views())
    windows = {
        "windows": ["15m", "day"],
        "service_level": [0.5, None],
        "abandonment": [0.1, None],
        "offered": [4, 9],
    }
    store.insert(
        QueueLiveRow,
        [
            row(QueueLiveRow, queue="support", at=NOON, waiting=3, target_ms=20_000, **windows),
            row(QueueLiveRow, queue="sales", at=NOON, current=1),
            row(QueueLiveRow, queue="", agents_available=5),
            row(QueueLiveRow, tenant="other", queue="support"),
        ],
    )
    breach = {"queue": "support", "kpi": "waiting", "opened_at": NOON, "value": 12.0}
    store.insert(
        QueueBreachRow,
        [
            row(QueueBreachRow, **breach, breach_id="a", severity="warning"),
            row(QueueBreachRow, **breach, breach_id="b", severity="critical", threshold=10.0),
            row(QueueBreachRow, **breach, breach_id="c", severity="critical", closed_at=NOON),
        ],
    )
    sales, support = queues_now(store, "t")
    assert (sales["queue"], sales["current"], sales["alerts"]) == ("sales", 1, [])
    assert (support["waiting"], support["target_seconds"]) == (3, 20)
    assert support["service_level_ratio"] == {"15m": 0.5, "day": None}
    assert [alert["severity"] for alert in support["alerts"]] == ["critical", "warning"]
    assert support["alerts"][0]["threshold"] == 10
    told = json.loads(json.dumps([sales, support], default=datetime.isoformat))
    assert told[1]["at"] == "2025-06-15T15:06:40+00:00"
    assert queues_now(store, "nobody") == []
