"""Taking a log over, with the embedded engine: what is looked up, and who writes it."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from schemas.rows import CheckpointRow, DeadLetterRow, EventRow
from schemas.topics import EVENTS_CALL
from sinks.checkpoints import CheckpointStore
from sinks.metrics import Metrics
from sinks.refused import dead_letter
from sinks.store import EMBEDDED, Store, open_store
from sinks.writer import Writer
from streams.carry_over import CarryOver
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.fold.state import STATE_VERSION, State, restore
from tests.support.clickhouse import embedded_path, migrated, unused_database
from tests.support.fold import Happening, happening, records_of

HOUR = 3_600
RULES = FoldRules(lateness_ms=600_000, horizons_ms={"call": 600_000})


@dataclass
class Logs:
    """Logs of one topic in a store."""

    store: Store

    def __post_init__(self) -> None:
        metrics = Metrics()
        self.writer = Writer(self.store, metrics, threading.Event())
        self.checkpoints = CheckpointStore(self.store, "test", metrics)
        self.carry_over = CarryOver(self.store, self.checkpoints, self.writer, RULES)

    def begin(self, log: str, partitions: int) -> bool:
        self.checkpoints.log_epoch(EVENTS_CALL, log)
        return self.carry_over.begin(EVENTS_CALL, log, range(partitions))

    def state(self, log: str, partition: int) -> State:
        """What is checkpointed of a partition."""
        (found,) = self.checkpoints.find({EVENTS_CALL: log}, {EVENTS_CALL: [partition]})
        return self.checkpoints.load(found, lambda c: restore(c.state, c.state_version))[partition]

    def apply(
        self, log: str, partition: int, told: Sequence[Happening], *, refused: bool = False
    ) -> None:
        """Store and checkpoint a partition's records, as a worker does."""
        epoch = self.checkpoints.log_epoch(EVENTS_CALL, log)
        state = self.state(log, partition)
        fold = PartitionFold(EVENTS_CALL, partition, log, epoch, RULES, state)
        fold.apply(records_of(told, state.next_offset))
        rows = fold.drain().rows
        if refused:
            letters = [dead_letter(EventRow, row, "no") for row in rows.pop(EventRow)]
            rows[DeadLetterRow] = letters
        self.writer.write(rows)
        place = (EVENTS_CALL, partition, log, epoch, fold.next_offset)
        row = self.checkpoints.row(*place, STATE_VERSION, fold.snapshot())
        self.writer.write({CheckpointRow: [row]})


@pytest.fixture
def logs() -> Iterator[Logs]:
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as store:
        migrated(store)
        yield Logs(store)
        store.command(f"DROP DATABASE IF EXISTS {store.database} SYNC", use_database=False)


def contact(subject: str, at: float) -> list[Happening]:
    """A call that ends at once."""
    return [
        happening(at, "queue.entered", subject, queue="IT"),
        happening(at + 5, "interaction.ended", subject, by="customer"),
    ]


def later(at: float) -> Happening:
    return happening(at, "interaction.started", "later")


def test_all_partitions_of_a_log_begin_at_once_and_only_once(logs: Logs) -> None:
    assert logs.begin("one", 3)
    assert [logs.state("one", n).next_offset for n in range(3)] == [0, 0, 0]
    assert not logs.begin("one", 3)
    assert logs.begin("two", 2)


@pytest.mark.parametrize("refused", [False, True])
def test_what_one_partition_let_go_is_named_and_what_nobody_read_is_not(
    logs: Logs, refused: bool
) -> None:
    logs.begin("one", 2)
    logs.apply("one", 0, contact("counted", 0), refused=refused)
    logs.apply("one", 0, [later(3 * HOUR)])
    logs.apply("one", 1, contact("slow", 10))
    logs.begin("two", 2)
    begun = logs.state("two", 1)
    assert {subject for _, subject in begun.interactions} == {"later", "slow"}
    assert begun.let_go_ahead
    logs.apply("two", 1, [*contact("counted", 0), *contact("unread", 20)])
    assert {s for _, s in logs.state("two", 1).interactions} == {"later", "slow", "unread"}


def test_nothing_is_named_where_all_are_as_far(logs: Logs) -> None:
    logs.begin("one", 2)
    for partition in range(2):
        subject = f"counted {partition}"
        logs.apply("one", partition, [*contact(subject, 0), later(3 * HOUR)])
    logs.begin("two", 2)
    assert logs.state("two", 0).let_go_ahead == []


def test_a_worker_that_was_too_slow_writes_nothing(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.begin("one", 1)
    logs.apply("one", 0, contact("a", 0))
    slow = logs.carry_over._read

    def read_while_another_begins(topic: str, log: str) -> object:
        read = slow(topic, log)
        monkeypatch.setattr(logs.carry_over, "_read", slow)
        assert logs.begin("two", 1)
        logs.apply("two", 0, contact("b", 10))
        return read

    monkeypatch.setattr(logs.carry_over, "_read", read_while_another_begins)
    before = logs.store.query("SELECT count() AS n FROM checkpoints WHERE log = 'two'")
    assert before == [{"n": 0}]
    assert not logs.begin("two", 1)
    assert logs.state("two", 0).next_offset == 2


def test_a_repeated_event_is_finished_where_it_was_told_first(logs: Logs) -> None:
    logs.begin("one", 1)
    first, second = contact("a", 0)
    again = replace(first)
    logs.apply("one", 0, [first, second, again])
    counted = logs.state("one", 0)
    # As if the worker had died before its checkpoint: only the one at 0 is left.
    logs.store.command("DELETE FROM checkpoints WHERE next_offset != 0")
    panes = "SELECT * FROM kpi_panes FINAL ORDER BY ALL"
    before = logs.store.query(panes)
    logs.begin("two", 1)
    assert logs.store.query(panes) == before
    finished = logs.state("one", 0)
    assert finished.next_offset == 2
    assert finished.interactions.keys() == counted.interactions.keys()
