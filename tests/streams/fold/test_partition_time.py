"""The fold of one source partition in event time: clocks, lateness, letting go, agents' states."""

from dataclasses import replace

from schemas.rows import AgentPaneRow, EventRow, InteractionRow, KpiPaneRow, LateEventRow
from streams.fold.state import NEVER
from tests.support.call_fold import MINUTE, RULES, apply, call_fold, drained, ended, entered, state
from tests.support.fold import MONDAY_MS, UpsertStore, happening, records_of


def test_a_clock_ahead_of_the_brokers_is_believed_up_to_the_skew() -> None:
    fold = call_fold()
    fold.apply([replace(record, timestamp=MONDAY_MS) for record in records_of([entered(86_400)])])
    output = fold.drain()
    assert output.counts["skewed", "pbx"] == 1
    assert fold.state.event_time == MONDAY_MS + RULES.max_skew_ms
    # What the source said is stored as it said it.
    occurred_at = EventRow.columns().index("occurred_at")
    assert output.rows[EventRow][0][occurred_at] == MONDAY_MS + 86_400_000


def test_a_record_without_the_brokers_time_is_believed() -> None:
    fold = call_fold()
    fold.apply([replace(record, timestamp=-1) for record in records_of([entered(0)])])
    assert fold.state.event_time == MONDAY_MS


def test_one_sources_clock_makes_no_other_source_late() -> None:
    fold = call_fold()
    apply(fold, entered(3600, "fast", source="fast"), entered(0, "slow", source="slow"))
    assert drained(fold, LateEventRow) == []


def test_a_late_event_counts_where_its_interaction_is_known_and_not_elsewhere() -> None:
    fold = call_fold()
    apply(fold, entered(0), entered(300, "c-2"))
    fold.drain()
    apply(fold, ended(30), ended(30, "c-3"))
    output = fold.drain()
    late = [dict(zip(LateEventRow.columns(), r, strict=True)) for r in output.rows[LateEventRow]]
    assert [(row["subject"], row["applied"]) for row in late] == [("c-1", 1), ("c-3", 0)]
    assert late[0]["watermark_at"] == MONDAY_MS + 240_000
    assert [row[1] for row in output.rows[InteractionRow]] == ["c-1"]
    assert len(output.rows[EventRow]) == 2


def test_exactly_as_late_as_allowed_is_not_late() -> None:
    fold = call_fold()
    apply(fold, entered(60, "c-2"), entered(0, "c-1"))
    assert drained(fold, LateEventRow) == []


LET_GO = 4 * MINUTE
"""The tick at which what ended after 5 s is let go: horizon and lateness, and the next minute."""


def test_what_ended_is_let_go_after_horizon_and_lateness() -> None:
    fold = call_fold()
    apply(fold, entered(0), ended(5), entered(LET_GO - 1, "c-2"))
    assert ("default", "c-1") in fold.state.interactions
    apply(fold, entered(LET_GO, "c-3"))
    assert ("default", "c-1") not in fold.state.interactions
    assert ("default", "c-2") in fold.state.interactions


def test_what_is_open_is_kept_longer() -> None:
    fold = call_fold()
    apply(fold, entered(0), entered(14 * MINUTE, "c-2"))
    assert ("default", "c-1") in fold.state.interactions
    apply(fold, entered(17 * MINUTE, "c-3"))
    assert ("default", "c-1") not in fold.state.interactions


def test_only_the_clock_of_its_own_source_lets_an_interaction_go() -> None:
    fold = call_fold()
    apply(fold, entered(0), ended(5), entered(10 * MINUTE, "c-2", source="crm"))
    assert ("default", "c-1") in fold.state.interactions


def test_a_row_that_waits_is_written_when_its_interaction_is_let_go() -> None:
    fold = call_fold()
    apply(fold, entered(0), ended(5), entered(LET_GO, "c-2"))
    rows = drained(fold, InteractionRow)
    assert [row["interaction_id"] for row in rows] == ["c-1", "c-2"]


def test_what_comes_after_is_a_life_of_its_own_and_adds_to_the_panes() -> None:
    fold, store = call_fold(), UpsertStore()
    apply(fold, entered(0), ended(5), entered(LET_GO, "c-2"), entered(LET_GO + 1))
    store.write(fold.drain().rows)
    (row,) = [r for r in store.tables[InteractionRow].values() if r["interaction_id"] == "c-1"]
    assert row["visits_entered_at"] == [MONDAY_MS + (LET_GO + 1) * 1000]
    offered = [
        pane["offered"] for key, pane in store.summed(KpiPaneRow).items() if key[4] == "offered"
    ]
    assert sum(offered) == 3


