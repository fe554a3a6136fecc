"""Runs the matrix: tasks over stations, an outcome each, rows of the table out of them."""

import queue
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from tests.faults.clickhouse_faults import small_disk
from tests.faults.compare import Verdict
from tests.faults.generate import Shape
from tests.faults.matrix import (
    Fault,
    failpoint_names,
    join_and_leave,
    kill_at_failpoints,
)
from tests.faults.run import ENOUGH_TO_MEASURE, Run, RunFailed, WorkerEnded
from tests.faults.speeds import undisturbed
from tests.faults.station import Kind, Plan, Station


@dataclass(frozen=True)
class Task:
    """One run: a fault, on a log, with a seed; `names` are the failpoints of this one."""

    fault: Fault
    broker: Kind
    seed: int
    log: int
    """The seed of the log; seeds share logs."""
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
    cpu_seconds: float = 0.0
    """Processor time of its workers."""
    memory_growth_bytes: int = 0
    unfinished: str = ""
    """Why it did not come to its end. Then it was not judged, and its numbers say nothing."""

    @property
    def right(self) -> bool:
        """Whether it came to its end, nothing was lost, repeated or wrong, and nothing else went
        amiss."""
        return self.verdict.clean and not self.problems and not self.unfinished


@dataclass
class Line:
    """A line of the table: one fault on one broker, over all its seeds."""

    fault: str
    broker: str
    seeds: list[int] = field(default_factory=list)
    unfinished: list[int] = field(default_factory=list)
    """Seeds of runs that did not come to their end; they count nowhere else."""
    events: int = 0
    lost: int = 0
    repeated: int = 0
    wrong_rows: int = 0
    recovery_seconds: float = 0.0
    peak_memory_bytes: int = 0
    memory_growth_bytes: int = 0
    """Over the second half of the log, where it was watched."""
    problems: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take over one run: sums of what is wrong, the worst of what is measured."""
        seeds = self.unfinished if outcome.unfinished else self.seeds
        if outcome.task.seed not in seeds:
            seeds.append(outcome.task.seed)
        self.problems += outcome.problems
        if outcome.unfinished:
            return
        self.events = max(self.events, outcome.events)
        self.lost += outcome.verdict.lost
        self.repeated += outcome.verdict.repeated
        self.wrong_rows += outcome.verdict.wrong
        self.recovery_seconds = max(self.recovery_seconds, round(outcome.recovery_seconds, 1))
        self.peak_memory_bytes = max(self.peak_memory_bytes, outcome.peak_memory_bytes)
        self.memory_growth_bytes = max(self.memory_growth_bytes, outcome.memory_growth_bytes)

    @property
    def right(self) -> bool:
        """Whether every run came to its end, and every number that must be zero is."""
        amiss = self.lost or self.repeated or self.wrong_rows or self.problems
        return bool(self.seeds) and not (amiss or self.unfinished)

    def to_json(self) -> dict[str, Any]:
        """The object of `faults.json`."""
        return asdict(self) | {
            "seeds": sorted(self.seeds),
            "unfinished": sorted(self.unfinished),
        }


def tasks(
    faults: Sequence[Fault], brokers: Sequence[Kind], first_seed: int, seeds: int | None, plan: Plan
) -> Iterator[Task]:
    """Every run. Without `seeds` each fault has its own number of them.

    In an order in which whoever stops early has something of every row: first the long ones, which
    others go beside, then all rows of the first logs, then what has more seeds than there are logs;
    those that share a log follow each other.
    """
    most = max((seeds or fault.seeds for fault in faults), default=0)
    found = [
        task
        for broker in brokers
        for seed in range(first_seed, first_seed + most)
        for fault in faults
        if broker in fault.brokers and seed < first_seed + (seeds or fault.seeds)
        for task in _of_seed(fault, broker, seed, plan)
    ]
    again = (first_seed + plan.logs).__le__
    return iter(
        sorted(
            found,
            key=lambda t: (
                brokers.index(t.broker),
                not churns_long(t, plan),
                again(t.seed),
                t.log,
                t.fault.publishes,
                t.shape.name,
            ),
        )
    )


def churns_long(task: Task, plan: Plan) -> bool:
    """Whether workers come and go for all of `plan.churn_seconds` in it."""
    return task.fault.apply is join_and_leave and task.seed <= plan.long_churns


def _of_seed(fault: Fault, broker: Kind, seed: int, plan: Plan) -> Iterator[Task]:
    shape = fault.shapes[seed % len(fault.shapes)]
    log = (seed - 1) % plan.logs + 1
    if fault.apply is kill_at_failpoints:
        for names in failpoint_names(seed, plan.failpoints_a_run):
            yield Task(fault, broker, seed, log, shape, tuple(names))
    else:
        yield Task(fault, broker, seed, log, shape)


def perform(station: Station, task: Task) -> Outcome:
    """One run, from an empty database to the verdict."""
    began = time.monotonic()
    fault = task.fault
    load = station.empty if fault.publishes else station.loaded
    loaded = load(task.log, task.shape)
    if _wants_to_be_alone(task, station.plan) and not loaded.undisturbed:
        loaded.undisturbed += undisturbed(station, loaded)
    dice = random.Random(f"{fault.name} {task.seed} {task.names}")  # noqa: S311 -- to be repeated
    with small_disk(station) if fault.small_disk else nullcontext() as clickhouse:
        with Run(station, loaded, dice, clickhouse) as run:
            run.churns_long = churns_long(task, station.plan)
            unfinished, verdict = "", Verdict()
            try:
                if task.names:
                    kill_at_failpoints(run, task.names)
                else:
                    fault.apply(run)
                verdict = run.finish()
            except RunFailed as failure:
                unfinished = str(failure)
                if isinstance(failure, WorkerEnded):
                    run.problems.append(unfinished)
        return Outcome(
            task,
            len(loaded.log.records),
            verdict,
            run.problems,
            max(run.recoveries, default=0.0),
            run.peak_bytes,
            time.monotonic() - began,
            run.cpu_seconds,
            run.memory_growth_bytes,
            unfinished,
        )


def _broken_off(task: Task, seconds: float) -> Outcome:
    """What came of a run in which the matrix itself failed; to be called where that is handled."""
    return Outcome(task, 0, Verdict(), [], 0.0, 0, seconds, unfinished=traceback.format_exc())


def run_all(
    todo: Sequence[Task], directory: Path, plan: Plan, jobs: int, told: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run every task on as many stations as `jobs`, each station of one broker, both side by side.

    Those that compare speeds come after the others, and one at a time: beside another run one speed
    may be half the other for no fault of the worker. `told` hears of each outcome as it comes.
    """
    alone = [task for task in todo if _wants_to_be_alone(task, plan)]
    outcomes = _side_by_side([t for t in todo if t not in alone], directory, plan, jobs, told)
    for broker in dict.fromkeys(task.broker for task in alone):
        mine = [task for task in alone if task.broker == broker]
        outcomes += _side_by_side(mine, directory, plan, 1, told)
    return outcomes


