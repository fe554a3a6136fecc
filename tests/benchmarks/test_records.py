"""Records that are told again, later, or of other queues."""

import json
from collections.abc import Iterator

import pytest

from benchmarks import records
from benchmarks.records import EVENTS_A_DAY, SAMPLE, Load, _later, _renamed, sample_of
from gateway.record import Record

LINE = (
    b'{"topic": "events.call", "key": "call-1-20260302-7", "event": {"id":"12",'
    b'"source":"simulated/1-20260302/pbx","type":"queue.entered","time":"2026-03-02T09:00:00Z",'
    b'"subject":"call-1-20260302-7","data":{"queue":"sales"}}}\n'
)


def test_a_block_told_again_is_later_and_of_other_contacts() -> None:
    record = _later(2, 20)(LINE)

    event = json.loads(record.value)
    assert record.key.decode() == event["subject"] == "call-1-20260302x2-7"
    assert (event["id"], event["time"]) == ("2.12", "2026-03-22T09:00:00Z")
    assert event["source"] == "simulated/1-20260302/pbx"


def test_the_queues_of_one_contact_are_renamed_alike_and_no_other_field_is_touched() -> None:
    value = b'{"subject":"c","data":{"queue":"sales","skill":"sales"}}'

    renamed = {
        json.loads(_renamed(Record("events.call", b"%d" % n, value, 0), 10).value)["data"]["queue"]
        for n in range(200)
    }

    assert renamed == {f"queue {n}" for n in range(10)}
    again = [_renamed(Record("events.call", b"c", value, 0), 10).value for _ in range(2)]
    assert again[0] == again[1]  # and not by a hash that changes with the process


@pytest.mark.parametrize("events", [7, SAMPLE + 1, 3 * EVENTS_A_DAY])
def test_a_sample_is_from_all_over_a_day(events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def simulated(events: int) -> Iterator[Record]:
        return (Record("events.call", b"", b"%d" % n, 0) for n in range(events))

    monkeypatch.setattr(records, "_simulated", simulated)

    told = [int(record.value) for record in sample_of(Load(events))]

    within = min(events, EVENTS_A_DAY)
    assert min(within, SAMPLE // 2) <= len(told) <= SAMPLE
    step = told[1] - told[0]
    assert told == list(range(0, within, step))
    assert told[-1] + step >= within
