import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asterisk_line import MAX_LINE_BYTES, agent_of
from gateway.asterisk_queue_log import (
    AGENT_EVENTS,
    CALL_EVENTS,
    Parsed,
    Skipped,
    Unreadable,
    events_of_line,
)
from schemas.decode import Rejected, decode
from schemas.topics import EVENTS_AGENT, EVENTS_CALL

REAL = Path(__file__).parents[3] / "shared" / "data" / "asterisk_queue_log.txt"
SAMPLE = Path(__file__).parents[2] / "samples" / "queue_log.txt"

AT = "2018-12-03T18:25:42Z"
PHONE = {"identifiers": [{"kind": "phone", "value": "12025550123"}]}


def facts(line: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(type, time, data) of each event of a line at 1543861542, which every reader accepts."""
    outcome = events_of_line(f"1543861542|{line}".encode(), 7)
    assert isinstance(outcome, Parsed), outcome
    seen = []
    for record in outcome.records:
        event = decode(record.value)
        assert not isinstance(event, Rejected), event
        assert record.key == event.subject.encode()
        assert record.at == event.time.timestamp()
        raw = json.loads(record.value)
        seen.append((raw["type"], raw["time"], raw.get("data", {})))
    return seen


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "1.2|IT|NONE|ENTERQUEUE||12025550123|3",
            [
                ("interaction.started", AT, {"customer": PHONE}),
                ("queue.entered", AT, {"queue": "IT", "position": 3, "customer": PHONE}),
            ],
        ),
        (
            "1.2|IT|Agent/1127|CONNECT|76|1.3|6",
            [
                (
                    "agent.connected",
                    AT,
                    {"agent": "1127", "queue": "IT", "wait_seconds": 76, "ring_seconds": 6},
                ),
                ("queue.exited", AT, {"queue": "IT", "reason": "answered", "wait_seconds": 76}),
            ],
        ),
        (
            "1.2|IT|NONE|ABANDON|1|2|191",
            [
                (
                    "queue.exited",
                    AT,
                    {"queue": "IT", "reason": "abandoned", "position": 1, "wait_seconds": 191},
                ),
                ("interaction.ended", AT, {"by": "customer", "queue": "IT"}),
            ],
        ),
        (
            "1.2|IT|NONE|EXITWITHTIMEOUT|1|2|300",
            [
                (
                    "queue.exited",
                    AT,
                    {"queue": "IT", "reason": "timed_out", "position": 1, "wait_seconds": 300},
                )
            ],
        ),
        (
            "1.2|IT|NONE|EXITWITHTIMEOUT|1",
            [("queue.exited", AT, {"queue": "IT", "reason": "timed_out", "position": 1})],
        ),
        (
            "1.2|IT|NONE|EXITEMPTY|1|1|8",
            [
                (
                    "queue.exited",
                    AT,
                    {"queue": "IT", "reason": "emptied", "position": 1, "wait_seconds": 8},
                )
            ],
        ),
        (
            "1.2|IT|NONE|EXITWITHKEY|#|2|3|15",
            [
                (
                    "queue.exited",
                    AT,
                    {
                        "queue": "IT",
                        "reason": "key_pressed",
                        "key": "#",
                        "position": 2,
                        "wait_seconds": 15,
                    },
                )
            ],
        ),
        (
            "1.2|IT|Agent/1127|COMPLETEAGENT|5|60|1",
            [
                (
                    "interaction.ended",
                    AT,
                    {"by": "agent", "queue": "IT", "agent": "1127", "talk_seconds": 60},
                )
            ],
        ),
        (
            "1.2|IT|Agent/1127|COMPLETECALLER|5|0|1",
            [
                (
                    "interaction.ended",
                    AT,
                    {"by": "customer", "queue": "IT", "agent": "1127", "talk_seconds": 0},
                )
            ],
        ),
        (
            "1.2|IT|Agent/1128|RINGNOANSWER|9000",
            [("agent.missed", AT, {"agent": "1128", "queue": "IT", "ring_seconds": 9})],
        ),
        (
            "1.2|IT|Agent/1128|RINGCANCELED|1250",
            [("agent.missed", AT, {"agent": "1128", "queue": "IT", "ring_seconds": 1.25})],
        ),
        (
            "1.2|IT|Agent/1128|AGENTDUMP|",
            [("agent.missed", AT, {"agent": "1128", "queue": "IT"})],
        ),
        (
            "1.2|NONE|Agent/1127|OUTDIAL|12025550123||0|0",
            [
                (
                    "interaction.started",
                    AT,
                    {"direction": "outbound", "customer": PHONE, "agent": "1127"},
                )
            ],
        ),
        (
            "1.2|NONE|Agent/1127|OUTANSWER|12025550123|COMPLETECALLER|9|42",
            [
                ("agent.connected", "2018-12-03T18:25:00Z", {"agent": "1127", "wait_seconds": 9}),
                ("interaction.ended", AT, {"by": "customer", "agent": "1127", "talk_seconds": 42}),
            ],
        ),
        (
            "1.2|NONE|Agent/1127|OUTANSWER|12025550123|TRANSFER|9|42",
            [
                ("agent.connected", "2018-12-03T18:25:00Z", {"agent": "1127", "wait_seconds": 9}),
                ("transfer.started", AT, {"kind": "blind", "agent": "1127"}),
            ],
        ),
        (
            "1.2|NONE|Agent/1127|OUTTRANSFER|12025550123|1125|5|5",
            [("transfer.completed", AT, {"kind": "blind", "target": "1125", "agent": "1127"})],
        ),
    ],
)
def test_what_a_line_says(line: str, expected: list[tuple[str, str, dict[str, Any]]]) -> None:
    assert facts(line) == expected


@pytest.mark.parametrize(
    ("event", "by", "disposition"),
    [
        ("OUTCANCEL", "agent", "cancelled"),
        ("OUTCHANUNAVAIL", "system", "unavailable"),
        ("OUTCONGESTION", "system", "congestion"),
        ("OUTBUSY", "system", "busy"),
        ("OUTNOANSWER", "system", "no_answer"),
    ],
)
def test_how_an_outbound_call_was_not_reached(event: str, by: str, disposition: str) -> None:
    ended = {"by": by, "disposition": disposition, "agent": "1127"}
    found = facts(f"1.2|NONE|Agent/1127|{event}|12025550123||1|0")
    assert found == [("interaction.ended", AT, ended)]


@pytest.mark.parametrize(
    ("line", "kind", "target", "talk"),
    [
        ("BLINDTRANSFER|3001|from-internal|6|38|1", "blind", "3001", 38),
        ("BLINDTRANSFER|17885550144|1142|6|38|1", "blind", "1142", 38),
        ("TRANSFER|3001|from-internal|6|38|1", "blind", "3001", 38),
        ("ATTENDEDTRANSFER|BRIDGE||6|30|1", "consult", "", 30),
        ("ATTENDEDTRANSFER|BRIDGE|8f1c-bridge|6|30|1", "consult", "", 30),
        ("ATTENDEDTRANSFER|APP|VoiceMail|6|30|1", "consult", "VoiceMail", 30),
        (
            "ATTENDEDTRANSFER|LINK|Local/9@a-00000001;1|Local/1125@b-00000002;1|6|30|1",
            "consult",
            "1125",
            30,
        ),
    ],
)
def test_transfers_in_every_layout(line: str, kind: str, target: str, talk: int) -> None:
    [(event, at, data)] = facts(f"1.2|IT|Agent/1128|{line}")
    assert (event, at) == ("transfer.completed", AT)
    assert data.pop("target", "") == target
    assert data == {"kind": kind, "agent": "1128", "queue": "IT", "talk_seconds": talk}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("IT|Local/1127@callback-agent|ADDMEMBER|", {"state": "available", "queue": "IT"}),
        ("IT|Agent/1127|ADDMEMBER|PAUSED", {"state": "paused", "queue": "IT"}),
        ("IT|Agent/1127|REMOVEMEMBER|", {"state": "offline", "queue": "IT"}),
        ("NONE|Agent/1127|AGENTLOGIN|SIP/1127-0000a1b2", {"state": "available"}),
        ("NONE|Agent/1127|AGENTCALLBACKLOGIN|hint:1127@default", {"state": "available"}),
        ("NONE|Agent/1127|AGENTLOGOFF|SIP/1127-0000a1b2|25195", {"state": "offline"}),
        (
            "NONE|Agent/1127|AGENTCALLBACKLOGOFF|1127@default|25195|Autologoff",
            {"state": "offline", "reason": "Autologoff"},
        ),
        ("IT|Agent/1127|PAUSE|lunch", {"state": "paused", "queue": "IT", "reason": "lunch"}),
        ("IT|Agent/1127|UNPAUSE|", {"state": "available", "queue": "IT"}),
        ("NONE|Agent/1127|PAUSEALL|lunch", {"state": "paused", "reason": "lunch"}),
        ("NONE|Agent/1127|UNPAUSEALL|", {"state": "available"}),
    ],
)
@pytest.mark.parametrize("call", ["MANAGER", "NONE", "1543625961.49"])
def test_what_an_agent_does(call: str, line: str, expected: dict[str, Any]) -> None:
    assert facts(f"{call}|{line}") == [("agent.state_changed", AT, expected)]
    outcome = events_of_line(f"1543861542|{call}|{line}".encode(), 0)
    assert isinstance(outcome, Parsed)
    assert [(record.topic, record.key) for record in outcome.records] == [(EVENTS_AGENT, b"1127")]


@pytest.mark.parametrize("caller", ["", "anonymous", "Unknown", "<unknown>", "Private", " "])
def test_a_withheld_number_identifies_nobody(caller: str) -> None:
    for _, _, data in facts(f"1.2|IT|NONE|ENTERQUEUE||{caller}|1"):
        assert "customer" not in data


def test_a_caller_without_a_number_is_still_somebody() -> None:
    (_, _, started), _ = facts("1.2|IT|NONE|ENTERQUEUE||alice|1")
    assert started["customer"] == {"identifiers": [{"kind": "other", "value": "alice"}]}


@pytest.mark.parametrize(
    ("member", "agent"),
    [
        ("Agent/1127", "1127"),
        ("Local/1127@callback-agent", "1127"),
        ("Local/1127@from-queue/n", "1127"),
        ("SIP/1127", "1127"),
        ("SIP/1127-0a1b2c3d", "1127"),
        ("PJSIP/1127-0000a", "1127"),
        ("pjsip/anna-maria", "anna-maria"),
        ("Anna Schmidt", "Anna Schmidt"),
        ("sales/anna", "sales/anna"),
        ("NONE", ""),
        ("", ""),
    ],
)
def test_an_agent_is_the_same_by_whatever_way_they_are_reached(member: str, agent: str) -> None:
    assert agent_of(member) == agent


@pytest.mark.parametrize(
    "line",
    [
        "QUEUESTART|",
        "CONFIGRELOAD|",
        "PENALTY|5",
        "RINGINUSE|1",
        "SOMETHING_NEW|1|2",
    ],
)
def test_other_events_are_skipped_by_name(line: str) -> None:
    outcome = events_of_line(f"1543861542|NONE|NONE|NONE|{line}".encode(), 0)
    assert outcome == Skipped(line.split("|", maxsplit=1)[0])


def test_an_empty_line_is_skipped() -> None:
    assert events_of_line(b"", 0) == events_of_line(b"\r", 0) == Skipped("(empty line)")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not a line", "1 fields, expected at least 5"),
        (b"1543861542|1.2|IT|NONE", "4 fields, expected at least 5"),
        (b"yesterday|1.2|IT|NONE|ABANDON|1|1|5", "time is 'yesterday'"),
        (b"-1|1.2|IT|NONE|ABANDON|1|1|5", "time is '-1'"),
        (b"253402300799|1.2|IT|NONE|ABANDON|1|1|5", "not in the years 1990 to 2100"),
        (b"0|1.2|IT|NONE|ABANDON|1|1|5", "not in the years 1990 to 2100"),
        (b"1543861542|1.2|IT|NONE|ABANDON|1|1|-5", "wait is '-5', expected a whole number"),
        (b"1543861542|1.2|IT|NONE|ABANDON|1|1|5s", "wait is '5s'"),
        (b"1543861542|1.2|IT|NONE|ABANDON|1|1|999999999999", "wait_seconds is 999999999999"),
        (b"1543861542|NONE|IT|NONE|ABANDON|1|1|5", "ABANDON without a call id"),
        (b"1543861542||IT|NONE|ABANDON|1|1|5", "ABANDON without a call id"),
        (b"1543861542|1.2|NONE|NONE|ABANDON|1|1|5", "ABANDON without a queue"),
        (b"1543861542|1.2|IT|NONE|CONNECT|1|1|5", "CONNECT without an agent"),
        (b"1543861542|NONE|IT|NONE|PAUSE|lunch", "PAUSE without an agent"),
        (b"1543861542|1.2|NONE|Agent/1|OUTDIAL|", "OUTDIAL without its number (parameter 1)"),
        (
            b"1543861542|1.2|NONE|Agent/1|OUTANSWER|1|MAYBE|1|1",
            "outcome is 'MAYBE', expected one of",
        ),
        (b"1543861542|1.2|NONE|Agent/1|OUTANSWER|1|TRANSFER|1|" + b"9" * 18, "not a credible time"),
        (b"1543861542|1.2|IT|NONE|abandon|1|1|5", "event is 'abandon'"),
        (b"1543861542|1.2|I\xffT|NONE|ABANDON|1|1|5", "not UTF-8 at byte 17"),
        (b"1543861542|1.2|I\0T|NONE|ABANDON|1|1|5", "NUL"),
        (b"1543861542|1.2|I\x07T|NONE|ABANDON|1|1|5", "control character '\\x07' at column 17"),
        (b"1543861542|" + b"1" * 129 + b"|IT|NONE|ABANDON|1|1|5", "call id is longer than 128"),
        (b"1543861542|1.2|IT|" + b"a" * 129 + b"|CONNECT|1", "agent is longer than 128"),
        (b"1543861542|1.2|" + b"q" * 129 + b"|NONE|ABANDON|1|1|5", "queue is"),
        (b"1" * (MAX_LINE_BYTES + 1), "longer than 65536 bytes"),
    ],
)
def test_an_unreadable_line_says_why(line: bytes, reason: str) -> None:
    outcome = events_of_line(line, 0)
    assert isinstance(outcome, Unreadable)
    assert reason in outcome.reason
    assert len(outcome.reason) < 200


def ids(line: bytes, position: int) -> list[str]:
    outcome = events_of_line(line, position)
    assert isinstance(outcome, Parsed)
    return [json.loads(record.value)["id"] for record in outcome.records]


def test_an_event_is_the_same_if_its_line_is_the_same_at_the_same_place() -> None:
    line = b"1543861542|1.2|IT|NONE|ENTERQUEUE||12025550123|3"
    first, second = ids(line, 100)
    assert first != second
    assert ids(line, 100) == ids(line + b"\r", 100) == [first, second]
    assert not {first, second} & set(ids(line, 148))
    assert not {first, second} & set(ids(line + b"0", 100))


def test_tenant_and_source_are_written() -> None:
    line = b"1543861542|1.2|IT|NONE|ENTERQUEUE||12025550123|3"
    outcome = events_of_line(line, 0, tenant="acme", source="asterisk/berlin")
    assert isinstance(outcome, Parsed)
    for record in outcome.records:
        raw = json.loads(record.value)
        assert (raw["tenant"], raw["source"]) == ("acme", "asterisk/berlin")


_FIELD = st.one_of(
    st.text(max_size=20),
    st.integers(-5, 10**20).map(str),
    st.sampled_from(["NONE", "IT", "Agent/1127", "1.2", "MANAGER", "TRANSFER", "LINK", "PAUSED"]),
)
_NAMES = st.sampled_from([*CALL_EVENTS, *AGENT_EVENTS, "QUEUESTART"])
_LINES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda at, before, name, after: "|".join([at, *before, name, *after]).encode(
            errors="surrogatepass"
        ),
        st.one_of(st.integers(0, 5 * 10**9).map(str), _FIELD),
        st.lists(_FIELD, min_size=3, max_size=3),
        _NAMES,
        st.lists(_FIELD, max_size=7),
    ),
)


@given(_LINES, st.integers(0, 2**63))
def test_any_line_is_refused_or_becomes_events_that_every_reader_accepts(
    line: bytes, position: int
) -> None:
    outcome = events_of_line(line, position)
    if isinstance(outcome, Parsed):
        assert outcome.records
        for record in outcome.records:
            event = decode(record.value)
            assert not isinstance(event, Rejected), event
            assert record.key == event.subject.encode()


def summary(path: Path) -> tuple[Counter[str], Counter[str], list[str]]:
    """Events by type, skipped lines by name, reasons of unreadable lines."""
    types, skipped, reasons = Counter[str](), Counter[str](), list[str]()
    seen: set[str] = set()
    position = 0
    for line in path.read_bytes().split(b"\n")[:-1]:
        match events_of_line(line, position):
            case Parsed(records):
                for record in records:
                    event = decode(record.value)
                    assert not isinstance(event, Rejected), event
                    types[event.type] += 1
                    seen.add(event.id)
                    assert record.topic == (
                        EVENTS_AGENT if event.type == "agent.state_changed" else EVENTS_CALL
                    )
            case Skipped(name):
                skipped[name] += 1
            case Unreadable(reason):
                reasons.append(reason)
        position += len(line) + 1
    assert len(seen) == types.total(), "every event has its own id"
    return types, skipped, reasons


def test_the_sample_is_read_whole() -> None:
    types, skipped, reasons = summary(SAMPLE)
    assert reasons == []
    assert set(skipped) == {"QUEUESTART", "CONFIGRELOAD"}
    assert types["queue.entered"] == types["queue.exited"] > 0


@pytest.mark.shared
@pytest.mark.skipif(not REAL.exists(), reason="asterisk_queue_log.txt is not beside the checkout")
def test_the_real_log_is_read_whole() -> None:
    types, skipped, reasons = summary(REAL)
    assert reasons == []
    assert skipped == {"CONFIGRELOAD": 11, "QUEUESTART": 7}
    assert types == {
        "interaction.started": 108 + 128,
        "queue.entered": 108,
        "queue.exited": 93 + 12 + 1,
        "agent.connected": 93 + 77,
        "agent.missed": 360,
        "interaction.ended": 12 + 51 + 38 + 76 + 24 + 18 + 9,
        "transfer.started": 1,
        "transfer.completed": 1 + 1 + 1,
        "agent.state_changed": 26 + 10 + 14 + 10,
    }
