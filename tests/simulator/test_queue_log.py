from collections import Counter

import pytest

from gateway.asterisk_queue_log import Parsed, events_of_line
from schemas.authority import Rejected
from schemas.decode import decode
from simulator.presets import small
from simulator.run import Run
from simulator.truth import Visit


@pytest.fixture(scope="module")
def logged() -> tuple[Run, list[str]]:
    run = Run(small(seed=4))
    return run, list(run.queue_log())


def calls(run: Run) -> list[Visit]:
    return [v for c in run.truth.contacts if c.channel == "call" for v in c.visits]


def test_our_reader_understands_every_line(logged: tuple[Run, list[str]]) -> None:
    events = Counter[str]()
    for line in logged[1]:
        parsed = events_of_line(line.encode(), 0)
        assert isinstance(parsed, Parsed), (line, parsed)
        for record in parsed.records:
            event = decode(record.value)
            assert not isinstance(event, Rejected)
            events[event.type] += 1
    visits = calls(logged[0])
    assert events["queue.entered"] == len(visits)
    assert events["queue.exited"] == sum(v.outcome != "" for v in visits)
    assert events["agent.connected"] == sum(v.outcome == "answered" for v in visits)


def test_lines_say_what_happened_in_whole_seconds(logged: tuple[Run, list[str]]) -> None:
    run, lines = logged
    found = Counter(line.split("|")[4] for line in lines)
    visits = calls(run)
    outcomes = Counter(v.outcome for v in visits)
    assert found["ABANDON"] == outcomes["abandoned"] + outcomes["transferred"]
    assert found["EXITWITHTIMEOUT"] == outcomes["timed_out"] + outcomes["overflowed"]
    assert found["EXITWITHKEY"] == outcomes["key_pressed"] + outcomes["callback_accepted"]
    assert found["EXITEMPTY"] == outcomes["emptied"]
    holds = [int(line.split("|")[5]) for line in lines if "|CONNECT|" in line]
    waits = [v.wait_ms or 0 for v in visits if v.outcome == "answered"]
    assert sum(holds) == pytest.approx(sum(waits) / 1000, abs=len(waits))
    ended = found["COMPLETECALLER"] + found["COMPLETEAGENT"]
    passed_on = found["BLINDTRANSFER"] + found["ATTENDEDTRANSFER"]
    over = [v.leg for v in visits if v.leg is not None and v.leg.ended_at is not None]
    assert passed_on == sum(leg.transfer in ("blind", "consult") for leg in over)
    assert ended == len(over) - passed_on


def test_members_come_pause_and_go(logged: tuple[Run, list[str]]) -> None:
    found = Counter(line.split("|")[4] for line in logged[1])
    assert found["ADDMEMBER"] == found["REMOVEMEMBER"] > 12
    assert found["PAUSEALL"] == found["UNPAUSEALL"] > 12
