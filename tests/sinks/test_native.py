"""Blocks of many rows as ClickHouse reads them; each value by itself is in `test_store`."""

from typing import Any

import pytest

from schemas.encoded import EncodedRows
from schemas.native import NativeBlock
from schemas.rows import EventRow, InteractionRow, KpiPaneRow
from sinks.store import Store
from tests.support.rows import row


def test_lengths_of_one_two_and_three_bytes_stand_before_their_text(store: Store) -> None:
    sizes = (0, 1, 127, 128, 16_383, 16_384, 70_000)
    rows = [row(EventRow, event_id=f"{n}", payload=bytes(n), subject="ö" * n) for n in sizes]
    store.insert(EventRow, rows)
    found = store.query(
        "SELECT event_id, length(payload) AS n, lengthUTF8(subject) AS m FROM events"
    )
    assert {(int(r["event_id"]), r["n"], r["m"]) for r in found} == {(n, n, n) for n in sizes}


@pytest.mark.parametrize("symbols", [1, 256, 257, 70_000])
def test_symbols_are_found_again_however_many_there_are(store: Store, symbols: int) -> None:
    rows = [row(EventRow, event_id=f"{n}", source=f"s{n % symbols}") for n in range(70_000)]
    store.insert(EventRow, rows)
    (found,) = store.query(
        "SELECT uniqExact(source) AS n, countIf(source != concat('s', toString(toUInt32(event_id) %"
        f" {symbols}))) AS wrong FROM events"
    )
    assert found == {"n": symbols, "wrong": 0}


def test_rows_keep_their_own_items_of_arrays_and_maps(store: Store) -> None:
    visits: dict[str, Any] = {
        "a": {"visits_queue": ["x", "y"], "visits_exited_at": [None, 5], "agents": []},
        "b": {"visits_queue": [], "visits_exited_at": [], "agents": ["ada"]},
        "c": {"visits_queue": ["z"], "visits_exited_at": [7], "agents": ["bob", "eve"]},
    }
    store.insert(
        InteractionRow, [row(InteractionRow, interaction_id=n, **v) for n, v in visits.items()]
    )
    found = store.query(
        "SELECT interaction_id, visits_queue, agents,"
        " arrayMap(t -> toUnixTimestamp64Milli(t), visits_exited_at) AS visits_exited_at"
        " FROM interactions"
    )
    assert {r.pop("interaction_id"): r for r in found} == visits
    waits = {"q": {1: 2, 3: 4}, "r": {}, "s": {5: -6}}
    store.insert(KpiPaneRow, [row(KpiPaneRow, queue=q, wait_bins=w) for q, w in waits.items()])
    panes = store.query("SELECT queue, wait_bins FROM kpi_panes")
    assert {r["queue"]: r["wait_bins"] for r in panes} == waits


def test_blocks_of_several_hands_are_stored_by_one_statement(store: Store) -> None:
    blocks = [NativeBlock(EventRow), NativeBlock(EventRow), NativeBlock(EventRow)]
    for n in range(300):
        blocks[n % 2].append(row(EventRow, event_id=f"{n}", source=f"s{n}"))
    store.insert(EventRow, EncodedRows(blocks))
    found = store.query("SELECT event_id, source FROM events")
    assert {(r["event_id"], r["source"]) for r in found} == {(f"{n}", f"s{n}") for n in range(300)}
