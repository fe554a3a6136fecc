"""Whole runs: records on a broker, the pipeline, rows in ClickHouse."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from sinks.store import Store
from tests.integration.conftest import Run, Sent, sample_records

LINES = 500

INTERACTIONS = (
    "SELECT * EXCEPT (opened_at, log, source_partition, version) FROM interactions FINAL"
    " ORDER BY interaction_id"
)
EVENTS = (
    "SELECT tenant, subject, occurred_at, source, event_id, type, topic, payload"
    " FROM events FINAL ORDER BY subject, occurred_at, event_id"
)
CUSTOMERS = (
    "SELECT tenant, customer_key, interaction_id, started_at, channel FROM customer_interactions"
    " FINAL ORDER BY customer_key, interaction_id"
)
PLACE = ("log", "source_partition", "generation", "version")


def summed(store: Store, table: str) -> list[dict[str, Any]]:
    """A table of partials, added up over everything that says where they came from."""
    columns = store.query(
        "SELECT name, type FROM system.columns WHERE database = {database:String}"
        " AND table = {table:String} ORDER BY position",
        {"database": store.database, "table": table},
    )
    keys, sums = [], []
    for column in columns:
        name, kind = column["name"], column["type"]
        if name in PLACE:
            continue
        if kind.startswith("Map"):
            sums.append(f"sumMap({name}) AS {name}_")
        elif kind == "Int64":
            sums.append(f"sum({name}) AS {name}_")
        else:
            keys.append(name)
    grouped = ", ".join(keys)
    rows = store.query(
        f"SELECT {grouped}, {', '.join(sums)} FROM {table} FINAL GROUP BY {grouped}"
        f" ORDER BY {grouped}"
    )
    # A pane that was touched and is empty again is as good as none.
    return [r for r in rows if any(r[k] for k in r if k.endswith("_") and isinstance(r[k], int))]


def tables(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Everything that must not depend on order, repetition or partitions."""
    return {
        "events": store.query(EVENTS, bytes_columns=("payload",)),
        "interactions": store.query(INTERACTIONS),
        "customer_interactions": store.query(CUSTOMERS),
        "kpi_panes": summed(store, "kpi_panes"),
        "agent_panes": summed(store, "agent_panes"),
        "conversation_panes": summed(store, "conversation_panes"),
    }


def shuffled_with_repeats(records: list[Sent], seed: int) -> list[Sent]:
    """The records in any order, a fifth of them twice."""
    order = random.Random(seed)  # noqa: S311 -- to shuffle, not to hide
    changed = records + order.sample(records, len(records) // 5)
    order.shuffle(changed)
    return changed


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """What the first run stored, for all the others to be compared with."""
    return {}


@pytest.mark.parametrize("partitions", [1, 4, 16])
def test_order_repetition_and_partitions_do_not_change_the_tables(
    run: Run, new_store: Callable[[], Store], reference: dict[str, Any], partitions: int
) -> None:
    records = sample_records(LINES)
    if not reference:
        store = new_store()
        run.over(records, store, partitions=1)
        reference.update(tables(store))
        assert len(reference["events"]) == len(records)
        # A log of calls has no messages.
        assert {name for name, rows in reference.items() if not rows} == {"conversation_panes"}
    store = new_store()
    run.over(shuffled_with_repeats(records, seed=partitions), store, partitions=partitions)
    found = tables(store)
    for name, rows in reference.items():
        assert found[name] == rows, name
