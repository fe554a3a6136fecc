"""Which identifiers are one customer, by the plainest union-find there is.

Independent of `streams`, written from the design alone: earliest evidence counts, what was unlinked
and not linked later is out, what has too many neighbours is out, the rest joins by age unless a
limit forbids it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from schemas.decode import Event

STATING = {
    "customer.identified": "seen",
    "customer.linked": "linked",
    "customer.unlinked": "unlinked",
}
"""Types of events that say themselves who is one customer, and what of `Said` they are."""


@dataclass(frozen=True)
class Said:
    """One piece of evidence: `what` is `seen`, `linked` or `unlinked`."""

    one: str
    other: str
    at: int
    what: str


@dataclass
class Evidence:
    """What is known of identifiers that belong together; keys stand for identifiers."""

    links: dict[tuple[str, ...], int] = field(default_factory=dict)
    """(tenant, key, other key, rule, interaction or event) -> when; both ways around."""
    said: defaultdict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))
    """By tenant, of every life of an interaction and every event that states links."""
    kinds: dict[str, str] = field(default_factory=dict)

    def show(self, tenant: str, interaction: str, shown: Mapping[str, str], at: int) -> None:
        """Take in the identifiers (key -> kind) of an interaction that began at `at`."""
        self.kinds |= shown
        for one, other in permutations(shown, 2):
            self.links[tenant, one, other, "interaction", interaction] = at
            self.said[tenant].append(Said(one, other, at, "seen"))

    def state(self, event: Event, named: Mapping[str, str], at: int) -> None:
        """Take in an event of `STATING` about these identifiers (key -> kind), at `at`.

        Told again, it replaces its row; what it said before was said all the same.
        """
        self.kinds |= named
        for one, other in permutations(named, 2):
            self.links[event.tenant, one, other, event.type, f"{event.source} {event.id}"] = at
            self.said[event.tenant].append(Said(one, other, at, STATING[event.type]))


def stated_in(event: Event) -> Sequence[Any]:
    """The identifiers that an event of `STATING` says something about."""
    data = event.data
    return data.identifiers if event.type == "customer.identified" else (data.a, data.b)


def partition(
    said: Iterable[Said],
    kinds: Mapping[str, str],
    *,
    most: int,
    most_of_kind: Mapping[str, int],
    strong: str,
) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Every identifier's customer (its smallest identifier), and every edge's state."""
    statements: defaultdict[tuple[str, str], list[Said]] = defaultdict(list)
    for s in said:
        statements[min(s.one, s.other), max(s.one, s.other)].append(s)
    pairs = sorted(statements)
    ages, out = {}, set()
    for pair in pairs:
        about = statements[pair]
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
