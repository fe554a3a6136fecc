import logging
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.rows import VERSION_OFFSET_BITS, CheckpointRow, TopicLogRow
from sinks.checkpoints import SLOTS, Checkpoint, CheckpointStore, CheckpointsUnreadable
from sinks.metrics import Metrics
from sinks.store import Store

TOPIC = "events.call"


def checkpoints(store: Store, metrics: Metrics | None = None) -> CheckpointStore:
    return CheckpointStore(store, "stage1", metrics or Metrics())


def save(
    store: Store, writing: CheckpointStore, offset: int, state: bytes = b"state", **where: Any
) -> None:
    fields: dict[str, Any] = {
        "topic": TOPIC,
        "partition": 0,
        "log": "a",
        "epoch": 1,
        "state_version": 1,
    } | where
    store.insert(CheckpointRow, [writing.row(next_offset=offset, state=state, **fields)])


def load(
    reading: CheckpointStore, topic: str, partition: int, log: str, *unreadable: int
) -> Checkpoint | None:
    """The checkpoint of one partition, where those at some offsets cannot be read."""

    def read(checkpoint: Checkpoint) -> Checkpoint:
        if checkpoint.next_offset in unreadable:
            raise ValueError("not a state")
        return checkpoint

    (found,) = reading.find({topic: log}, {topic: [partition]})
    return reading.load(found, read).get(partition)


def load_all(reading: CheckpointStore, partitions: list[int], *unreadable: int) -> dict[int, int]:
    """By partition the offset of the newest readable checkpoint."""

    def read(checkpoint: Checkpoint) -> int:
        if checkpoint.next_offset in unreadable:
            raise ValueError("not a state")
        return checkpoint.next_offset

    (found,) = reading.find({TOPIC: "a"}, {TOPIC: partitions})
    return reading.load(found, read)


def test_where_nothing_was_stored_nothing_is_loaded(store: Store) -> None:
    assert load(checkpoints(store), TOPIC, 0, "a") is None


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=st.lists(st.binary(max_size=3000), min_size=1, max_size=6))
def test_the_newest_state_comes_back_byte_for_byte(store: Store, states: list[bytes]) -> None:
    store.command("TRUNCATE TABLE checkpoints")
    writing = checkpoints(store)
    for number, state in enumerate(states, start=1):
        save(store, writing, number * 10, state)
    assert load(checkpoints(store), TOPIC, 0, "a") == Checkpoint(
        TOPIC, 0, "a", len(states) * 10, 1, states[-1]
    )


def test_partitions_logs_topics_and_pipelines_are_apart(store: Store) -> None:
    writing = checkpoints(store)
    save(store, writing, 10)
    assert load(writing, TOPIC, 1, "a") is None
    assert load(writing, TOPIC, 0, "b") is None
    assert load(writing, "events.chat", 0, "a") is None
    assert load(CheckpointStore(store, "stage2", Metrics()), TOPIC, 0, "a") is None


def test_partitions_are_loaded_together_each_with_its_newest(store: Store) -> None:
    writing = checkpoints(store)
    for offset, partition in ((10, 0), (20, 0), (30, 1), (5, 2), (7, 2)):
        save(store, writing, offset, partition=partition)
    found = load_all(checkpoints(store), [0, 1, 2, 3], 7)
    assert found == {0: 20, 1: 30, 2: 5}


