import json
from datetime import UTC, datetime

from simulator.truth import Contact, Leg, Staff, Visit, to_document
from tests.simulator.centres import small_run

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def test_times_are_utc_and_durations_seconds() -> None:
    leg = Leg("ada", "q", 61_500, ring_ms=2_250, ended_at=None)
    visit = Visit("q", 60_000, outcome="answered", wait_ms=1_500, leg=leg)
    contact = Contact("c", "call", "inbound", 7, 0, "en", visits=[visit], legs=[leg])
    contact.ticket = [(1_000, "new")]
    document = to_document(contact, MONDAY)
    assert document["started_at"] == "2026-03-02T00:00:00.000Z"
    assert document["ended_at"] is None
    (stay,) = document["visits"]
    assert stay["wait_seconds"] == 1.5
    assert stay["leg"]["connected_at"] == "2026-03-02T00:01:01.500Z"
    assert stay["leg"]["ring_seconds"] == 2.25
    assert document["ticket"] == [["2026-03-02T00:00:01.000Z", "new"]]


def test_schedules_and_states_have_their_times() -> None:
    staff = Staff("ada", "north", True, ("en",), ("help",), 1)
    staff.schedule = [(0, 3_600_000, "work")]
    staff.states = [(500, "available", 0)]
    document = to_document(staff, MONDAY)
    assert document["schedule"] == [
        ["2026-03-02T00:00:00.000Z", "2026-03-02T01:00:00.000Z", "work"]
    ]
    assert document["states"] == [["2026-03-02T00:00:00.500Z", "available", 0]]


def test_a_whole_day_can_be_written_as_json_without_milliseconds_in_names() -> None:
    run, _ = small_run()
    documents = [json.loads(json.dumps(d)) for d in run.truth.documents()]
    kinds = {document["is"] for document in documents}
    assert kinds == {"person", "staff", "contact", "blocked", "bond", "selfservice", "mailing"}
    names = {name for document in documents for name in document}
    assert not [name for name in names if name.endswith("_ms")]
