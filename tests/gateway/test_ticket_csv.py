"""Ticket tables: what is read, what is refused, and the real one against a count over the file."""

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.record import Record
from gateway.ticket_csv import CsvColumns, TicketCsvError, Unreadable, ticket_events
from schemas.decode import Event, decode
from schemas.events import TicketStatus
from schemas.rows import InteractionRow
from streams.fold.partition import PartitionFold
from streams.fold.rules import DAY_MS, FoldRules
from tests.support import fold as stored

HELPDESK: Final = Path(__file__).parents[3] / "shared" / "data" / "helpdesk_event_log.csv"
STATUS_OF: Final[dict[str, TicketStatus]] = {
    "1": "open",
    "2": "open",
    "3": "new",
    "4": "open",
    "5": "open",
    "6": "closed",
    "7": "solved",
    "8": "open",
    "9": "pending",
}
COLUMNS: Final = CsvColumns("CaseID", "CompleteTimestamp", "ActivityID", STATUS_OF)


def read(
    lines: Sequence[str], columns: CsvColumns = COLUMNS
) -> tuple[list[Record], list[Unreadable]]:
    found = list(ticket_events(lines, columns, source="desk"))
    records = [one for one in found if isinstance(one, Record)]
    return records, [one for one in found if isinstance(one, Unreadable)]


def events(records: Sequence[Record]) -> list[Event]:
    decoded = [decode(record.value) for record in records]
    assert all(isinstance(event, Event) for event in decoded)
    return decoded  # type: ignore[return-value]


HEAD: Final = "CaseID,ActivityID,CompleteTimestamp"


def test_a_row_is_an_event_of_its_ticket() -> None:
    records, unreadable = read([HEAD, "2,1,2012-04-03 16:55:38", "2,6,2012-04-05T17:15:52+02:00"])
    began, opened, closed = events(records)
    assert unreadable == []
    assert (began.type, began.subject, began.time) == ("interaction.started", "2", opened.time)
    assert (opened.type, opened.data.status) == ("ticket.status_changed", "open")
    assert closed.time == datetime(2012, 4, 5, 15, 15, 52, tzinfo=UTC)
    assert {record.topic for record in records} == {"events.email"}


def test_a_time_without_offset_is_of_the_tables_timezone() -> None:
    columns = replace(COLUMNS, timezone="Asia/Tokyo")
    _, record = read([HEAD, "2,1,2012-04-03 16:55:38"], columns)[0]
    assert record.at == int(datetime(2012, 4, 3, 7, 55, 38, tzinfo=UTC).timestamp())


def test_rows_that_say_the_same_are_apart_and_a_row_read_again_is_not() -> None:
    rows = ["2,1,2012-04-03 16:55:38", "2,1,2012-04-03 16:55:38", "3,1,2012-04-03 16:55:38"]
    ids = {event.id for event in events(read([HEAD, *rows])[0])}
    assert len(ids) == 3 + 2  # and two tickets began
    assert {event.id for event in events(read([HEAD, *reversed(rows)])[0])} == ids


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2,17,2012-04-03 16:55:38", "ActivityID '17' has no status"),
        (",1,2012-04-03 16:55:38", "at least 1 character"),
        ("2,1,yesterday", "yesterday"),
        ("2,1", "CompleteTimestamp"),
        (f"{'x' * 200},1,2012-04-03 16:55:38", "at most 128 characters"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_with_its_line(row: str, reason: str) -> None:
    good = "3,1,2012-04-03 16:55:38"
    records, ((line, words),) = read([HEAD, row, good])
    assert len(records) == 2
    assert line == 2
    assert reason in words


def test_a_table_without_its_columns_is_refused_as_a_whole() -> None:
    with pytest.raises(
        TicketCsvError, match="no column CompleteTimestamp; the head has CaseID, ActivityID, When"
    ):
        read(["CaseID,ActivityID,When"])


def test_a_file_that_is_no_text_is_refused_as_a_whole(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(f"{HEAD}\n2,1,2012-04-03 16:55:38\n".encode() + b"2,\xff,x\n")
    with table.open(encoding="utf-8", newline="") as file, pytest.raises(TicketCsvError):
        list(ticket_events(file, COLUMNS, source="desk"))


@pytest.mark.shared
@pytest.mark.skipif(not HELPDESK.exists(), reason=f"{HELPDESK.name} is not beside the project")
def test_the_real_table_is_folded_to_what_a_count_over_the_file_says() -> None:
    with HELPDESK.open(newline="") as file:
        records, unreadable = read(file.readlines())
    assert (len(records), unreadable) == (13_710 + 3_804, [])
    random.Random(1).shuffle(records)  # noqa: S311
    rules = FoldRules(lateness_ms=2_000 * DAY_MS)  # the table is in no order at all
    partition = PartitionFold("events.email", 0, "log", 1, rules)
    partition.apply(
        [stored.Record(n, stored.LATER_MS, r.key, r.value) for n, r in enumerate(records)]
    )
    store = stored.UpsertStore()
    store.write(partition.drain().rows)
    found = {row["interaction_id"]: row for row in store.tables[InteractionRow].values()}
    expected = counted_over_the_file()
    assert len(found) == len(expected) == 3_804
    assert Counter(row["ticket_status"] for row in found.values()) == Counter(
        ticket["status"] for ticket in expected.values()
    )
    for name, ticket in expected.items():
        row = found[name]
        assert row["started_at"] == ticket["began"]
        assert row["ticket_status"] == ticket["status"]
        assert row["solved_at"] == ticket["solved"]
        assert row["reopened_at"] == ticket["reopened"]


def counted_over_the_file() -> dict[str, dict[str, Any]]:
    """Every ticket by its rows in time order, with nothing of ours."""
    steps: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    with HELPDESK.open(newline="") as file:
        for row in csv.DictReader(file):
            at = datetime.strptime(row["CompleteTimestamp"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
            milliseconds = int(at.replace(tzinfo=UTC).timestamp()) * 1000
            steps[row["CaseID"]].append((milliseconds, row["ActivityID"]))
    tickets = {}
    for name, of_ticket in steps.items():
        course = [(at, step in "67") for at, step in sorted(of_ticket)]
        befores = [(0, False), *course]
        tickets[name] = {
            "began": course[0][0],
            "status": STATUS_OF[max(of_ticket)[1]],
            "solved": [b[0] for a, b in pairwise(befores) if b[1] and not a[1]],
            "reopened": [b[0] for a, b in pairwise(befores) if a[1] and not b[1]],
        }
    return tickets
