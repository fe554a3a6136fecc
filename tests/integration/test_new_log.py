"""A topic made anew: the old log's results stay true, and the new log adds to them."""

from collections.abc import Callable

from sinks.kpis.query import kpi_table
from sinks.store import Store
from streams.parts import migrate_all
from tests.integration.conftest import Run, sample_records
from tests.integration.test_pipeline import tables

LINES = 400


def test_publishing_everything_again_to_new_logs_changes_nothing(
    run: Run, new_store: Callable[[], Store]
) -> None:
    records = sample_records(LINES)
    store = new_store()
    run.over(records, store, partitions=2)
    before = tables(store)
    run.over(records, store, partitions=3)
    assert tables(store) == before


def test_interactions_that_were_open_go_on_in_the_new_log(
    run: Run, new_store: Callable[[], Store]
) -> None:
    records = sample_records(LINES)
    whole, parted = new_store(), new_store()
    run.over(records, whole, partitions=2)
    half = len(records) // 2
    run.over(records[:half], parted, partitions=2)
    run.over(records[half:], parted, partitions=4)
    assert tables(parted) == tables(whole)
    kpis = [[r.to_json() for r in kpi_table(store, "default")] for store in (parted, whole)]
    assert kpis[0] == kpis[1]


def test_what_was_stored_after_the_last_checkpoint_is_taken_over_too(
    run: Run, new_store: Callable[[], Store]
) -> None:
    records = sample_records(LINES)
    whole, crashed = new_store(), new_store()
    run.over(records, whole, partitions=2)
    half = len(records) // 2
    run.over(records[:half], crashed, partitions=2)
    # As if the worker had died before its last checkpoint: only the first ones, at 0, are left.
    crashed.command("DELETE FROM checkpoints WHERE next_offset != 0")
    run.over(records[half:], crashed, partitions=2)
    assert tables(crashed) == tables(whole)


def test_another_database_is_filled_from_the_logs_as_the_first_one_was(
    run: Run, new_store: Callable[[], Store]
) -> None:
    first, another = new_store(), new_store()
    ends = run.over(sample_records(LINES), first, partitions=2)
    # With what the first one's worker told itself on the topics that are read again.
    settings = run.settings(2)
    migrate_all(another, settings)
    run.process(settings, another, ends)
    assert tables(another) == tables(first)
    kpis = [[r.to_json() for r in kpi_table(store, "default")] for store in (another, first)]
    assert kpis[0] == kpis[1]
