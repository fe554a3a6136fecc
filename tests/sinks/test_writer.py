import json
import logging
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.encoded import EncodedRows
from schemas.native import NativeBlock, RowTuple
from schemas.rows import (
    VERSION_OFFSET_BITS,
    CheckpointRow,
    DeadLetterRow,
    EventRow,
    InteractionRow,
    KpiPaneRow,
    LateEventRow,
    Row,
    TopicLogRow,
)
from schemas.tables import ROWS
from sinks import failpoints, writer
from sinks.errors import StoreError, StoreMisconfigured
from sinks.metrics import Metrics
from sinks.migrate import migrate
from sinks.store import Store
from sinks.writer import Block, WriteAbandoned, Writer
from tests.support.clickhouse import PROJECT, ClickHouseServer
from tests.support.clickhouse_http import Fault
from tests.support.rows import row

POISON = "ALTER TABLE events ADD CONSTRAINT no_poison CHECK subject != 'poison'"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(writer, "LONGEST_DELAY_SECONDS", 0.01)


@pytest.fixture
def disarm() -> Iterator[None]:
    yield
    failpoints.arm({})


def make(store: Store, on_retry: Callable[[StoreError, float], None] | None = None) -> Writer:
    return Writer(store, Metrics(), threading.Event(), on_retry)


def events(number: int, **changed: Any) -> list[tuple[Any, ...]]:
    return [
        row(EventRow, event_id=str(n), source_offset=n, version=n + 1, **changed)
        for n in range(number)
    ]


def checkpoint(next_offset: int, **changed: Any) -> tuple[Any, ...]:
    return row(CheckpointRow, next_offset=next_offset, version=next_offset, **changed)


def count(store: Store, row_type: type[Row]) -> int:
    return int(store.query(f"SELECT count() AS n FROM {row_type.TABLE} FINAL")[0]["n"])


def metric(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"switchboard_{name}", labels) or 0.0


def test_a_block_is_stored_and_counted(store: Store) -> None:
    metrics = Metrics()
    report = Writer(store, metrics, threading.Event()).write(
        {EventRow: events(7), KpiPaneRow: [row(KpiPaneRow)], CheckpointRow: [checkpoint(7)]}
    )
    assert report.rows == {"events": 7, "kpi_panes": 1, "checkpoints": 1}
    assert (report.dead_letters, report.retries) == ([], 0)
    assert (count(store, EventRow), count(store, KpiPaneRow), count(store, CheckpointRow)) == (
        (7, 1, 1)
    )
    assert metric(metrics, "sink_rows_total", table="events") == 7
    assert metric(metrics, "sink_flush_seconds_count") == 1


def test_an_empty_block_is_nothing(store: Store) -> None:
    assert make(store).write({EventRow: []}).rows == {}


def test_writing_a_block_again_changes_nothing(store: Store) -> None:
    block: Block = {EventRow: events(5), CheckpointRow: [checkpoint(5)]}
    for _ in range(3):
        make(store).write(block)
    assert (count(store, EventRow), count(store, CheckpointRow)) == (5, 1)


def encoded_by_two(rows: list[RowTuple]) -> EncodedRows:
    """Rows as two folds hand them over."""
    blocks = (NativeBlock(EventRow), NativeBlock(EventRow))
    for n, each in enumerate(rows):
        blocks[n % 2].append(each)
    return EncodedRows(blocks)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bad=st.sets(st.integers(0, 39), max_size=6), as_made=st.booleans())
def test_exactly_the_bad_rows_become_dead_letters(
    store: Store, bad: set[int], as_made: bool
) -> None:
    for table in ("events", "dead_letters", "checkpoints"):
        store.command(f"TRUNCATE TABLE {table}")
    rows = [
        row(
            EventRow,
            event_id=str(n),
            source_offset=n,
            source_partition=2**32 if n in bad else 3,
            payload=b"\xff%d" % n,
        )
        for n in range(40)
    ]
    told = encoded_by_two(rows) if as_made else rows
    report = make(store).write({EventRow: told, CheckpointRow: [checkpoint(40)]})
    stored = {int(found["event_id"]) for found in store.query("SELECT event_id FROM events FINAL")}
    assert stored == set(range(40)) - bad
    letters = store.query(
        "SELECT source_offset, value, reason FROM dead_letters FINAL", bytes_columns=["value"]
    )
    assert {letter["source_offset"]: letter["value"] for letter in letters} == {
        n: b"\xff%d" % n for n in bad
    }
    assert {letter["reason"] for letter in letters} <= {"refused_by_store"}
    assert len(report.dead_letters) == len(bad)
    assert report.rows["events"] == 40 - len(bad)
    assert count(store, CheckpointRow) == 1


