"""Edges with their evidence, as they are shown to people."""

from schemas.identity_rows import IdentityEdgeRow, IdentityLinkRow
from sinks.identity import pairs_of, quarantined_pairs
from sinks.store import Store
from tests.support.rows import NOON, row

TEXTS = {"a": "phone:1", "b": "email:b", "c": "phone:3"}


def write(store: Store, one: str, other: str, state: str, reason: str = "", at: int = 0) -> None:
    for mine, its in ((one, other), (other, one)):
        ends = {"tenant": "t", "customer_key": mine, "other_key": its}
        verdict = {"state": state, "reason": reason, "seen_at": NOON + at, "version": 1}
        store.insert(IdentityEdgeRow, [row(IdentityEdgeRow, **ends, **verdict)])
        for evidence in ("i-1", "i-2"):
            texts = {"identifier": TEXTS[mine], "other_identifier": TEXTS[its]}
            link = row(IdentityLinkRow, **ends, **texts, rule="interaction", evidence=evidence)
            store.insert(IdentityLinkRow, [link])


def test_edges_of_a_customer_and_to_others_come_once_and_oldest_first(store: Store) -> None:
    write(store, "b", "c", "quarantined", "too_many_of_kind", at=5)
    write(store, "a", "b", "applied", at=1)
    pairs = pairs_of(store, "t", ["a", "b"])
    assert [(p.identifier, p.other, p.state, p.reason, p.times) for p in pairs] == [
        ("phone:1", "email:b", "applied", "", 2),
        ("email:b", "phone:3", "quarantined", "too_many_of_kind", 2),
    ]
    assert pairs_of(store, "another", ["a", "b"]) == []
    (kept_apart,) = quarantined_pairs(store, "t", 10)
    assert kept_apart == pairs[1]
