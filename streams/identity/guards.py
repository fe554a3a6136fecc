"""Which edges make one customer of two, and which are too dangerous to. Pure.

What is decided is a function of the set of edges alone. An identifier with too many neighbours is
shared (a switchboard's number, a test address): none of its edges counts any more. The others are
taken by age, the oldest first, equal ones by key, and each joins what it connects unless the result
would break a guard. So what was one customer stays one when an edge that goes too far comes.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from streams.identity.edges import Edge, Pair

State = Literal["applied", "quarantined", "unlinked"]
Reason = Literal["", "shared_identifier", "strong_identifiers", "too_many_of_kind", "too_large"]

STRONG_KINDS: Final = frozenset({"customer_number"})
"""Kinds by which a company itself tells its customers apart: two of them are two customers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one customer may have: identifiers in all, and of a kind where that has a limit."""

    identifiers: int = 50
    of_kind: Mapping[str, int] = field(
        default_factory=lambda: {"phone": 10, "email": 10, "handle": 10, "device": 20}
    )

    def is_shared(self, neighbours: int) -> bool:
        """Whether an identifier with so many neighbours is no person's own."""
        return neighbours >= self.identifiers


class Verdict(NamedTuple):
    """What becomes of an edge. `reason` where it is quarantined."""

    state: State
    reason: Reason = ""


class Resolution(NamedTuple):
    """Every key's customer (the smallest key of it), and every edge's verdict."""

    customers: dict[str, str]
    verdicts: dict[Pair, Verdict]


def resolve(edges: Collection[Edge], shared: Collection[str], limits: Limits) -> Resolution:
    """What `edges` make of their identifiers; `shared` are those with too many neighbours.

    Edges that are not connected with each other, shared identifiers left out, may be resolved apart
    or together: the result is the same.
    """
    customers = {key: _Customer(key, kind) for e in edges for key, kind in _ends(e)}
    verdicts: dict[Pair, Verdict] = {}
    for e in sorted(edges, key=_age):
        if not e.counts:
            verdicts[e.pair] = Verdict("unlinked")
        elif e.a in shared or e.b in shared:
            verdicts[e.pair] = Verdict("quarantined", "shared_identifier")
        else:
            reason = _joined(customers, e, limits)
            verdicts[e.pair] = Verdict("quarantined", reason) if reason else Verdict("applied")
    return Resolution({key: customer.id for key, customer in customers.items()}, verdicts)


class _Customer:
    """Identifiers found to be one customer's so far."""

    __slots__ = ("id", "keys", "kinds")

    def __init__(self, key: str, kind: str) -> None:
        self.id = key
        self.keys = [key]
        self.kinds = Counter((kind,))


def _joined(customers: dict[str, _Customer], e: Edge, limits: Limits) -> Reason:
    """Make one of the two customers that the edge connects; or why that must not be."""
    one, other = customers[e.a], customers[e.b]
    if one is other:
        return ""
    if reason := _forbidden(one, other, limits):
        return reason
    if len(one.keys) < len(other.keys):
        one, other = other, one
    one.id = min(one.id, other.id)
    one.keys += other.keys
    one.kinds += other.kinds
    for key in other.keys:
        customers[key] = one
    return ""


def _forbidden(one: _Customer, other: _Customer, limits: Limits) -> Reason:
    kinds = one.kinds + other.kinds
    if any(kinds[kind] > 1 for kind in STRONG_KINDS):
        return "strong_identifiers"
    if any(kinds[kind] > most for kind, most in limits.of_kind.items()):
        return "too_many_of_kind"
    if len(one.keys) + len(other.keys) > limits.identifiers:
        return "too_large"
    return ""


def _ends(e: Edge) -> tuple[tuple[str, str], tuple[str, str]]:
    return (e.a, e.kind_a), (e.b, e.kind_b)


def _age(e: Edge) -> tuple[int, str, str]:
    return (e.seen_at, e.a, e.b)