def test_a_dead_letter_has_the_servers_words_and_the_original_bytes(store: Store) -> None:
    store.command(POISON)
    rows = events(9)
    rows[4] = row(
        EventRow,
        subject="poison",
        source_offset=4,
        source_partition=2,
        log="a",
        payload=b"{\x00\xff}",
        version=5,
    )
    report = make(store).write({EventRow: encoded_by_two(rows)})
    (letter,) = store.query("SELECT * FROM dead_letters FINAL", bytes_columns=["value", "key"])
    assert letter["topic"] == "events.call"
    assert (letter["source_partition"], letter["source_offset"], letter["log"]) == (2, 4, "a")
    assert letter["value"] == b"{\x00\xff}"
    assert letter["key"] == b"poison"
    assert "no_poison" in letter["error"]
    assert "Code: 469" in letter["error"]
    stored = dict(zip(DeadLetterRow.columns(), report.dead_letters[0], strict=True))
    assert stored["value"] == b"{\x00\xff}"
    assert count(store, EventRow) == 8


def test_a_refused_row_of_another_table_is_kept_as_json(store: Store) -> None:
    version = (3 << VERSION_OFFSET_BITS) + 42
    panes = [
        row(KpiPaneRow, queue=queue, offered=2**63, version=version, source_partition=1)
        for queue in ("a", "b")
    ]
    make(store).write({KpiPaneRow: [*panes, row(KpiPaneRow, queue="c")]})
    letters = store.query("SELECT * FROM dead_letters FINAL ORDER BY key")
    assert [json.loads(letter["key"])["queue"] for letter in letters] == ["a", "b"]
    assert {letter["topic"] for letter in letters} == {"kpi_panes (table)"}
    assert {letter["source_offset"] for letter in letters} == {41}
    assert json.loads(letters[0]["value"])["offered"] == 2**63
    assert count(store, KpiPaneRow) == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"subject": "\ud800"},
        {"topic": "\ud800"},
        {"source_partition": -1},
        {"source_offset": 2**64},
        {"version": -5},
        {"produced_at": 2**70, "occurred_at": None},
        {"payload": None},
        {"log": None},
        {"tenant": object()},
    ],
    ids=", ".join,
)
def test_a_dead_letter_is_never_refused_itself(store: Store, broken: dict[str, Any]) -> None:
    make(store).write({EventRow: [row(EventRow, **broken)]})
    assert (count(store, EventRow), count(store, DeadLetterRow)) == (0, 1)


def test_when_no_row_is_accepted_the_rows_are_not_at_fault(store: Store) -> None:
    store.command("ALTER TABLE events ADD CONSTRAINT none CHECK subject = 'never'")
    seen: list[StoreError] = []

    def repair(error: StoreError, _delay: float) -> None:
        seen.append(error)
        store.command("ALTER TABLE events DROP CONSTRAINT none")

    report = make(store, repair).write({EventRow: events(200)})
    assert isinstance(seen[0], StoreMisconfigured)
    assert report.dead_letters == []
    assert count(store, EventRow) == 200


def test_a_missing_table_is_waited_for(empty_store: Store) -> None:
    metrics = Metrics()
    writing = Writer(
        empty_store, metrics, threading.Event(), lambda _error, _delay: void(migrate(empty_store))
    )
    report = writing.write({EventRow: events(3)})
    assert report.retries == 1
    assert metric(metrics, "sink_retries_total", reason="misconfigured") == 1
    assert count(empty_store, EventRow) == 3


def void(_: object) -> None:
    return None


@pytest.mark.parametrize(
    "fault",
    [
        Fault("error", code=241, times=5, inserts=True),
        Fault("error", code=252, times=5, inserts=True),
        Fault("status", status=503, times=5, inserts=True),
        Fault("cut_before", times=6, inserts=True),
        Fault("cut_after", times=6, inserts=True),
        Fault("error", code=209, times=3, table="checkpoints"),
    ],
    ids=lambda fault: f"{fault.action}-{fault.code if fault.action == 'error' else fault.status}",
)
def test_the_writer_outlasts_an_outage(
    migrated_http_store: Store, server: ClickHouseServer, fault: Fault
) -> None:
    server.fault(fault)
    retried: list[StoreError] = []
    report = make(migrated_http_store, lambda error, _delay: retried.append(error)).write(
        {EventRow: events(4), CheckpointRow: [checkpoint(4)]}
    )
    assert report.retries == len(retried) > 0
    assert (count(migrated_http_store, EventRow), count(migrated_http_store, CheckpointRow)) == (
        4,
        1,
    )


