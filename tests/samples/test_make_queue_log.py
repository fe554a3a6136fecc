import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gateway.asterisk_queue_log import Parsed, Skipped, events_of_line

SAMPLES = Path(__file__).parents[2] / "samples"


def generated(*arguments: str) -> bytes:
    command: list[str | Path] = [sys.executable, SAMPLES / "make_queue_log.py", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_the_committed_sample_is_what_the_generator_writes() -> None:
    assert (SAMPLES / "queue_log.txt").read_bytes() == generated()


def test_a_file_gets_the_same_bytes_as_standard_output(tmp_path: Path) -> None:
    output = tmp_path / "queue_log"
    assert generated("--calls", "20", "--output", str(output)) == b""
    assert output.read_bytes() == generated("--calls", "20")


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_every_line_is_one_that_the_gateway_reads(seed: str) -> None:
    lines = generated("--seed", seed, "--calls", "400").splitlines()
    unread = {
        outcome
        for position, line in enumerate(lines)
        if not isinstance(outcome := events_of_line(line, position), Parsed)
    }
    assert unread == {Skipped("QUEUESTART"), Skipped("CONFIGRELOAD")}


def test_every_call_leaves_the_queue_once_for_each_time_it_entered_it() -> None:
    entered, left, times = Counter[bytes](), Counter[bytes](), list[int]()
    out = {b"CONNECT", b"ABANDON", b"EXITWITHTIMEOUT", b"EXITWITHKEY", b"EXITEMPTY"}
    for line in generated("--calls", "400").splitlines():
        epoch, call, _, _, event = line.split(b"|")[:5]
        times.append(int(epoch))
        entered[call] += event == b"ENTERQUEUE"
        left[call] += event in out
    assert +entered == +left
    assert entered.total() >= 400
    assert times == sorted(times)


def test_all_that_a_centre_meets_is_in_the_sample() -> None:
    events = Counter(
        line.split(b"|")[4].decode()
        for line in (SAMPLES / "queue_log.txt").read_bytes().splitlines()
    )
    for event in (
        *("ABANDON", "EXITWITHTIMEOUT", "EXITWITHKEY", "EXITEMPTY", "RINGNOANSWER", "RINGCANCELED"),
        *("BLINDTRANSFER", "ATTENDEDTRANSFER", "PAUSE", "UNPAUSE", "OUTDIAL", "OUTANSWER"),
    ):
        assert events[event] > 0, event
