"""`make faults`: run the matrix, print the table, write `build/faults.json`.

Exits 1 unless every number that must be 0 is. A matrix that was broken off goes on where it was, as
long as the sources are the same.

python -m tests.faults                                everything, for hours
python -m tests.faults --short                        each fault once, in minutes
python -m tests.faults --only zombie --seeds 5        one fault
python -m tests.faults --only zombie --seed 17 --seeds 1 --broker embedded    one run again
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from tests.faults.matrix import MATRIX, Fault
from tests.faults.results import DECIDING, PROJECT, Results, code_of
from tests.faults.run import ENOUGH_TO_MEASURE
from tests.faults.runner import Line, Outcome, Task, lines_of, run_all, tasks
from tests.faults.station import COMPILED, SHORT, Kind, Plan

BUILD = Path("build")
HEAD = ("fault", "broker", "seeds", "events", "lost", "repeated", "wrong", "recovery s", "peak MiB")
SIDE_BY_SIDE = 2
"""Runs for each core: much of a run is waiting, for a dead worker's session or a group to form."""


def main() -> int:
    """Run what was asked for."""
    names = [fault.name for fault in MATRIX]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=names, metavar="FAULT", default=names)
    parser.add_argument("--broker", choices=get_args(Kind), help="without it both")
    parser.add_argument("--seeds", type=int, help="without it 25 for kills and 5 for the others")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--events", type=int, help="of one log; 200,000, or 3,000 with --short")
    parser.add_argument("--churn", type=float, help="seconds of joining and leaving; 600, or 8")
    jobs = SIDE_BY_SIDE * (os.cpu_count() or 1)
    parser.add_argument("--jobs", type=int, default=jobs, help=f"runs side by side ({jobs})")
    parser.add_argument("--interpreted", action="store_true", help="with the fold as it is")
    parser.add_argument("--missing", action="store_true", help="run nothing; say what is left")
    parser.add_argument("--short", action="store_true", help="small logs, each fault once")
    parser.add_argument(
        "--directory",
        type=Path,
        default=BUILD / "faults",
        help="where brokers and engines keep what they hold (build/faults); in memory, such as"
        " /dev/shm/faults, a run takes a tenth less of the machine",
    )
    parser.add_argument("--anew", action="store_true", help="make runs again that were made")
    asked = parser.parse_args()
    plan = SHORT if asked.short else Plan()
    if asked.events:
        enough = asked.events >= ENOUGH_TO_MEASURE
        plan = replace(plan, events=asked.events, victims_checkpoint=enough)
    if not asked.interpreted:
        if not COMPILED.is_dir():
            raise SystemExit(f"{COMPILED} is not there: `make faults` builds it first.")
        plan = replace(plan, compiled=True)
    if asked.churn:
        plan = replace(plan, churn_seconds=asked.churn)
    faults = [fault for fault in MATRIX if fault.name in asked.only]
    brokers = [asked.broker] if asked.broker else list(get_args(Kind))
    seeds = asked.seeds or (1 if asked.short else None)
    todo = list(tasks(faults, brokers, asked.seed, seeds, plan))
    code = code_of([PROJECT / folder for folder in DECIDING])
    results = Results(BUILD / "faults-runs.jsonl", plan, code)
    before = [] if asked.anew else results.of(todo)
    made = {outcome.task for outcome in before}
    left = [task for task in todo if task not in made]
    print(  # noqa: T201
        f"{len(left)} runs, {asked.jobs} side by side, over sources {code}; {len(before)} were made"
        " before",
        flush=True,
    )
    report = _Report(faults, results, before)
    if not asked.missing:
        run_all(left, asked.directory, plan, asked.jobs, report.hear)
    report.write()
    print(table(report.lines))  # noqa: T201
    print("\n".join(missing(todo, report.outcomes)))  # noqa: T201
    whole = len(report.outcomes) >= len(todo)
    return 0 if whole and all(line.right for line in report.lines) else 1


class _Report:
    """What came of the runs so far, in `build/faults.json`: hours of runs may be broken off."""

    def __init__(
        self, faults: Sequence[Fault], results: Results, before: Sequence[Outcome]
    ) -> None:
        self._faults = faults
        self._results = results
        self.outcomes: list[Outcome] = list(before)
        self._lock = threading.Lock()

    @property
    def lines(self) -> list[Line]:
        """The table."""
        return lines_of(self.outcomes, self._faults)

    def hear(self, outcome: Outcome) -> None:
        """Print one line, seed included, more where something is wrong; write the files."""
        self._results.add(outcome)
        verdict = outcome.verdict
        numbers = f"lost {verdict.lost} repeated {verdict.repeated} wrong {verdict.wrong}"
        state = "right" if outcome.right else "WRONG"
        if outcome.unfinished:
            state, numbers = "UNFINISHED", "not judged"
        took = f"{outcome.seconds:.0f} s, {outcome.cpu_seconds:.0f} s of them its workers'"
        told = [f"{state} {outcome.task}: {numbers}, {took}"]
        whys = (*verdict.examples, *outcome.problems, outcome.unfinished)
        told += [f"    {line}" for line in dict.fromkeys(whys) if line]
        with self._lock:
            print("\n".join(told), flush=True)  # noqa: T201
            self.outcomes.append(outcome)
            self.write()

    def write(self) -> None:
        """Write `build/faults.json`."""
        text = json.dumps([line.to_json() for line in self.lines], indent=2)
        BUILD.mkdir(exist_ok=True)
        (BUILD / "faults.json").write_text(text + "\n")


def missing(todo: Sequence[Task], made: Sequence[Outcome]) -> list[str]:
    """What is left of what was asked for, a line for each row of the table."""
    ended = {outcome.task for outcome in made if not outcome.unfinished}
    left: dict[tuple[str, str], list[int]] = {}
    for task in todo:
        if task not in ended:
            left.setdefault((task.fault.name, task.broker), []).append(task.seed)
    return [
        f"missing: {name} --broker {broker}: seeds {', '.join(map(str, sorted(set(seeds))))}"
        for (name, broker), seeds in left.items()
    ]


def table(lines: list[Line]) -> str:
    """The table as Markdown."""
    rows = [HEAD, tuple("-" * len(name) for name in HEAD)]
    for line in lines:
        numbers = (line.events, line.lost, line.repeated, line.wrong_rows)
        measured = (f"{line.recovery_seconds:.1f}", f"{line.peak_memory_bytes / (1 << 20):.0f}")
        shown = (f"{n:,}" for n in numbers)
        seeds = str(len(line.seeds))
        if line.unfinished:
            seeds += f" ({len(line.unfinished)} unfinished)"
        rows.append((line.fault, line.broker, seeds, *shown, *measured))
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )


if __name__ == "__main__":
    sys.exit(main())
