"""Partitions of the resolver that crash, go back to a checkpoint and replay: the same customers."""

from random import Random
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identity_rows import IdentityEdgeRow, IdentityMapRow, IdentityMessage
from streams.identity.edges import SHOWN, UNLINKED, Edge, edge
from streams.identity.erased import Erased
from streams.identity.fold import LinksFold
from streams.identity.guards import Limits
from streams.identity.messages import Message, of_edge, rendered
from tests.oracle.identity import Said, partition
from tests.streams.identity.test_fold import Record

LIMITS = Limits(identifiers=8, of_kind={"phone": 4})


class Worker:
    """Folds over logs, with a checkpoint that may lie behind; a crash goes back to it.

    What a fold says is in the logs before its rows are in the tables, and these before the
    checkpoint. A crash may lie between any two of them.
    """

    def __init__(self, partitions: int) -> None:
        self.logs: list[list[Record]] = [[] for _ in range(partitions)]
        self.folds = [self._fold(n) for n in range(partitions)]
        self.checkpoints: list[bytes | None] = [None] * partitions
        self.tables: dict[tuple[object, ...], tuple[object, ...]] = {}

    def publish(self, key: bytes, value: bytes) -> None:
        log = self.logs[crc32(key) % len(self.logs)]
        log.append(Record(len(log), value, key=key))

    def say(self, message: Message) -> None:
        self.publish(*rendered(message))

    def step(self, number: int, size: int, crash: str) -> None:
        fold = self.folds[number]
        fold.apply(self.logs[number][fold.next_offset : fold.next_offset + size])
        rows = fold.drain().rows
        for key, value in rows.pop(IdentityMessage, ()):
            self.publish(key, value)
        if crash == "before rows":
            return self._crash(number)
        for table in (IdentityMapRow, IdentityEdgeRow):
            for row in rows.get(table, ()):
                named = dict(zip(table.columns(), row, strict=True))
                key = (table, *(named[name] for name in table.KEY))
                stored = self.tables.get(key)
                if stored is None or named["version"] >= stored[0]:
                    self.tables[key] = (named["version"], named)
        if crash == "before checkpoint":
            return self._crash(number)
        if crash == "checkpoint":
            self.checkpoints[number] = fold.snapshot()
        return None

    @property
    def behind(self) -> list[int]:
        return [n for n, fold in enumerate(self.folds) if fold.next_offset < len(self.logs[n])]

    def customers(self) -> dict[str, str]:
        rows = [row for key, (_, row) in self.tables.items() if key[0] is IdentityMapRow]
        return {row["customer_key"]: row["customer_id"] for row in rows}  # type: ignore[index]

    def states(self) -> dict[tuple[str, str], str]:
        rows = [row for key, (_, row) in self.tables.items() if key[0] is IdentityEdgeRow]
        ends = {(r["customer_key"], r["other_key"]): r["state"] for r in rows}  # type: ignore[index]
        return {pair: state for pair, state in ends.items() if pair[0] < pair[1]}

    def _fold(self, number: int, saved: bytes | None = None) -> LinksFold:
        state = None if saved is None else (saved, LinksFold.state_version)
        return LinksFold("identity.links", number, "log", 1, LIMITS, Erased(), state)

    def _crash(self, number: int) -> None:
        self.folds[number] = self._fold(number, self.checkpoints[number])


def edges() -> st.SearchStrategy[list[Edge]]:
    name = st.sampled_from([f"{n * 37 % 100:02d}" for n in range(14)])
    ends = st.tuples(name, name).filter(lambda pair: pair[0] != pair[1])
    drawn = st.tuples(ends, st.integers(1, 9), st.sampled_from((SHOWN, SHOWN, UNLINKED)))
    return st.lists(drawn, max_size=30).map(
        lambda found: [
            edge((a, "phone"), (b, "phone"), at=at, rule=rule, evidence="i")
            for (a, b), at, rule in found
        ]
    )


@settings(max_examples=150, deadline=None)
@given(said=edges(), dice=st.randoms(use_true_random=False))
def test_where_rows_are_taken_changes_no_version(said: list[Edge], dice: Random) -> None:
    often, seldom = Worker(1), Worker(1)
    for each in [*said, *dice.sample(said, len(said) // 2)]:
        for worker in (often, seldom):
            worker.say(of_edge("t", each))
    while often.behind:
        often.step(0, 1, "")
    # The same log, what it said itself included.
    seldom.logs = often.logs
    seldom.folds[0].apply(seldom.logs[0])
    seldom.folds[0].drain()
    assert seldom.folds[0].snapshot() == often.folds[0].snapshot()


@settings(max_examples=150, deadline=None)
@given(said=edges(), partitions=st.integers(1, 4), dice=st.randoms(use_true_random=False))
def test_crashes_at_any_point_lead_to_the_customers_of_an_offline_union_find(
    said: list[Edge], partitions: int, dice: Random
) -> None:
    worker = Worker(partitions)
    # Whoever publishes evidence may crash as well, and then publishes it again.
    for each in [*said, *dice.sample(said, len(said) // 2)]:
        worker.say(of_edge("t", each))
    crashes = 0
    while behind := worker.behind:
        crash = dice.choice(("", "", "checkpoint", "before rows", "before checkpoint"))
        crashes += crash.startswith("before")
        if crashes > 12:
            crash = "checkpoint"
        worker.step(dice.choice(behind), dice.randrange(1, 5), crash)
    statements = [
        Said(e.a, e.b, e.seen_at if e.seen else e.unlinked_at, "seen" if e.seen else "unlinked")
        for e in said
    ]
    kinds = {key: "phone" for e in said for key in e.pair}
    customers, states = partition(
        statements, kinds, most=8, most_of_kind={"phone": 4}, strong="customer_number"
    )
    assert worker.customers() == customers
    assert worker.states() == states
