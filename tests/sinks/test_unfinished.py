"""An interrupted one-shot run is taken back as a whole, and nobody else's rows with it."""

from pathlib import Path

from schemas.rows import AgentPaneRow, CheckpointRow, KpiPaneRow
from sinks.store import Store
from sinks.unfinished import UnfinishedRun
from tests.support.rows import row


def logs_in(store: Store, table: str) -> list[str]:
    found = store.query(f"SELECT DISTINCT log FROM {table} ORDER BY log")
    return [each["log"] for each in found]


def test_rows_of_the_noted_logs_go_and_all_others_stay(store: Store, tmp_path: Path) -> None:
    for row_type in (KpiPaneRow, AgentPaneRow, CheckpointRow):
        store.insert(row_type, [row(row_type, log=log) for log in ("whole", "half-1", "half-2")])
    unfinished = UnfinishedRun(tmp_path / "data")
    unfinished.begin({"events.call": "half-1", "events.agent": "half-2"})

    assert UnfinishedRun(tmp_path / "data").take_back(store)

    for row_type in (KpiPaneRow, AgentPaneRow, CheckpointRow):
        assert logs_in(store, row_type.TABLE) == ["whole"]


def test_a_run_that_ended_leaves_nothing_to_take_back(store: Store, tmp_path: Path) -> None:
    store.insert(KpiPaneRow, [row(KpiPaneRow, log="whole")])
    unfinished = UnfinishedRun(tmp_path)
    unfinished.begin({"events.call": "whole"})
    unfinished.end()
    assert not unfinished.take_back(store)
    assert logs_in(store, "kpi_panes") == ["whole"]
