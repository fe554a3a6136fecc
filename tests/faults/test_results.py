"""Runs that were made are known again, as long as what decides about them is the same."""

from dataclasses import replace
from pathlib import Path

from tests.faults.__main__ import missing
from tests.faults.compare import Verdict
from tests.faults.matrix import MATRIX
from tests.faults.results import Results, code_of
from tests.faults.runner import Outcome, Task, lines_of, tasks
from tests.faults.station import SHORT

TASKS: list[Task] = list(tasks(MATRIX, ["embedded"], 1, 2, SHORT))


def outcome(task: Task, *, lost: int = 0) -> Outcome:
    verdict = Verdict(lost=lost, examples=["lost: one"] * lost)
    return Outcome(task, 3_000, verdict, ["a problem"] * lost, 1.5, 1 << 20, 12.0)


def unfinished(task: Task, *problems: str) -> Outcome:
    return replace(outcome(task), unfinished="waited in vain", problems=list(problems))


def test_runs_are_known_again_right_or_wrong(tmp_path: Path) -> None:
    file = tmp_path / "build" / "runs.jsonl"
    made = [outcome(TASKS[0]), outcome(TASKS[3], lost=1)]
    results = Results(file, SHORT, "code")
    assert results.of(TASKS) == []
    for one in made:
        results.add(one)
    assert Results(file, SHORT, "code").of(TASKS) == made
    assert results.of(TASKS[1:3]) == []


def test_runs_of_other_sources_or_another_size_are_not_counted(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    Results(file, SHORT, "code").add(outcome(TASKS[0]))
    assert Results(file, SHORT, "other").of(TASKS) == []
    assert Results(file, replace(SHORT, events=4_000), "code").of(TASKS) == []


def test_a_run_without_an_end_is_never_right_and_is_made_again(tmp_path: Path) -> None:
    task = TASKS[0]
    results = Results(tmp_path / "runs.jsonl", SHORT, "code")
    results.add(unfinished(task))
    assert results.of(TASKS) == []
    (line,) = lines_of([unfinished(task)], MATRIX)
    assert (line.seeds, line.unfinished, line.right) == ([], [task.seed], False)
    assert missing([task], [unfinished(task)]) != []
    results.add(outcome(task))
    assert results.of(TASKS) == [outcome(task)]


def test_a_worker_that_ended_by_itself_is_not_forgotten(tmp_path: Path) -> None:
    results = Results(tmp_path / "runs.jsonl", SHORT, "code")
    results.add(unfinished(TASKS[0], "a worker ended with 1"))
    assert results.of(TASKS) == [unfinished(TASKS[0], "a worker ended with 1")]


def test_what_is_left_is_named_by_row_and_seed() -> None:
    made = [outcome(task) for task in TASKS if task.seed == 1]
    assert missing(TASKS, [outcome(task) for task in TASKS]) == []
    told = missing(TASKS, made)
    assert "missing: zombie --broker embedded: seeds 2" in told
    assert len(told) == len({fault.name for fault in MATRIX if "embedded" in fault.brokers})


def test_a_line_that_was_cut_off_is_no_run(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    results = Results(file, SHORT, "code")
    results.add(outcome(TASKS[0]))
    results.add(outcome(TASKS[1]))
    file.write_text(file.read_text()[:-20])
    assert results.of(TASKS) == [outcome(TASKS[0])]


def test_sources_are_named_by_what_they_hold(tmp_path: Path) -> None:
    source = tmp_path / "part" / "module.py"
    source.parent.mkdir()
    source.write_text("x = 1\n")
    named = code_of([tmp_path])
    (tmp_path / "notes.txt").write_text("no source")
    assert code_of([tmp_path]) == named
    source.write_text("x = 2\n")
    assert code_of([tmp_path]) != named
