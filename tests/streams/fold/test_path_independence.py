"""Laws of the fold: what is stored depends on the log alone.

Not on how records are cut into chunks, when rows are drained, where it crashed and was restored, or
what a worker that should be dead still writes.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from streams.fold.output import Rows
from streams.fold.partition import PartitionFold
from streams.fold.state import restore
from tests.oracle.batch import tables_of
from tests.support.contact_centre import HASTY, chaos
from tests.support.fold import Record, UpsertStore, differences, oracle_rules

TOPICS = ("events.call", "events.chat", "events.agent", "events.customer")

STEP = st.sampled_from(
    (
        *("apply", "apply", "apply", "drain", "prepare", "checkpoint", "crash", "takeover"),
        *("zombie", "late"),
    )
)
STEPS = st.lists(st.tuples(STEP, st.integers(1, 6)), max_size=30)


def new_fold(topic: str, saved: bytes | None = None) -> PartitionFold:
    state = None if saved is None else restore(saved)
    return PartitionFold(topic, 3, "log", 2, HASTY, state)


class Cluster:
    """Workers on one source partition: one that owns it, others that do not know better."""

    def __init__(self, topic: str, log: Sequence[Record]) -> None:
        self._topic, self._log = topic, log
        self.store = UpsertStore()
        self._checkpoint: bytes | None = None
        self.owner = new_fold(topic)
        self._zombies: list[PartitionFold] = []
        self._on_the_way: deque[Rows] = deque()

    def do(self, step: str, n: int) -> None:
        getattr(self, step)(n)

    def apply(self, n: int) -> None:
        at = self.owner.next_offset
        # Those before were applied already: a batch may overlap, as it does after a seek.
        self.owner.apply(self._log[max(0, at - n % 3) : at + n])

    def drain(self, _: int) -> None:
        self.store.write(self.owner.drain().rows)

    def prepare(self, n: int) -> None:
        self.owner.prepare(n)

    def checkpoint(self, n: int) -> None:
        self.store.write(self.owner.drain().rows)
        # From the second time on contacts that did not change are packed.
        for _ in range(n):
            self._checkpoint = self.owner.snapshot()

    def crash(self, n: int) -> None:
        if n % 2:
            # Some rows were stored and no checkpoint vouches for them.
            self.store.write(self.owner.drain().rows)
        self.owner = new_fold(self._topic, self._checkpoint)

    def takeover(self, _: int) -> None:
        self._zombies.append(self.owner)
        self.owner = new_fold(self._topic, self._checkpoint)

    def zombie(self, n: int) -> None:
        for zombie in self._zombies[-1:]:
            zombie.apply(self._log[zombie.next_offset : zombie.next_offset + n])
            self._on_the_way.append(zombie.drain().rows)

    def late(self, _: int) -> None:
        if self._on_the_way:
            self.store.write(self._on_the_way.pop())

    def come_to_rest(self) -> None:
        self.apply(len(self._log))
        self.drain(0)
        for _ in range(len(self._on_the_way)):
            self.late(0)


@settings(max_examples=250)
@given(data=st.data(), topic=st.sampled_from(TOPICS), steps=STEPS)
def test_any_path_through_a_log_leads_to_the_same_rows_and_state(
    data: st.DataObject, topic: str, steps: list[tuple[str, int]]
) -> None:
    log = data.draw(chaos(topic))
    straight = Cluster(topic, log)
    for _ in log:
        straight.apply(1)
    straight.come_to_rest()
    crooked = Cluster(topic, log)
    for step, n in steps:
        crooked.do(step, n)
    crooked.come_to_rest()
    assert crooked.store.content() == straight.store.content()
    assert crooked.owner.snapshot() == straight.owner.snapshot()
    event(f"{len(straight.owner.state.interactions)} interactions at the end")


@given(data=st.data(), topic=st.sampled_from(TOPICS))
def test_a_restored_fold_saves_the_very_same_bytes(data: st.DataObject, topic: str) -> None:
    fold = new_fold(topic)
    fold.apply(data.draw(chaos(topic)))
    saved = fold.snapshot()
    assert new_fold(topic, saved).snapshot() == saved


@given(data=st.data(), topic=st.sampled_from(TOPICS))
def test_every_record_is_stored_or_a_dead_letter_and_only_once(
    data: st.DataObject, topic: str
) -> None:
    log = data.draw(chaos(topic))
    fold = new_fold(topic)
    fold.apply(log)
    rows = fold.drain().rows
    offsets: list[Any] = []
    for table, of_table in rows.items():
        if table.TABLE in ("events", "dead_letters"):
            column = table.columns().index("source_offset")
            offsets += [row[column] for row in of_table]
    assert sorted(offsets) == [record.offset for record in log]


@settings(max_examples=250)
@given(data=st.data(), topic=st.sampled_from(TOPICS))
def test_chaos_is_folded_to_what_the_oracle_says(data: st.DataObject, topic: str) -> None:
    log = data.draw(chaos(topic))
    store = UpsertStore()
    fold = PartitionFold(topic, 0, "log", 1, HASTY)
    fold.apply(log)
    store.write(fold.drain().rows)
    expected = tables_of({(topic, 0): log}, oracle_rules(HASTY))
    assert differences(store.as_tables(), expected) == []


@pytest.mark.parametrize("topic", TOPICS)
def test_no_pane_refers_to_an_interaction_that_is_gone(topic: str) -> None:
    @given(chaos(topic))
    def holds(log: list[Record]) -> None:
        fold = new_fold(topic)
        fold.apply(log)
        state = fold.state
        held = [c.key for i in state.interactions.values() for c in i.contributions]
        assert all(pane.references == held.count(key) for key, pane in state.panes.items())

    holds()
