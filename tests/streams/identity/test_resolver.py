"""The resolver equals an offline union-find: any edges, order, repetition, partitions, unlinks."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.identity.edges import LINKED, SHOWN, UNLINKED, edge
from streams.identity.guards import Limits
from streams.identity.messages import Message, of_edge
from tests.oracle.identity import Said, partition
from tests.support.identity import Partitions

RULES = {"seen": SHOWN, "linked": LINKED, "unlinked": UNLINKED}
KINDS = ("phone", "email", "phone", "handle", "phone", "customer_number")
ROOMY = Limits(identifiers=1_000, of_kind={})
TIGHT = Limits(identifiers=6, of_kind={"phone": 3, "email": 2})


def key_of(number: int) -> str:
    """Keys whose order says nothing of when they came."""
    return f"{number * 7919 % 1009:04d}"


def kind_of(key: str, *, strong: bool) -> str:
    kind = KINDS[int(key) % len(KINDS)]
    return "device" if kind == "customer_number" and not strong else kind


def message_of(said: Said, *, strong: bool) -> Message:
    ends = [(key, kind_of(key, strong=strong)) for key in (said.one, said.other)]
    return of_edge("t", edge(*ends, at=said.at, rule=RULES[said.what], evidence="i"))


@st.composite
def statements(draw: st.DrawFn) -> list[Said]:
    """Evidence about few identifiers, so that they meet; a third of it explicit."""
    size = draw(st.integers(2, 24))
    number = st.integers(0, size - 1)
    what = st.sampled_from(("seen", "seen", "seen", "linked", "unlinked", "unlinked"))
    ends = st.tuples(number, number).filter(lambda pair: pair[0] != pair[1])
    drawn = draw(st.lists(st.tuples(ends, st.integers(1, 20), what), max_size=40))
    return [Said(key_of(a), key_of(b), at, what) for (a, b), at, what in drawn]


@pytest.mark.parametrize("limits", [ROOMY, TIGHT], ids=["roomy", "tight"])
@settings(max_examples=150)
@given(said=statements(), data=st.data())
def test_it_equals_an_offline_union_find(
    limits: Limits, said: list[Said], data: st.DataObject
) -> None:
    strong = limits is TIGHT
    count = data.draw(st.integers(1, 5), label="partitions")
    choices = data.draw(st.randoms(use_true_random=False), label="order")
    resolver = Partitions(count, limits, choices.randrange)
    drain_every = data.draw(st.integers(1, 4), label="records a drain")
    order = data.draw(st.permutations(said), label="order of evidence")
    repeated = data.draw(st.lists(st.sampled_from(said), max_size=5) if said else st.just([]))
    for each in [*order, *repeated]:
        resolver.send([message_of(each, strong=strong)])
        if choices.random() < 0.5:
            resolver.run(drain_every=drain_every, twice=lambda: choices.random() < 0.1)
    resolver.run(drain_every=drain_every, twice=lambda: choices.random() < 0.1)

    kinds = {key: kind_of(key, strong=strong) for s in said for key in (s.one, s.other)}
    customers, states = partition(
        said,
        kinds,
        most=limits.identifiers,
        most_of_kind=limits.of_kind,
        strong="customer_number" if strong else "",
    )
    assert resolver.customer_of() == customers
    assert resolver.states() == states
    sizes = Counter(resolver.customer_of().values())
    assert all(size <= limits.identifiers for size in sizes.values())


@settings(max_examples=50)
@given(said=statements(), data=st.data())
def test_nothing_is_said_for_ever(said: list[Said], data: st.DataObject) -> None:
    choices = data.draw(st.randoms(use_true_random=False))
    resolver = Partitions(3, ROOMY, choices.randrange)
    resolver.send(message_of(each, strong=False) for each in said)
    resolver.run()
    sent = resolver.messages
    assert sent <= 12 * len(said)
    resolver.send(message_of(each, strong=False) for each in said)
    resolver.run()
    # Of what is known, only the way to the root is left.
    assert resolver.messages - sent <= 8 * len(said)


def test_a_shared_identifier_connects_nobody_and_costs_no_more_with_more_neighbours() -> None:
    limits = Limits(identifiers=5, of_kind={})
    resolver = Partitions(2, limits, lambda _: 0)
    for number in range(1, 40):
        mine = key_of(number)
        for other, at in ((key_of(0), 10), (key_of(500 + number), 5)):
            resolver.send([message_of(Said(mine, other, at, "seen"), strong=False)])
        resolver.run()
    sizes = Counter(resolver.customer_of().values())
    assert sizes[key_of(0)] == 1
    assert set(sizes.values()) == {1, 2}
    states = Counter(resolver.states().values())
    assert states == {"quarantined": 39, "applied": 39}
