"""Why identifiers are one customer: the edges of a customer and their evidence. Only reads."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sinks.store import Store

_EDGES = """
SELECT e.customer_key AS customer_key, e.other_key AS other_key, e.state AS state,
    e.reason AS reason, e.seen_at AS seen_at, e.rule AS rule, e.evidence AS evidence,
    if(isNull(e.unlinked_at), NULL, e.unlinked_at) AS unlinked_at,
    l.one AS one, l.other AS other, l.times AS times
FROM (SELECT * FROM identity_edges FINAL
    WHERE tenant = {tenant:String} AND customer_key IN {keys:Array(String)}) AS e
LEFT JOIN (SELECT customer_key, other_key, any(identifier) AS one, any(other_identifier) AS other,
        uniqExact(rule, evidence) AS times
    FROM identity_links
    WHERE tenant = {tenant:String} AND customer_key IN {keys:Array(String)}
    GROUP BY customer_key, other_key) AS l
ON l.customer_key = e.customer_key AND l.other_key = e.other_key
ORDER BY e.seen_at, one, other
"""


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
    rows = store.query(_EDGES, {"tenant": tenant, "keys": sorted(keys)})
    mine = set(keys)
    return [
        LinkedPair(
            row["one"],
            row["other"],
            row["state"],
            row["reason"],
            row["rule"],
            row["evidence"],
            row["seen_at"],
            row["unlinked_at"],
            row["times"],
        )
        for row in rows
        if row["other_key"] not in mine or row["customer_key"] < row["other_key"]
    ]