def test_topics_are_found_together_each_with_its_own_log_and_partitions(store: Store) -> None:
    """Also where one topic's partitions and logs are named like another's that is not asked for."""
    writing = checkpoints(store)
    for offset, topic, log, partition in (
        *((10, "x", "a", 0), (20, "x", "a", 0), (30, "x", "a", 1), (40, "x", "b", 0)),
        *((50, "y", "b", 1), (60, "y", "a", 1), (70, "y", "b", 0), (80, "z", "a", 0)),
    ):
        save(store, writing, offset, topic=topic, log=log, partition=partition)
    reading = checkpoints(store)
    logs = {"y": "b", "none": "a", "x": "a"}
    found = reading.find(logs, {"x": [0], "y": [1, 2], "none": [0]})
    assert [(of_log.topic, of_log.log) for of_log in found] == list(logs.items())

    def read(checkpoint: Checkpoint) -> tuple[str, str, int]:
        if checkpoint.next_offset == 20:
            raise ValueError("not a state")
        return (checkpoint.topic, checkpoint.log, checkpoint.next_offset)

    expected = [{1: ("y", "b", 50)}, {}, {0: ("x", "a", 10)}]
    assert [reading.load(of_log, read) for of_log in found] == expected
    # Again, as where the store was away in between; states are asked for anew.
    assert [reading.load(of_log, read) for of_log in found] == expected
    assert reading.begun(logs | {"z": "a"}) == {"x", "y", "z"}
    assert reading.begun({"z": "b", "none": "a"}) == reading.begun({}) == set()