def test_a_survey_after_all_does_not_hide_the_row() -> None:
    fold, store = call_fold(), UpsertStore()
    survey = happening(LET_GO + 1, "survey.submitted", kind="csat", score=5, scale_max=5)
    apply(fold, entered(0), ended(5), entered(LET_GO, "c-2"), survey)
    store.write(fold.drain().rows)
    (row,) = [r for r in store.tables[InteractionRow].values() if r["interaction_id"] == "c-1"]
    assert row["visits_queue"] == ["IT"]


def test_a_source_that_fell_silent_keeps_nothing_for_ever() -> None:
    fold = call_fold()
    apply(fold, entered(0, source="pod-1"), ended(5, source="pod-1"), entered(0, "c-2"))
    apply(fold, entered(17 * MINUTE, "c-3"))
    assert ("default", "c-1") not in fold.state.interactions
    assert fold.state.sources["pod-1"].heard_at == NEVER


def test_a_source_that_comes_back_cannot_count_its_past_twice() -> None:
    fold, store = call_fold(), UpsertStore()
    told = [entered(0, source="pod-1"), ended(5, source="pod-1")]
    apply(fold, *told, entered(0, "c-2"), entered(17 * MINUTE, "c-3"), *told)
    apply(fold, entered(6, "c-4", source="pod-1"))
    store.write(fold.drain().rows)
    late = store.as_tables().late_events
    assert list(late.values()) == [False, False]
    offered = [
        pane["offered"] for key, pane in store.summed(KpiPaneRow).items() if key[4] == "offered"
    ]
    assert sum(offered) == 4


def test_a_source_that_speaks_again_is_given_up_again_only_after_the_same_silence() -> None:
    fold = call_fold()
    apply(fold, entered(0, source="pod-1"), entered(0, "c-2"), entered(17 * MINUTE, "c-3"))
    apply(fold, entered(18 * MINUTE, "c-4", source="pod-1"), entered(30 * MINUTE, "c-5"))
    assert fold.state.sources["pod-1"].heard_at != NEVER
    apply(fold, entered(36 * MINUTE, "c-6"))
    assert fold.state.sources["pod-1"].heard_at == NEVER


def seconds_by_state(store: UpsertStore) -> dict[str, float]:
    found: dict[str, float] = {}
    for pane in store.summed(AgentPaneRow).values():
        for name, milliseconds in pane.items():
            found[name] = found.get(name, 0) + milliseconds / 1000
    return found


def test_time_in_states_adds_up_though_changes_come_out_of_order() -> None:
    fold, store = call_fold("events.agent"), UpsertStore()
    apply(fold, state(0, "available"), state(100, "offline"))
    store.write(fold.drain().rows)
    assert seconds_by_state(store) == {"state_available_ms": 100}
    apply(fold, state(70, "paused"), state(90, "available"))
    store.write(fold.drain().rows)
    assert seconds_by_state(store) == {"state_available_ms": 80, "state_paused_ms": 20}


def test_a_change_before_what_is_settled_is_late_and_does_not_count() -> None:
    fold = call_fold("events.agent")
    apply(fold, state(0, "available"), state(300, "paused"), state(300, "offline", "bob"))
    apply(fold, state(400, "available"), state(0.5, "paused"))
    (late,) = drained(fold, LateEventRow)
    assert late["applied"] == 1
    apply(fold, state(0.25, "offline"))
    (late,) = drained(fold, LateEventRow)
    assert late["applied"] == 0


def test_a_source_with_a_slow_clock_still_takes_its_place() -> None:
    fold, store = call_fold("events.agent"), UpsertStore()
    slow = {"source": "crm"}
    apply(fold, state(0, "available"), state(0, "available", id="crm-0", **slow))
    apply(fold, state(600, "offline"), state(660, "offline", "bob"), state(700, "paused"))
    apply(fold, state(300, "paused", **slow))
    store.write(fold.drain().rows)
    assert seconds_by_state(store) == {"state_available_ms": 300, "state_paused_ms": 300}
