"""Faults on a small log, one of each kind unless more are asked for: `make faults` in short.

The runs are made side by side before the first test asks for one; only those of selected tests.
"""

from pathlib import Path

import pytest

from tests.conftest import unavailable
from tests.faults.matrix import MATRIX, Fault
from tests.faults.runner import Outcome, Task, run_all, tasks
from tests.faults.station import SHORT, Kind
from tests.support.kafka import missing_tools

pytestmark = pytest.mark.timeout(900)

SEED = 1
SIDE_BY_SIDE = 3
"""More than there are cores, because most of a run is waiting for a group to form."""


def broker_of(fault: Fault) -> Kind:
    """The embedded broker where the fault exists there."""
    return "embedded" if "embedded" in fault.brokers else "apache-kafka"


ALWAYS = frozenset({"kill_at_failpoints", "zombie", "answer_lost", "bad_input"})
"""One of each kind: a worker, the group, the store, the source. The rest take minutes and
run with `make faults`, or `pytest -m faults`."""


def marks_of(fault: Fault) -> list[pytest.MarkDecorator]:
    """What a fault needs, and whether it runs only when asked for."""
    marks = [pytest.mark.kafka] if broker_of(fault) == "apache-kafka" else []
    return marks if fault.name in ALWAYS else [*marks, pytest.mark.faults]


FAULTS = [pytest.param(fault, id=fault.name, marks=marks_of(fault)) for fault in MATRIX]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[Outcome]:
    """What came of every selected fault."""
    selected: list[Fault] = [
        item.callspec.params["fault"]  # type: ignore[misc]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == Path(__file__)
    ]
    todo: list[Task] = []
    brokers: tuple[Kind, ...] = ("embedded", "apache-kafka")
    for broker in brokers:
        mine = [fault for fault in selected if broker_of(fault) == broker]
        if broker == "apache-kafka" and missing_tools():
            continue
        todo += tasks(mine, [broker], SEED, 1, SHORT)
    return run_all(todo, tmp_path_factory.mktemp("faults"), SHORT, SIDE_BY_SIDE, lambda _: None)


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_repeated_or_wrong(fault: Fault, outcomes: list[Outcome]) -> None:
    if broker_of(fault) == "apache-kafka" and (missing := missing_tools()):
        unavailable(f"Apache Kafka needs the packages {', '.join(missing)} (Debian's names)")
    mine = [outcome for outcome in outcomes if outcome.task.fault is fault]
    assert mine
    for outcome in mine:
        assert outcome.problems == [], outcome.task
        assert outcome.verdict.examples == [], outcome.task
        assert outcome.right, outcome.task
