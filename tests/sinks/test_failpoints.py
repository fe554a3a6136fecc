import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sinks import failpoints
from sinks.failpoints import FailpointReached, FailpointsUnreadable, arm, failpoint
from tests.support.clickhouse import PROJECT


@pytest.fixture(autouse=True)
def disarm() -> Iterator[None]:
    yield
    arm({})


def fired(name: str, passages: int) -> list[int]:
    found = []
    for passage in range(1, passages + 1):
        try:
            failpoint(name)
        except FailpointReached:
            found.append(passage)
    return found


@pytest.mark.parametrize(
    ("rule", "passages"),
    [
        ("after_rows=error", [1]),
        ("after_rows=error@3", [3]),
        ("after_rows=error@*", [1, 2, 3, 4, 5]),
        ("before_checkpoint=error", []),
        ("", []),
        (" before_load=error , after_rows=error@2 ", [2]),
    ],
)
def test_a_rule_fires_at_its_passage(rule: str, passages: list[int]) -> None:
    arm({failpoints.VARIABLE: rule})
    assert fired("after_rows", 5) == passages


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("after_row=error", "no failpoint 'after_row'"),
        ("after_rows=explode", "is not like"),
        ("after_rows", "is not like"),
        ("after_rows=kill@0", "is not like"),
    ],
)
def test_a_rule_that_would_never_fire_is_refused(rule: str, words: str) -> None:
    with pytest.raises(FailpointsUnreadable, match=words):
        arm({failpoints.VARIABLE: rule})


def test_kill_ends_the_process_at_once() -> None:
    program = "from sinks.failpoints import failpoint\nfailpoint('after_load')\nprint('alive')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={failpoints.VARIABLE: "after_load=kill"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")