def test_an_unreadable_checkpoint_falls_back_to_the_one_before_loudly(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    writing = checkpoints(store)
    save(store, writing, 10, b"ten")
    save(store, writing, 20, b"twenty")
    with caplog.at_level(logging.ERROR, "sinks.checkpoints"):
        loaded = load(checkpoints(store, metrics), TOPIC, 0, "a", 20)
    assert loaded is not None
    assert (loaded.next_offset, loaded.state) == (10, b"ten")
    assert "offset 20" in caplog.text
    labels = {"topic": TOPIC, "partition": "0"}
    name = "switchboard_checkpoints_unreadable_total"
    assert metrics.registry.get_sample_value(name, labels) == 1


def test_damaged_bytes_are_unreadable(store: Store) -> None:
    writing = checkpoints(store)
    save(store, writing, 10, b"ten" * 100)
    columns = CheckpointRow.columns()
    fields = writing.row(TOPIC, 0, "a", 1, 20, 1, b"twenty" * 100)
    damaged = dict(zip(columns, fields, strict=True))
    flipped = bytearray(damaged["state"])
    flipped[-1] ^= 1  # the checksum
    store.insert(CheckpointRow, [tuple({**damaged, "state": bytes(flipped)}.values())])
    loaded = load(checkpoints(store), TOPIC, 0, "a")
    assert loaded is not None
    assert loaded.next_offset == 10


def test_without_any_readable_checkpoint_a_person_decides(store: Store) -> None:
    writing = checkpoints(store)
    save(store, writing, 10)
    save(store, writing, 20)
    with pytest.raises(CheckpointsUnreadable, match="none of 2 checkpoints"):
        load(checkpoints(store), TOPIC, 0, "a", 10, 20)


def test_history_is_bounded_and_the_one_before_is_always_there(store: Store) -> None:
    writing = checkpoints(store)
    for offset in range(10, 200, 10):
        save(store, writing, offset)
        writing = checkpoints(store)  # a worker that starts anew, each time
        load(writing, TOPIC, 0, "a")
    store.command("OPTIMIZE TABLE checkpoints FINAL")
    kept = store.query("SELECT next_offset FROM checkpoints ORDER BY next_offset")
    assert [found["next_offset"] for found in kept] == [170, 180, 190]
    assert len(kept) == SLOTS


def test_a_zombies_older_checkpoint_does_not_hide_a_newer_one(store: Store) -> None:
    zombie, owner = checkpoints(store), checkpoints(store)
    save(store, zombie, 10)
    load(owner, TOPIC, 0, "a")
    for offset in (20, 30, 40, 50):
        save(store, owner, offset)
    for offset in (11, 12, 13, 14):
        save(store, zombie, offset)
    store.command("OPTIMIZE TABLE checkpoints FINAL")
    loaded = load(checkpoints(store), TOPIC, 0, "a")
    assert loaded is not None
    assert loaded.next_offset == 50
    before = load(checkpoints(store), TOPIC, 0, "a", 50)
    assert before is not None
    assert before.next_offset == 40


def test_logs_are_numbered_in_the_order_of_their_registration(store: Store) -> None:
    writing = checkpoints(store)
    assert [writing.log_epoch(TOPIC, log) for log in ("a", "b", "a", "c", "b")] == [1, 2, 1, 3, 2]
    assert writing.log_epoch("events.chat", "c") == 1
    assert checkpoints(store).log_epoch(TOPIC, "b") == 2


def test_epochs_of_several_topics_are_those_of_each(store: Store) -> None:
    checkpoints(store).log_epoch("x", "a")
    store.insert(TopicLogRow, [("y", "a", 1), ("y", "b", 2), ("y", "c", 2), ("z", "b", 7)])
    found = checkpoints(store).log_epochs({"x": "a", "y": "b", "z": "b", "new": "a"})
    assert found == {"x": 1, "y": 3, "z": 7, "new": 1}
    assert checkpoints(store).log_epochs({"y": "c", "x": "b"}) == {"y": 2, "x": 2}


def test_two_logs_never_share_an_epoch(store: Store) -> None:
    store.insert(TopicLogRow, [(TOPIC, "a", 1), (TOPIC, "b", 2), (TOPIC, "c", 2)])
    epochs = {log: checkpoints(store).log_epoch(TOPIC, log) for log in ("b", "c", "a")}
    assert sorted(epochs.values()) == sorted(set(epochs.values()))
    assert epochs["a"] == 1
    assert {log: checkpoints(store).log_epoch(TOPIC, log) for log in "abc"} == epochs


def test_workers_that_register_at_once_agree(store: Store) -> None:
    checkpoints(store).log_epoch(TOPIC, "old")
    start = threading.Barrier(6)
    found: list[tuple[str, int]] = []

    def register(log: str) -> None:
        writing = checkpoints(store)
        start.wait(10)
        found.append((log, writing.log_epoch(TOPIC, log)))

    threads = [threading.Thread(target=register, args=(log,)) for log in ["x"] * 3 + ["y"] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 6
    settled = {log: checkpoints(store).log_epoch(TOPIC, log) for log in ("old", "x", "y")}
    assert settled["old"] == 1
    assert len(set(settled.values())) == 3
    assert min(settled["x"], settled["y"]) > 1


def test_a_version_orders_logs_before_offsets(store: Store) -> None:
    writing = checkpoints(store)
    version = CheckpointRow.columns().index("version")
    old = writing.row(TOPIC, 0, "a", 1, (1 << VERSION_OFFSET_BITS) - 1, 1, b"")
    new = writing.row(TOPIC, 0, "b", 2, 0, 1, b"")
    assert old[version] < new[version]


def test_the_log_before_is_found_partition_by_partition(store: Store) -> None:
    writing = checkpoints(store)
    for epoch, log in enumerate(("a", "b", "silent", "c"), start=1):
        assert writing.log_epoch(TOPIC, log) == epoch
    save(store, writing, 5, log="a", epoch=1)
    for partition in (0, 2):
        save(store, writing, 10, b"old", log="b", epoch=2, partition=partition)
        save(store, writing, 20, b"new", log="b", epoch=2, partition=partition)
    save(store, writing, 1, log="c", epoch=4)
    found = checkpoints(store).latest_of_previous_log(TOPIC, "c")
    assert found == [Checkpoint(TOPIC, partition, "b", 20, 1, b"new") for partition in (0, 2)]
    assert checkpoints(store).latest_of_previous_log(TOPIC, "a") == []
    assert checkpoints(store).latest_of_previous_log(TOPIC, "unknown") == []


def test_pruning_keeps_the_current_log_and_the_one_before(store: Store) -> None:
    writing = checkpoints(store)
    for log in ("a", "b", "c"):
        save(store, writing, 10, log=log, epoch=writing.log_epoch(TOPIC, log))
    save(store, writing, 10, topic="events.chat", log="a")
    assert writing.prune(TOPIC) == ["a"]
    assert writing.prune(TOPIC) == []
    assert load(writing, TOPIC, 0, "a") is None
    assert load(writing, TOPIC, 0, "b") is not None
    assert load(writing, TOPIC, 0, "c") is not None
    assert load(writing, "events.chat", 0, "a") is not None
