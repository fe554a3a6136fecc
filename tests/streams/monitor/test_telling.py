"""Laws of what stage 2 is told: the same is known in the end as if everyone were always named.

However often and whenever folds tell, where they are killed and replay, what those that should be
dead still tell, and in whatever order all of it arrives.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.live import PartialRecord
from streams.fold.output import RowTuple
from streams.fold.partition import PartitionFold
from streams.fold.state import restore
from streams.monitor.fold import MonitorFold
from streams.monitor.messages import PanePart, Partial, Tick, read, rendered
from streams.monitor.rules import MonitorRules
from tests.support.contact_centre import HASTY, chaos
from tests.support.fold import MONDAY_MS, Happening, Record

STEP = st.sampled_from(("apply", "apply", "tell", "tell", "checkpoint", "crash", "zombie", "late"))
STEPS = st.lists(st.tuples(STEP, st.integers(1, 4)), min_size=5, max_size=60)
TOPICS = ("events.call", "events.chat")


KINDS = {
    "queue.entered": {"queue": "help"},
    "agent.connected": {"queue": "help", "agent": "ada"},
    "agent.missed": {"queue": "help", "agent": "bob"},
    "queue.exited": {"queue": "help", "reason": "abandoned"},
    "interaction.ended": {"by": "customer"},
    "interaction.started": {"direction": "outbound"},
}


@st.composite
def crowds(draw: st.DrawFn, topic: str) -> list[Record]:
    """Many contacts in few panes of one queue, some of whose events come late."""
    records, at = [], 0
    kinds = st.sampled_from(["queue.entered"] * 4 + sorted(KINDS))
    for offset in range(draw(st.integers(10, 60))):
        at += draw(st.sampled_from([0, 100, 100, 1_000, 6_000]))
        late = draw(st.sampled_from([0, 0, 0, 1_000, 15_000]))
        kind, subject = draw(kinds), f"c{draw(st.integers(0, 9))}"
        told = Happening(at - late, kind, subject, KINDS[kind], id=f"{offset}", topic=topic)
        records.append(Record(offset, MONDAY_MS + at, subject.encode(), told.value()))
    return records


def fold_of(topic: str, saved: bytes | None = None) -> PartitionFold:
    return PartitionFold(topic, 0, "log", 1, HASTY, None if saved is None else restore(saved))


class Tellers:
    """Folds of one source partition: one that owns it, and others that do not know better.

    `told` has arrived for certain; `maybe` was told by who was killed before a checkpoint vouched
    for it, or tells what it should not any more.
    """

    def __init__(self, topic: str, log: list[Record]) -> None:
        self._topic, self._log = topic, log
        self.owner = fold_of(topic)
        self._zombies: list[PartitionFold] = []
        self._checkpoint: bytes | None = None
        self._since_checkpoint: list[RowTuple] = []
        self.told: list[RowTuple] = []
        self.maybe: list[RowTuple] = []

    def do(self, step: str, n: int) -> None:
        getattr(self, step)(n)

    def apply(self, n: int) -> None:
        at = self.owner.next_offset
        self.owner.apply(self._log[at : at + n])

    def tell(self, n: int) -> None:
        partials = self.owner.take_partials()
        if n == 1:
            self.owner.put_back(partials)
        else:
            self._since_checkpoint += partials

    def checkpoint(self, _: int) -> None:
        self._since_checkpoint += self.owner.drain().rows.get(PartialRecord, ())
        self.told += self._since_checkpoint
        self._since_checkpoint = []
        self._checkpoint = self.owner.snapshot()

    def crash(self, _: int) -> None:
        self.maybe += self._since_checkpoint
        self._since_checkpoint = []
        self.owner = fold_of(self._topic, self._checkpoint)

    def zombie(self, n: int) -> None:
        self._zombies.append(self.owner)
        self.crash(n)

    def late(self, n: int) -> None:
        for zombie in self._zombies:
            at = zombie.next_offset
            zombie.apply(self._log[at : at + n])
            self.maybe += zombie.take_partials()

    def finish(self) -> None:
        while self.owner.next_offset < len(self._log):
            self.apply(1)
            self.tell(2)
        self.checkpoint(1)


def always_whole(topic: str, log: list[Record]) -> list[RowTuple]:
    """Everyone who is open in a pane, whenever it changed."""
    fold = fold_of(topic)
    told: list[RowTuple] = []
    for record in log:
        fold.apply([record])
        for pane in fold.state.panes.values():
            pane.named = -1
        told += fold.take_partials()
    assert not any(pane.changes for value in told for pane in panes_of(value))
    return told


def panes_of(row: RowTuple) -> tuple[PanePart, ...]:
    said = read(row[1])
    assert isinstance(said, Partial)
    return said.panes


def heard(told: list[RowTuple], now: int) -> MonitorFold:
    monitor = MonitorFold("kpi.panes", 0, "panes", 1, MonitorRules())
    for offset, (key, value) in enumerate(told):
        monitor.apply([Record(offset, MONDAY_MS, key, value)])
    tick = rendered(Tick(now, {}))
    monitor.apply([Record(len(told), now, b"", tick)])
    return monitor


def known(monitor: MonitorFold) -> dict[str, Any]:
    names = ("waiting", "longest_waiting", "oldest_enqueued_at", "active", "presumed_lost")
    return {
        live.queue: {name: getattr(live, name) for name in (*names, "windows")}
        for live, _ in monitor.lives()
    }


@pytest.mark.parametrize("topic", TOPICS)
@given(data=st.data(), steps=STEPS)
@settings(max_examples=150)
def test_what_is_known_is_what_whole_panes_say(
    topic: str, data: st.DataObject, steps: list[tuple[str, int]]
) -> None:
    # All of it just happened when it was published, so that no pane is too old to be told.
    drawn = data.draw(st.one_of(chaos(topic), crowds(topic)))
    log = [replace(r, timestamp=MONDAY_MS + r.offset * 1000) for r in drawn]
    tellers = Tellers(topic, log)
    for step, n in steps:
        tellers.do(step, n)
    tellers.finish()
    arrived = list(tellers.told)
    if tellers.maybe:
        arrived += data.draw(st.lists(st.sampled_from(tellers.maybe), max_size=20))
    if arrived:
        arrived += data.draw(st.lists(st.sampled_from(arrived), max_size=5))
    arrived = data.draw(st.permutations(arrived))
    now = MONDAY_MS + data.draw(st.integers(0, 900)) * 1000
    monitor = heard(arrived, now)
    expected = known(heard(always_whole(topic, log), now))
    assert known(monitor) == expected
    event(f"only changes: {any(p.changes for row in arrived for p in panes_of(row))}")
    restored = MonitorFold(
        *("kpi.panes", 0, "panes", 1, MonitorRules()), (monitor.snapshot(), monitor.state_version)
    )
    assert known(restored) == expected
    assert restored.snapshot() == monitor.snapshot()
