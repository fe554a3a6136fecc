"""Why identifiers are one customer: the edges of a customer and their evidence. Only reads."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sinks.store import Store

_EDGES = """
SELECT e.customer_key AS customer_key, e.other_key AS other_key, e.state AS state,
    e.reason AS reason, e.seen_at AS seen_at, e.rule AS rule, e.evidence AS evidence,
    e.unlinked_at AS unlinked_at, l.one AS one, l.other AS other, l.times AS times
FROM ({edges}) AS e
LEFT JOIN (SELECT customer_key, other_key, any(identifier) AS one, any(other_identifier) AS other,
        uniqExact(rule, evidence) AS times
    FROM identity_links
    WHERE tenant = {{tenant:String}} AND (customer_key, other_key) IN
        (SELECT customer_key, other_key FROM ({edges}))
    GROUP BY customer_key, other_key) AS l
ON l.customer_key = e.customer_key AND l.other_key = e.other_key
ORDER BY e.seen_at, one, other
"""
_OF_KEYS = """SELECT * FROM identity_edges FINAL
    WHERE tenant = {tenant:String} AND customer_key IN {keys:Array(String)}
        AND (customer_key < other_key OR NOT has({keys:Array(String)}, other_key))"""
_QUARANTINED = """SELECT * FROM identity_edges FINAL
    WHERE tenant = {tenant:String} AND state = 'quarantined' AND customer_key < other_key
    ORDER BY seen_at DESC, customer_key, other_key LIMIT {limit:UInt32}"""


@dataclass(frozen=True, slots=True)
class LinkedPair:
    """Two identifiers and what became of the evidence that they are one customer's.

    `rule`, `evidence` and `seen_at` are those of the earliest of `times` pieces of evidence.
    """

    identifier: str
    other: str
    state: str
    reason: str
    rule: str
    evidence: str
    seen_at: datetime
    unlinked_at: datetime | None
    times: int


def pairs_of(store: Store, tenant: str, keys: Collection[str]) -> list[LinkedPair]:
    """The edges that one of these keys has, oldest first, each once. Raises `StoreError`."""
    parameters = {"tenant": tenant, "keys": sorted(keys)}
    return [_pair(row) for row in store.query(_EDGES.format(edges=_OF_KEYS), parameters)]


def quarantined_pairs(store: Store, tenant: str, limit: int) -> list[LinkedPair]:
    """The newest edges that are kept apart, oldest first. Raises `StoreError`."""
    parameters = {"tenant": tenant, "limit": limit}
    return [_pair(row) for row in store.query(_EDGES.format(edges=_QUARANTINED), parameters)]


def _pair(row: dict[str, Any]) -> LinkedPair:
    return LinkedPair(
        *(row["one"], row["other"], row["state"], row["reason"], row["rule"], row["evidence"]),
        *(row["seen_at"], row["unlinked_at"], row["times"]),
    )
