"""Which identifiers are one customer, by the plainest union-find there is.

Independent of `streams`, written from the design alone: earliest evidence counts, what was unlinked
and not linked later is out, what has too many neighbours is out, the rest joins by age unless a
limit forbids it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """One piece of evidence: `what` is `seen`, `linked` or `unlinked`."""

    one: str
    other: str
    at: int
    what: str


def partition(
    said: Iterable[Said],
    kinds: Mapping[str, str],
    *,
    most: int,
    most_of_kind: Mapping[str, int],
    strong: str,
) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Every identifier's customer (its smallest identifier), and every edge's state."""
    statements = list(said)
    pairs = sorted({tuple(sorted((s.one, s.other))) for s in statements})
    ages, out = {}, set()
    for pair in pairs:
        about = [s for s in statements if {s.one, s.other} == set(pair)]
        seen = [s.at for s in about if s.what != "unlinked"]
        linked = [s.at for s in about if s.what == "linked"]
        unlinked = [s.at for s in about if s.what == "unlinked"]
        if seen:
            ages[pair] = min(seen)
        if not seen or (unlinked and max(unlinked) >= max(linked, default=-1)):
            out.add(pair)
    neighbours: dict[str, set[str]] = {}
    for one, other in ages:
        neighbours.setdefault(one, set()).add(other)
        neighbours.setdefault(other, set()).add(one)
    shared = {key for key, around in neighbours.items() if len(around) >= most}
    groups = {key: {key} for pair in pairs for key in pair}
    states = {pair: "unlinked" for pair in pairs if pair in out}
    for _, one, other in sorted((at, *pair) for pair, at in ages.items() if pair not in out):
        union = groups[one] | groups[other]
        fits = len(union) <= most and all(
            sum(kinds[key] == kind for key in union) <= limit
            for kind, limit in {**most_of_kind, strong: 1}.items()
        )
        if {one, other} & shared or (groups[one] is not groups[other] and not fits):
            states[one, other] = "quarantined"
        else:
            states[one, other] = "applied"
            for key in union:
                groups[key] = union
    return {key: min(group) for key, group in groups.items()}, states
