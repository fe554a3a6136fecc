"""How contributions are counted in panes, and that they can be taken back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.fold.panes import (
    Contribution,
    PaneKey,
    empty_pane,
    pane_row,
    table_of,
)
from streams.fold.rules import FoldRules
from tests.support.fold import MONDAY_MS

RULES = FoldRules(thresholds_ms={"": (5_000, 20_000), "bare": ()})
QUEUE_KEY: PaneKey = ("t", "IT", "call", "inbound", "offered", 0)
CONVERSATION_KEY: PaneKey = ("t", "IT", "email", "inbound", 0)
AGENT_KEY: PaneKey = ("t", "ada", 0)


def filled(*waits: int) -> Any:
    pane = empty_pane(QUEUE_KEY, 7, RULES)
    for wait in waits:
        pane.add(Contribution(QUEUE_KEY, (0, 1, 1, 1), (0, wait, 4, wait)), 1)
    return pane


def test_waits_are_counted_under_every_threshold_that_they_keep() -> None:
    answered_within = filled(0, 5_000, 5_001, 20_000, 20_001).within(0)
    assert answered_within == {5_000: 2, 20_000: 4}


@given(st.lists(st.integers(0, 400_000)), st.lists(st.integers(0, 400_000)))
def test_what_was_added_and_taken_back_leaves_no_trace(stays: list[int], goes: list[int]) -> None:
    pane = filled(*stays)
    contributions = [
        Contribution(QUEUE_KEY, (0, 1, 1, wait), (0, wait, 1, wait, 4, wait)) for wait in goes
    ]
    for contribution in contributions:
        pane.add(contribution, -1)
    for contribution in reversed(contributions):
        pane.add(contribution, 1)
    expected = filled(*stays)
    assert (pane.counts, pane.bins) == (expected.counts, expected.bins)


def test_a_histogram_that_counts_nothing_is_empty_and_one_that_corrects_is_not() -> None:
    pane = filled(4_000)
    assert (pane.within(0), pane.within(1)) == ({5_000: 1, 20_000: 1}, {})
    pane.add(Contribution(QUEUE_KEY, (0, 1, 1, 1), (0, 9_000)), -1)
    assert pane.within(0) == {5_000: 1, 20_000: 0}


def test_rows_have_the_columns_of_their_tables() -> None:
    for key in (QUEUE_KEY, CONVERSATION_KEY, AGENT_KEY):
        table = table_of(key)
        row = pane_row(empty_pane(key, 7, RULES), ("log", 3), 9)
        named = dict(zip(table.columns(), row, strict=True))
        table.model_validate(named)
        assert (named["log"], named["source_partition"]) == ("log", 3)
        assert (named["generation"], named["version"]) == (7, 9)


def test_a_queue_without_thresholds_has_panes_too() -> None:
    key: PaneKey = ("t", "bare", "call", "inbound", "offered", MONDAY_MS // 1000)
    pane = empty_pane(key, 0, RULES)
    pane.add(Contribution(key, (0, 1), (0, 9_000, 4, 9_000)), 1)
    assert [pane.within(which) for which in range(4)] == [{}, {}, {}, {}]
    assert sum(pane.bins.values()) == 1
