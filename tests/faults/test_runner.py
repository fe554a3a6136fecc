"""Which runs go side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults import runner
from tests.faults.matrix import MATRIX
from tests.faults.runner import Outcome, Task, run_all, tasks
from tests.faults.station import SHORT, Plan

AWAY = {"clickhouse_away_5_minutes", "clickhouse_away_70_minutes"}


def waves(monkeypatch: pytest.MonkeyPatch, plan: Plan) -> list[tuple[set[str], set[str], int]]:
    """Brokers, faults and jobs of what goes side by side, in order; nothing is run."""
    seen: list[tuple[set[str], set[str], int]] = []

    def noted(todo: Sequence[Task], _: Path, __: Plan, jobs: int, told: Any) -> list[Outcome]:
        seen.append(({task.broker for task in todo}, {task.fault.name for task in todo}, jobs))
        return []

    monkeypatch.setattr(runner, "_side_by_side", noted)
    todo = list(tasks(MATRIX, ["embedded", "apache-kafka"], 1, 1, plan))
    run_all(todo, Path(), plan, 6, lambda _: None)
    return seen


def test_runs_that_compare_speeds_have_the_machine_for_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together, *alone = waves(monkeypatch, Plan())
    others = {fault.name for fault in MATRIX} - AWAY
    assert together == ({"embedded", "apache-kafka"}, others, 6)
    assert alone == [({"embedded"}, AWAY, 1), ({"apache-kafka"}, AWAY, 1)]


def test_logs_that_are_too_small_to_compare_speeds_wait_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = {fault.name for fault in MATRIX}
    assert waves(monkeypatch, SHORT) == [({"embedded", "apache-kafka"}, everything, 6)]