def _wants_to_be_alone(task: Task, plan: Plan) -> bool:
    return task.fault.compares_speeds and plan.events >= ENOUGH_TO_MEASURE


def _side_by_side(
    todo: Sequence[Task], directory: Path, plan: Plan, jobs: int, told: Callable[[Outcome], None]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    failures: list[str] = []

    def heard(outcome: Outcome) -> None:
        outcomes.append(outcome)
        told(outcome)

    brokers = tuple(dict.fromkeys(task.broker for task in todo))
    threads: list[threading.Thread] = []
    for broker in brokers:
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        mine = [task for task in todo if task.broker == broker]
        for task in mine:
            waiting.put(task)

        def serve(number: int, broker: Kind = broker, waiting: Any = waiting) -> None:
            place = directory / f"{broker}-{number}"
            try:
                while _serves(place, broker, plan, waiting, heard):
                    pass  # a new station: the one before broke
            except Exception:  # noqa: BLE001 -- told by the thread that waits for all
                failures.append(f"station {broker}-{number}:\n{traceback.format_exc()}")

        stations = min(ceil(jobs / len(brokers)), len(mine))
        threads += [threading.Thread(target=serve, args=(n,)) for n in range(stations)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError("\n".join(failures))
    return outcomes


def _serves(
    place: Path,
    broker: Kind,
    plan: Plan,
    waiting: "queue.SimpleQueue[Task]",
    told: Callable[[Outcome], None],
) -> bool:
    """Run tasks on one station until there are none; False then, True if the station broke."""
    with Station(place, broker, plan) as station:
        while True:
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                return False
            began = time.monotonic()
            try:
                outcome = perform(station, task)
            except Exception:  # noqa: BLE001 -- an outcome says so, and exits with 1
                told(_broken_off(task, time.monotonic() - began))
                return True
            told(outcome)


def lines_of(outcomes: Sequence[Outcome], faults: Sequence[Fault]) -> list[Line]:
    """The table, in the matrix's order."""
    found: dict[tuple[str, str], Line] = {}
    order = {fault.title: at for at, fault in enumerate(faults)}
    for outcome in outcomes:
        title, broker = outcome.task.fault.title, outcome.task.broker
        found.setdefault((title, broker), Line(title, broker)).add(outcome)
    return sorted(found.values(), key=lambda line: (line.broker, order[line.fault]))
