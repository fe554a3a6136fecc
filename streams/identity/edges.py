"""Edges between identifiers, and what is known about each. Pure.

What is known of an edge is a join of all that was ever said about it: the earliest evidence, the
latest explicit link, the latest unlink. Joining is commutative, associative and idempotent, so
neither the order in which evidence comes nor its repetition matters.
"""

from typing import Final

import msgspec

UNSEEN: Final = 1 << 42
"""The time of evidence that nobody gave; later than any event (the year 2109)."""

Pair = tuple[str, str]
"""The keys of an edge, the smaller one first."""


class Edge(msgspec.Struct, array_like=True, frozen=True):
    """Two identifiers and what is known of their belonging together. Times in milliseconds.

    `a` is the smaller key. `seen_at`, `rule` and `evidence` are those of the earliest evidence,
    `linked_at` is the latest `customer.linked`, `unlinked_at` the latest `customer.unlinked`; 0 for
    neither.
    """

    a: str
    b: str
    kind_a: str
    kind_b: str
    seen_at: int = UNSEEN
    rule: str = ""
    evidence: str = ""
    linked_at: int = 0
    unlinked_at: int = 0

    @property
    def pair(self) -> Pair:
        """What names the edge."""
        return (self.a, self.b)

    @property
    def seen(self) -> bool:
        """Whether there is evidence for it; otherwise it was only unlinked."""
        return self.seen_at < UNSEEN

    @property
    def unlinked(self) -> bool:
        """Whether it was taken back, and not linked explicitly since.

        Evidence from interactions does not bring back what a person took back.
        """
        return self.unlinked_at > 0 and self.unlinked_at >= self.linked_at

    @property
    def counts(self) -> bool:
        """Whether it may make one customer of two."""
        return self.seen and not self.unlinked

    def joined(self, other: "Edge") -> "Edge":
        """What both know together of the same edge."""
        mine = (self.seen_at, self.rule, self.evidence)
        theirs = (other.seen_at, other.rule, other.evidence)
        seen_at, rule, evidence = min(mine, theirs)
        return Edge(
            *(self.a, self.b, self.kind_a, self.kind_b, seen_at, rule, evidence),
            max(self.linked_at, other.linked_at),
            max(self.unlinked_at, other.unlinked_at),
        )


def edge(
    one: tuple[str, str],
    other: tuple[str, str],
    *,
    at: int,
    rule: str,
    evidence: str,
) -> Edge:
    """The edge between two identifiers, each given as (key, kind), by one piece of evidence."""
    (a, kind_a), (b, kind_b) = sorted((one, other))
    if rule == UNLINKED:
        return Edge(a, b, kind_a, kind_b, unlinked_at=at)
    linked_at = at if rule == LINKED else 0
    return Edge(a, b, kind_a, kind_b, at, rule, evidence, linked_at)


SHOWN: Final = "interaction"
IDENTIFIED: Final = "customer.identified"
LINKED: Final = "customer.linked"
UNLINKED: Final = "customer.unlinked"