def test_while_rows_are_not_stored_no_checkpoint_is(
    migrated_http_store: Store, server: ClickHouseServer
) -> None:
    server.fault(Fault("error", code=241, times=None, table="kpi_panes"))
    stop = threading.Event()
    before = server.inserts().get("checkpoints", 0)
    writing = Writer(migrated_http_store, Metrics(), stop, lambda _error, _delay: stop.set())
    with pytest.raises(WriteAbandoned, match="241"):
        writing.write(
            {EventRow: events(4), KpiPaneRow: [row(KpiPaneRow)], CheckpointRow: [checkpoint(4)]}
        )
    assert server.inserts().get("checkpoints", 0) == before
    assert count(migrated_http_store, EventRow) == 4


def test_checkpoints_share_inserts_up_to_some_size(
    migrated_http_store: Store, server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CHECKPOINTS_AT_ONCE_BYTES", 100)
    before = server.inserts().get("checkpoints", 0)
    small = [checkpoint(1, source_partition=n, state=b"s") for n in range(5)]
    large = [checkpoint(1, source_partition=5 + n, state=b"s" * 100) for n in range(2)]
    report = make(migrated_http_store).write({CheckpointRow: [*small, *large, small[0]]})
    assert report.rows == {"checkpoints": 8}
    # The small ones with the first large one, the second by itself, and what came after.
    assert server.inserts()["checkpoints"] - before == 3
    assert count(migrated_http_store, CheckpointRow) == 7


def test_waiting_shows_in_the_metrics_and_in_the_log(
    migrated_http_store: Store, server: ClickHouseServer, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    server.fault(Fault("error", code=241, times=3, inserts=True))
    with caplog.at_level(logging.WARNING, "sinks.writer"):
        Writer(migrated_http_store, metrics, threading.Event()).write({EventRow: events(1)})
    assert metric(metrics, "sink_retries_total", reason="unavailable") == 3
    assert metric(metrics, "sink_waiting_seconds") == 0
    assert sum("rows wait" in message for message in caplog.messages) == 3
    assert "answers again" in caplog.messages[-1]


def test_who_was_told_to_stop_does_not_say_that_rows_wait(
    migrated_http_store: Store, server: ClickHouseServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.fault(Fault("error", code=241, times=None, inserts=True))
    metrics, stop = Metrics(), threading.Event()
    stop.set()
    with pytest.raises(WriteAbandoned, match="241"):
        Writer(migrated_http_store, metrics, stop).write({EventRow: events(1)})
    assert metric(metrics, "sink_retries_total", reason="unavailable") == 0
    assert not [message for message in caplog.messages if "rows wait" in message]


def test_a_refused_checkpoint_is_never_set_aside(store: Store) -> None:
    stop = threading.Event()
    writing = Writer(store, Metrics(), stop, lambda _error, _delay: stop.set())
    with pytest.raises(WriteAbandoned):
        writing.write({EventRow: events(1), CheckpointRow: [checkpoint(1, state=None)]})
    assert (count(store, CheckpointRow), count(store, DeadLetterRow)) == (0, 0)


def test_letters_are_announced_before_they_are_stored(store: Store) -> None:
    told: list[tuple[Any, ...]] = []

    def announce(block: Block) -> None:
        rows = [row for rows in block.values() for row in rows]
        told.extend(rows)
        # Nobody may find a letter in the table that was not announced.
        assert count(store, DeadLetterRow) + count(store, LateEventRow) <= len(told) - len(rows)
        assert count(store, CheckpointRow) == 0

    letter, late = row(DeadLetterRow), row(LateEventRow)
    refused = row(EventRow, source_offset=2**64)
    report = Writer(store, Metrics(), threading.Event(), announce=announce).write(
        {
            EventRow: [*events(2), refused],
            DeadLetterRow: [letter],
            LateEventRow: [late],
            CheckpointRow: [checkpoint(1)],
        }
    )
    assert told == [letter, late, *report.dead_letters]
    assert len(report.dead_letters) == 1
    assert count(store, DeadLetterRow) == 2
    assert count(store, CheckpointRow) == 1


def test_what_cannot_be_announced_is_covered_by_no_checkpoint(store: Store) -> None:
    def announce(_: Block) -> None:
        raise WriteAbandoned("no topic")

    writing = Writer(store, Metrics(), threading.Event(), announce=announce)
    writing.write({EventRow: events(2)})
    unplaced: tuple[Block, ...] = (
        {DeadLetterRow: [row(DeadLetterRow)]},
        {EventRow: [row(EventRow, log=None)]},
    )
    for block in unplaced:
        with pytest.raises(WriteAbandoned, match="no topic"):
            writing.write({**block, CheckpointRow: [checkpoint(1)]})
    assert (count(store, CheckpointRow), count(store, DeadLetterRow)) == (0, 0)


@pytest.mark.usefixtures("disarm")
@pytest.mark.parametrize("name", [n for n in failpoints.FAILPOINTS if not n.endswith("_load")])
def test_a_failure_between_any_two_steps_leaves_no_checkpoint_without_its_rows(
    embedded_store: Store, name: str
) -> None:
    migrate(embedded_store)
    rows = [*events(4), row(EventRow, event_id="bad", source_offset=2**64)]
    others: Block = {
        row_type: [row(row_type)] for row_type in ROWS if row_type not in {EventRow, CheckpointRow}
    }
    block: Block = {EventRow: rows, **others, CheckpointRow: [checkpoint(5)]}
    failpoints.arm({failpoints.VARIABLE: f"{name}=error"})
    with pytest.raises(failpoints.FailpointReached, match=name):
        make(embedded_store).write(block)
    if count(embedded_store, CheckpointRow):
        assert count(embedded_store, EventRow) == 4
        assert count(embedded_store, InteractionRow) == 1
        assert count(embedded_store, DeadLetterRow) == 2
    make(embedded_store).write(block)
    assert count(embedded_store, EventRow) == 4
    assert count(embedded_store, DeadLetterRow) == 2
    assert count(embedded_store, CheckpointRow) == 1


KILLED = """
import sys, threading
from pathlib import Path
from sinks.metrics import Metrics
from sinks.store import open_store
from sinks.writer import Writer
from schemas.rows import CheckpointRow, EventRow
from tests.support.rows import row
store = open_store("embedded", path=Path(sys.argv[1]), database="sw")
writer = Writer(store, Metrics(), threading.Event())
for n in range(5):
    events = [row(EventRow, event_id=f"{n}-{i}", version=n * 10 + i + 1) for i in range(10)]
    next_offset = n * 10 + 10
    checkpoint = row(CheckpointRow, slot=n % 3, next_offset=next_offset, version=next_offset)
    writer.write({EventRow: events, CheckpointRow: [checkpoint]})
"""


@pytest.mark.parametrize(
    "point", ["before_rows:events", "after_rows", "before_checkpoint", "after_checkpoint"]
)
def test_a_killed_process_leaves_every_row_its_checkpoint_vouches_for(
    tmp_path: Path, point: str
) -> None:
    passage = random.randint(1, 5)  # noqa: S311 -- any will do
    program = (
        "import sys; from pathlib import Path; from sinks.store import open_store\n"
        "from sinks.migrate import migrate\n"
        "s = open_store('embedded', path=Path(sys.argv[1]), database='sw'); migrate(s)\n"
        "print(s.query('SELECT max(next_offset) AS n FROM checkpoints')[0]['n'],"
        " s.query('SELECT count() AS n FROM events')[0]['n']); s.close()"
    )

    def run(text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", text, str(tmp_path)],
            cwd=PROJECT,
            env={"PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    assert run(program).returncode == 0
    killed = run(KILLED, SWITCHBOARD_FAILPOINTS=f"{point}=kill@{passage}")
    assert killed.returncode == -9, killed.stderr
    promised, stored = map(int, run(program).stdout.split())
    blocks = passage if point == "after_checkpoint" else passage - 1
    assert promised == blocks * 10, f"{point} at passage {passage}"
    assert stored >= promised


def test_rows_of_a_table_that_no_flush_writes_are_a_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="topic_logs"):
        make(store).write({TopicLogRow: [row(TopicLogRow)]})
