"""What queues are like now, as pages show it. Reads the store it is given."""

from typing import Any

from sinks.store import Store


def queues_now(store: Store, tenant: str) -> list[dict[str, Any]]:
    """The tenant's queues by name: columns of the view `queues_now`, and `alerts`.

    An alert has `kpi`, `severity`, `value`, `threshold` and `opened_at`, the worst first. Raises
    `sinks.errors.StoreError` from the store.
    """
    asked = {"tenant": tenant}
    queues = store.query(
        "SELECT * FROM queues_now WHERE tenant = {tenant:String} AND queue != '' ORDER BY queue",
        asked,
    )
    alerts: dict[str, list[dict[str, Any]]] = {}
    for row in store.query(
        "SELECT queue, kpi, severity, value, threshold, opened_at FROM breaches"
        " WHERE tenant = {tenant:String} AND closed_at IS NULL"
        " ORDER BY severity = 'critical' DESC, opened_at",
        asked,
    ):
        alerts.setdefault(row.pop("queue"), []).append(row)
    return [queue | {"alerts": alerts.get(queue["queue"], [])} for queue in queues]
