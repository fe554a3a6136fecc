"""Panes that change, stay, and are let go."""

from streams.fold.ledger import PaneLedger
from streams.fold.panes import Contribution, Pane, PaneKey
from streams.fold.rules import FoldRules

RULES = FoldRules(lateness_ms=60_000)
KEY: PaneKey = ("t", "IT", "call", "inbound", "offered", 120)
OTHER: PaneKey = ("t", "IT", "call", "inbound", "ended", 180)
DUE = 4
"""Minute at which `KEY` is past: it begins in minute 2, lateness is one."""


def offered(key: PaneKey = KEY, wait: int = 9) -> Contribution:
    return Contribution(key, (0, 1), (4, wait))


def test_only_what_differs_is_exchanged() -> None:
    panes: dict[PaneKey, Pane] = {}
    ledger = PaneLedger(panes, RULES)
    ledger.exchange([], [offered(), offered(OTHER)], 1, held=True)
    assert {pane.key for pane in ledger.take_changed()} == {KEY, OTHER}
    ledger.exchange([offered(), offered(OTHER)], [offered(), offered(OTHER, 70)], 2, held=True)
    assert {pane.key for pane in ledger.take_changed()} == {OTHER}
    assert [panes[KEY].counts[0], panes[OTHER].counts[0]] == [1, 1]
    assert [panes[KEY].references, panes[OTHER].references] == [1, 1]
    assert list(panes[OTHER].bins.values()) == [1]


def test_equal_contributions_count_as_often_as_they_are_there() -> None:
    panes: dict[PaneKey, Pane] = {}
    ledger = PaneLedger(panes, RULES)
    ledger.exchange([], [offered(), offered()], 1, held=True)
    assert (panes[KEY].counts[0], panes[KEY].references) == (2, 2)
    ledger.exchange([offered(), offered()], [offered()], 2, held=True)
    assert (panes[KEY].counts[0], panes[KEY].references) == (1, 1)


def test_a_pane_stays_while_an_interaction_that_contributes_is_held() -> None:
    panes: dict[PaneKey, Pane] = {}
    ledger = PaneLedger(panes, RULES)
    ledger.exchange([], [offered()], 1, held=True)
    assert ledger.let_go_due(DUE + 90) == []
    ledger.release([offered()])
    assert [pane.key for pane in ledger.let_go_due(DUE + 91)] == [KEY]
    assert panes == {}


def test_a_pane_goes_when_lateness_has_passed_it_and_not_before() -> None:
    panes: dict[PaneKey, Pane] = {}
    ledger = PaneLedger(panes, RULES)
    ledger.exchange([], [offered()], 1, held=False)
    assert ledger.let_go_due(DUE - 1) == []
    assert KEY in panes
    assert len(ledger.let_go_due(DUE)) == 1


def test_a_pane_that_was_written_already_goes_silently() -> None:
    ledger = PaneLedger({}, RULES)
    ledger.exchange([], [offered()], 1, held=False)
    ledger.take_changed()
    assert ledger.let_go_due(DUE) == []


def test_what_comes_after_begins_the_pane_anew_with_the_difference() -> None:
    panes: dict[PaneKey, Pane] = {}
    ledger = PaneLedger(panes, RULES)
    ledger.exchange([], [offered()], 1, held=False)
    ledger.let_go_due(DUE)
    ledger.exchange([offered()], [offered(wait=70)], 8, held=False)
    pane = panes[KEY]
    assert (pane.generation, pane.counts[0]) == (8, 0)
    assert sorted(pane.bins.values()) == [-1, 1]


def test_a_pane_that_went_back_to_zero_is_still_handed_over() -> None:
    ledger = PaneLedger({}, RULES)
    ledger.exchange([], [offered()], 1, held=True)
    ledger.take_changed()
    ledger.exchange([offered()], [], 2, held=True)
    assert ledger.changed == 1
    assert [(pane.key, pane.counts[0]) for pane in ledger.take_changed()] == [(KEY, 0)]


def test_a_pane_of_states_that_a_contact_held_too_goes_once_the_contact_has_gone() -> None:
    panes: dict[PaneKey, Pane] = {}
    ledger = PaneLedger(panes, RULES)
    ledger.exchange([], [offered()], 1, held=False)
    ledger.exchange([], [offered()], 2, held=True)
    assert ledger.let_go_due(DUE) == []
    ledger.release([offered()])
    assert [pane.key for pane in ledger.let_go_due(DUE + 1)] == [KEY]
    assert panes == {}
