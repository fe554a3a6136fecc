"""Runs the matrix: tasks over stations, an outcome each, rows of the table out of them."""

import queue
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.compare import Verdict
from tests.faults.generate import Shape
from tests.faults.matrix import Fault, failpoint_names, kill_at_failpoints, small_disk
from tests.faults.run import Run, RunFailed
from tests.faults.station import Kind, Plan, Station


@dataclass(frozen=True)
class Task:
    """One run: a fault, on a log, with a seed; `names` are the failpoints of this one."""

    fault: Fault
    broker: Kind
    seed: int
    shape: Shape
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.fault.name} --broker {self.broker} --seed {self.seed}"


@dataclass
class Outcome:
    """What came of one run."""

    task: Task
    events: int
    verdict: Verdict
    problems: list[str]
    recovery_seconds: float
    peak_memory_bytes: int
    seconds: float

    @property
    def right(self) -> bool:
        """Whether nothing was lost, repeated or wrong, and nothing else went amiss."""
        return self.verdict.clean and not self.problems


@dataclass
class Line:
    """A line of the table: one fault on one broker, over all its seeds."""

    fault: str
    broker: str
    seeds: list[int] = field(default_factory=list)
    events: int = 0
    lost: int = 0
    repeated: int = 0
    wrong_rows: int = 0
    recovery_seconds: float = 0.0
    peak_memory_bytes: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take over one run: sums of what is wrong, the worst of what is measured."""
        if outcome.task.seed not in self.seeds:
            self.seeds.append(outcome.task.seed)
        self.events = max(self.events, outcome.events)
        self.lost += outcome.verdict.lost
        self.repeated += outcome.verdict.repeated
        self.wrong_rows += outcome.verdict.wrong
        self.recovery_seconds = max(self.recovery_seconds, round(outcome.recovery_seconds, 1))
        self.peak_memory_bytes = max(self.peak_memory_bytes, outcome.peak_memory_bytes)
        self.problems += outcome.problems

    @property
    def right(self) -> bool:
        """Whether every number that must be zero is."""
        return not (self.lost or self.repeated or self.wrong_rows or self.problems)

    def to_json(self) -> dict[str, Any]:
        """The object of `faults.json`."""
        return asdict(self) | {"seeds": sorted(self.seeds)}


def tasks(
    faults: Sequence[Fault], brokers: Sequence[Kind], first_seed: int, seeds: int | None, plan: Plan
) -> Iterator[Task]:
    """Every run, those that share a log side by side. Without `seeds` each fault has its own."""
    most = max((seeds or fault.seeds for fault in faults), default=0)
    for broker in brokers:
        for seed in range(first_seed, first_seed + most):
            found = [
                task
                for fault in faults
                if broker in fault.brokers and seed < first_seed + (seeds or fault.seeds)
                for task in _of_seed(fault, broker, seed, plan)
            ]
            yield from sorted(found, key=lambda t: (t.fault.publishes, t.shape.name))


def _of_seed(fault: Fault, broker: Kind, seed: int, plan: Plan) -> Iterator[Task]:
    shape = fault.shapes[seed % len(fault.shapes)]
    if fault.apply is kill_at_failpoints:
        for names in failpoint_names(seed, plan.failpoints_a_run):
            yield Task(fault, broker, seed, shape, tuple(names))
    else:
        yield Task(fault, broker, seed, shape)


def perform(station: Station, task: Task) -> Outcome:
    """One run, from an empty database to the verdict."""
    began = time.monotonic()
    fault = task.fault
    load = station.empty if fault.publishes else station.loaded
    loaded = load(task.seed, task.shape)
    dice = random.Random(f"{fault.name} {task.seed} {task.names}")  # noqa: S311 -- to be repeated
    with small_disk(station) if fault.small_disk else nullcontext() as clickhouse:
        with Run(station, loaded, dice, clickhouse) as run:
            try:
                if task.names:
                    kill_at_failpoints(run, task.names)
                else:
                    fault.apply(run)
            except RunFailed as failure:
                run.problems.append(str(failure))
            verdict = run.finish()
        return Outcome(
            task,
            len(loaded.log.records),
            verdict,
            run.problems,
            max(run.recoveries, default=0.0),
            run.peak_bytes,
            time.monotonic() - began,
        )


def run_all(
    todo: Sequence[Task], directory: Path, plan: Plan, jobs: int, told: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run every task on as many stations as `jobs`, each station of one broker.

    `told` hears of each outcome as it comes.
    """
    outcomes: list[Outcome] = []
    failures: list[str] = []
    for broker in dict.fromkeys(task.broker for task in todo):
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        mine = [task for task in todo if task.broker == broker]
        for task in mine:
            waiting.put(task)

        def serve(number: int, broker: Kind = broker, waiting: Any = waiting) -> None:
            try:
                with Station(directory / f"{broker}-{number}", broker, plan) as station:
                    while True:
                        try:
                            task = waiting.get_nowait()
                        except queue.Empty:
                            return
                        outcome = perform(station, task)
                        outcomes.append(outcome)
                        told(outcome)
            except Exception:  # noqa: BLE001 -- told by the thread that waits for all
                failures.append(f"station {broker}-{number}:\n{traceback.format_exc()}")

        threads = [threading.Thread(target=serve, args=(n,)) for n in range(min(jobs, len(mine)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise RuntimeError("\n".join(failures))
    return outcomes


def lines_of(outcomes: Sequence[Outcome], faults: Sequence[Fault]) -> list[Line]:
    """The table, in the matrix's order."""
    found: dict[tuple[str, str], Line] = {}
    order = {fault.title: at for at, fault in enumerate(faults)}
    for outcome in outcomes:
        title, broker = outcome.task.fault.title, outcome.task.broker
        found.setdefault((title, broker), Line(title, broker)).add(outcome)
    return sorted(found.values(), key=lambda line: (line.broker, order[line.fault]))
