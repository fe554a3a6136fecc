"""The fold of `identity.links`: a function of its log, restored as it was, and what it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identity_rows import (
    IdentityEdgeRow,
    IdentityMapRow,
    IdentityMemberRow,
    IdentityMessage,
)
from schemas.rows import VERSION_OFFSET_BITS, DeadLetterRow
from streams.fold.partition import OffsetGap
from streams.fold.state import StateUnreadable
from streams.identity.edges import SHOWN, UNLINKED, edge
from streams.identity.erased import Erased, mark_of
from streams.identity.fold import LinksFold
from streams.identity.guards import Limits
from streams.identity.messages import Message, of_edge, rendered


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None
    timestamp: int = 0
    key: bytes | None = b"k"
    headers: tuple[tuple[str, bytes], ...] = ()


def fold(saved: bytes | None = None, erased: Erased | None = None) -> LinksFold:
    state = None if saved is None else (saved, LinksFold.state_version)
    known = Erased() if erased is None else erased  # without marks it is false
    return LinksFold("identity.links", 0, "log", 3, Limits(), known, state)


def link(one: str, other: str, at: int = 5, rule: str = SHOWN) -> Message:
    return of_edge("t", edge((one, "phone"), (other, "email"), at=at, rule=rule, evidence="i"))


def log(*messages: Message) -> list[Record]:
    return [Record(n, rendered(message).value) for n, message in enumerate(messages)]


def named(table: Any, rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(table.columns(), row, strict=True)) for row in rows]


def test_an_edge_is_counted_when_it_is_quarantined_and_once() -> None:
    under_test = fold()
    numbers = [
        of_edge("t", edge(("p", "phone"), (n, "customer_number"), at=at, rule=SHOWN, evidence="i"))
        for at, n in enumerate(("k-1", "k-2", "k-3"))
    ]
    under_test.hear(numbers[:2])
    while messages := under_test.take_messages():
        under_test.hear(messages)
    assert under_test.drain().counts == {("quarantined", "strong_identifiers"): 1}
    under_test.hear(numbers)
    while messages := under_test.take_messages():
        under_test.hear(messages)
    assert under_test.drain().counts == {("quarantined", "strong_identifiers"): 1}


def test_a_link_becomes_a_customer_two_rows_an_edge_and_a_message() -> None:
    under_test = fold()
    under_test.apply(log(link("a", "b")))
    rows = under_test.drain().rows
    versions = {row["version"] for row in named(IdentityMapRow, rows[IdentityMapRow])}
    assert versions == {(3 << VERSION_OFFSET_BITS) + 1}
    bound = {r["customer_key"]: r for r in named(IdentityMapRow, rows[IdentityMapRow])}
    assert (bound["b"]["customer_id"], bound["b"]["is_deleted"]) == ("a", 0)
    assert (bound["a"]["customer_id"], bound["a"]["is_deleted"]) == ("a", 1)
    members = named(IdentityMemberRow, rows[IdentityMemberRow])
    assert {(m["customer_id"], m["customer_key"]) for m in members} == {("a", "a"), ("a", "b")}
    edges = named(IdentityEdgeRow, rows[IdentityEdgeRow])
    assert [(e["customer_key"], e["other_key"], e["state"]) for e in edges] == [
        ("a", "b", "applied"),
        ("b", "a", "applied"),
    ]
    assert [key for key, _ in rows[IdentityMessage]] == [b"b"]
    assert under_test.drain().rows == {}


def test_messages_that_were_taken_are_not_drained_unless_they_are_put_back() -> None:
    under_test = fold()
    under_test.apply(log(link("a", "b")))
    taken = under_test.take_messages()
    assert [message.to for message in taken] == ["b"]
    assert IdentityMessage not in under_test.drain().rows
    under_test.put_back(taken)
    assert len(under_test.drain().rows[IdentityMessage]) == 1


def test_what_is_no_message_becomes_a_dead_letter_and_its_neighbours_go_on() -> None:
    under_test = fold()
    under_test.apply([Record(0, b"{}"), Record(1, None), Record(2, rendered(link("a", "b")).value)])
    rows = under_test.drain().rows
    assert [row[2] for row in rows[DeadLetterRow]] == [0, 1]
    assert len(rows[IdentityMapRow]) == 2
    assert under_test.next_offset == 3


def test_a_gap_is_noticed_and_what_was_applied_is_passed_over() -> None:
    under_test = fold()
    records = log(link("a", "b"), link("b", "c"), link("c", "d"))
    under_test.apply(records[:1])
    with pytest.raises(OffsetGap):
        under_test.apply(records[2:])
    under_test.apply(records)
    assert under_test.next_offset == 3


@settings(max_examples=60)
@given(
    pairs=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("ghijkl")), max_size=30),
    cut=st.integers(0, 30),
    data=st.data(),
)
def test_a_restored_fold_goes_on_as_the_one_that_was_saved(
    pairs: list[tuple[str, str]], cut: int, data: st.DataObject
) -> None:
    rules = data.draw(st.lists(st.sampled_from((SHOWN, UNLINKED)), min_size=30, max_size=30))
    records = log(*(link(a, b, n, rules[n]) for n, (a, b) in enumerate(pairs)))
    whole, begun = fold(), fold()
    for under_test in (whole, begun):
        under_test.apply(records[:cut])
        under_test.drain()
    resumed = fold(begun.snapshot())
    assert resumed.snapshot() == begun.snapshot()
    for under_test in (whole, resumed):
        under_test.apply(records)
    assert {t: sorted(rows) for t, rows in resumed.drain().rows.items()} == {
        t: sorted(rows) for t, rows in whole.drain().rows.items()
    }


def test_a_damaged_or_unknown_state_is_refused() -> None:
    with pytest.raises(StateUnreadable, match="damaged"):
        fold(b"no state")
    with pytest.raises(StateUnreadable, match="version 99"):
        LinksFold("identity.links", 0, "log", 1, Limits(), Erased(), (b"", 99))


def test_the_erased_leave_and_do_not_come_back_but_others_stay() -> None:
    erased = Erased(b"key")
    under_test = fold(erased=erased)
    records = log(link("a", "b", 5), link("a", "c", 6), link("c", "d", 7))
    under_test.apply(records)
    under_test.drain()
    assert under_test.erase() == 0
    erased.learn({mark_of(b"key", "t", "key", "b"): 10})
    assert under_test.erase() == 1
    assert b"b" not in {
        pair[1].encode() for r in under_test.nodes.roots.values() for pair in r.edges
    }
    anew = fold(erased=erased)
    anew.apply(records)
    rows = named(IdentityMapRow, anew.drain().rows[IdentityMapRow])
    assert {row["customer_key"] for row in rows} == {"a", "c", "d"}
    # In touch again, later than that.
    anew.apply([Record(3, rendered(link("a", "b", 11)).value)])
    rows = named(IdentityMapRow, anew.drain().rows[IdentityMapRow])
    assert "b" in {row["customer_key"] for row in rows}
