"""The fold of one source partition, record by record."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given

from schemas.decode import decode
from schemas.live import PartialRecord
from schemas.rows import (
    VERSION_OFFSET_BITS,
    CustomerInteractionRow,
    DeadLetterRow,
    EventRow,
    InteractionRow,
    WatermarkRow,
)
from streams.fold.partition import MOST_CHANGES, MOST_FACTS, OffsetGap, PartitionFold
from tests.support.call_fold import apply, call_fold, drained, ended, entered, started, state
from tests.support.contact_centre import HASTY, chaos
from tests.support.fold import (
    LATER_MS,
    MONDAY_MS,
    Happening,
    Record,
    UpsertStore,
    happening,
    records_of,
)


@given(chaos())
def test_every_row_is_one_of_its_table(log: list[Record]) -> None:
    fold = PartitionFold("events.call", 0, "log", 1, HASTY)
    fold.apply(log)
    for table, rows in fold.drain().rows.items():
        for row in rows:
            table.model_validate(dict(zip(table.columns(), row, strict=True)))


def test_versions_are_the_log_epoch_and_the_offset_after_the_last_record() -> None:
    fold = call_fold()
    apply(fold, entered(0), ended(5))
    output = fold.drain().rows
    assert {row[-1] for row in output[InteractionRow]} == {2 << VERSION_OFFSET_BITS | 2}


def test_of_tellings_of_one_event_in_a_log_the_first_stays() -> None:
    fold = call_fold()
    apply(fold, entered(0), entered(0))
    first, second = fold.drain().rows[EventRow]
    assert first[-1] > second[-1]
    assert {row[-1] >> VERSION_OFFSET_BITS for row in (first, second)} == {2}


def test_records_that_were_applied_are_skipped() -> None:
    fold = call_fold()
    records = records_of([entered(0), ended(5)])
    fold.apply(records)
    before = fold.snapshot()
    fold.drain()
    fold.apply(records)
    assert fold.snapshot() == before
    assert fold.drain().rows == {}


def test_a_gap_is_told_and_what_came_before_it_counts() -> None:
    fold = call_fold()
    first, second = records_of([entered(0), ended(5)])
    with pytest.raises(OffsetGap, match="offset 1 was due and 4 came") as gap:
        fold.apply([first, replace(second, offset=4)])
    assert (gap.value.expected, gap.value.found, fold.next_offset) == (1, 4, 1)


def test_a_gap_that_is_the_logs_own_is_passed_over() -> None:
    fold = call_fold()
    first, second = records_of([entered(0), ended(5)])
    fold.apply([first, replace(second, offset=4)], gap_is_the_logs=True)
    assert fold.next_offset == 5


def test_skipping_goes_forward_only() -> None:
    fold = call_fold()
    fold.skip_to(7)
    fold.skip_to(3)
    assert fold.next_offset == 7


def test_garbage_is_a_dead_letter_with_everything_it_came_with() -> None:
    fold = call_fold()
    fold.apply([Record(0, 5, None, None), Record(1, 6, b"k", b"{", [("h", b"v")])])
    empty, broken = drained(fold, DeadLetterRow)
    assert (empty["reason"], empty["key"], empty["value"]) == ("empty", b"", b"")
    assert (broken["reason"], broken["key"], broken["value"]) == ("invalid_json", b"k", b"{")
    assert (broken["headers"], broken["produced_at"], broken["source_offset"]) == (
        [("h", b"v")], 6, 1,
    )  # fmt: skip
    assert fold.next_offset == 2


@pytest.mark.parametrize(
    ("topic", "wrong"),
    [
        ("events.call", happening(0, "agent.state_changed", state="paused")),
        ("events.call", happening(0, "customer.churned")),
        ("events.agent", happening(0, "queue.entered", queue="IT")),
        ("events.customer", happening(0, "interaction.started")),
        ("events.customer", happening(0, "agent.state_changed", state="paused")),
    ],
)
def test_an_event_of_another_family_is_a_dead_letter(topic: str, wrong: Happening) -> None:
    fold = call_fold(topic)
    apply(fold, wrong)
    output = fold.drain()
    assert set(output.rows) == {DeadLetterRow}
    assert output.counts["dead_letter", "wrong_topic"] == 1


def test_events_of_customers_and_schedules_are_stored() -> None:
    customers, agents = call_fold("events.customer"), call_fold("events.agent")
    apply(customers, happening(0, "customer.churned", "phone:1"))
    apply(
        agents,
        Happening(
            0,
            "agent.scheduled",
            "ada",
            {"from": "2026-01-05T08:00:00Z", "to": "2026-01-05T09:00:00Z", "activity": "phone"},
        ),
    )
    assert len(drained(customers, EventRow)) == len(drained(agents, EventRow)) == 1


def test_an_event_in_binary_mode_is_stored_as_a_whole_event() -> None:
    headers = [
        ("ce_specversion", b"1.0"), ("ce_type", b"queue.entered"), ("ce_id", b"e"),
        ("ce_source", b"pbx"), ("ce_time", b"2026-01-05T08:00:00Z"), ("ce_subject", b"c-1"),
    ]  # fmt: skip
    fold = call_fold()
    fold.apply([Record(0, LATER_MS, b"c-1", b'{"queue":"IT"}', headers)])
    (stored,) = drained(fold, EventRow)
    assert decode(stored["payload"]) == decode(b'{"queue":"IT"}', headers)


def test_the_same_event_again_changes_nothing_but_its_own_row() -> None:
    fold = call_fold()
    apply(fold, entered(0), ended(5))
    fold.drain()
    apply(fold, entered(0))
    output = fold.drain()
    assert set(output.rows) == {EventRow, WatermarkRow}
    assert output.counts["repeated", ""] == 1


def test_of_two_events_under_one_id_the_first_is_the_event() -> None:
    fold = call_fold()
    email = {"identifiers": [{"kind": "email", "value": "a@b"}]}
    apply(fold, started(5, id="e", customer=email))
    apply(fold, ended(9, id="e"))
    (row,) = drained(fold, InteractionRow)
    assert (row["status"], row["identifiers"], row["events"]) == ("open", ["email:a@b"], 1)


def test_a_weaker_identifier_is_deleted_once_a_stronger_is_known() -> None:
    def customer(*identifiers: tuple[str, str]) -> dict[str, Any]:
        return {"identifiers": [{"kind": kind, "value": value} for kind, value in identifiers]}

    fold, store = call_fold(), UpsertStore()
    for number, shown in enumerate([("phone", "1"), ("email", "a@b"), ("handle", "x")]):
        apply(fold, entered(number, customer=customer(shown)))
        store.write(fold.drain().rows)
    left = store.content()[CustomerInteractionRow.TABLE]
    assert len(left) == 1
    (row,) = store.tables[InteractionRow].values()
    assert next(iter(left))[1] == row["customer_key"]


def test_a_subject_that_many_contacts_share_gets_no_further_and_is_told_why() -> None:
    fold = call_fold()
    fold.apply(records_of([happening(n, "message.received", "x", author="customer", id=f"{n}")
                           for n in range(3)]))  # fmt: skip
    (interaction,) = fold.state.interactions.values()
    key, fact = next(iter(interaction.facts.items()))
    interaction.facts.update(dict.fromkeys(range(MOST_FACTS - 3), fact))
    fold.drain()
    apply(fold, ended(4, "x"))
    output = fold.drain()
    assert output.counts["dead_letter", "interaction_too_large"] == 1
    assert EventRow not in output.rows
    (letter,) = output.rows[DeadLetterRow]
    assert "the id of one contact" in letter[DeadLetterRow.columns().index("error")]
    assert key in interaction.facts


def test_an_agent_who_changes_more_than_a_person_can_is_settled_early() -> None:
    fold = call_fold("events.agent")
    states = ("paused", "available")
    apply(fold, *(state(n / 1000, states[n % 2]) for n in range(MOST_CHANGES + 2)))
    (agent,) = fold.state.agents.values()
    assert len(agent.timeline.changes) == 1


def test_the_watermark_tells_event_time_lateness_and_the_brokers_time() -> None:
    fold = call_fold()
    apply(fold, entered(65), entered(60, "c-2"))
    (row,) = drained(fold, WatermarkRow)
    assert (row["event_time_at"], row["lateness_ms"], row["produced_at"]) == (
        MONDAY_MS + 65_000, 60_000, LATER_MS,
    )  # fmt: skip
    assert drained(fold, WatermarkRow) == []


def test_pending_counts_what_drain_will_give() -> None:
    fold = call_fold()
    apply(fold, entered(0), ended(5))
    pending = fold.pending
    rows = fold.drain().rows
    apart = (WatermarkRow, PartialRecord)  # one at a time, and told ahead of the rows
    assert pending == sum(len(of) for table, of in rows.items() if table not in apart)
    assert fold.pending == 0


def test_drained_rows_are_handed_over_once() -> None:
    fold = call_fold()
    apply(fold, entered(0))
    assert fold.drain().rows
    assert fold.drain().rows == {}


def bare(happenings: Sequence[Happening]) -> bytes:
    fold = call_fold()
    apply(fold, *happenings)
    return fold.snapshot()


def test_the_state_holds_no_rows_that_wait() -> None:
    told = [entered(0), ended(5)]
    fold = call_fold()
    for one in told:
        apply(fold, one)
        fold.drain()
    assert fold.snapshot() == bare(told)
    assert msgspec.msgpack.decode(fold.snapshot())[0] == 2
