"""What came of runs, kept while a matrix runs: hours of them may be broken off and gone on with.

One line a run, in a file that only grows. A run counts again as long as what decides about it is
the same: the sources of program, oracle and matrix, and the size that was asked for. One that came
out wrong counts, too, until something was changed. Touches that file, and reads sources.
"""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.faults.compare import Verdict
from tests.faults.matrix import Fault
from tests.faults.runner import Outcome, Task
from tests.faults.station import Plan

PROJECT: Final = Path(__file__).parents[2]
DECIDING: Final = ("schemas", "sinks", "streams", "tests/faults", "tests/oracle", "tests/support")
_MEASURED: Final = (
    *("events", "problems", "recovery_seconds", "peak_memory_bytes", "seconds"),
    *("cpu_seconds", "memory_growth_bytes", "unfinished"),
)


def code_of(folders: Sequence[Path]) -> str:
    """A name for the content of all Python and SQL files in these folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".sql")):
            digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


class Results:
    """The runs of one plan over one state of the sources, in a file beside those of others."""

    def __init__(self, file: Path, plan: Plan, code: str) -> None:
        self._file = file
        self._under = {"code": code, "plan": asdict(plan)}
        self._lock = threading.Lock()

    def add(self, outcome: Outcome) -> None:
        """Write one down. May be called from several threads."""
        line = self._under | {
            "task": _named(outcome.task),
            "verdict": asdict(outcome.verdict),
            **{name: getattr(outcome, name) for name in _MEASURED},
        }
        with self._lock:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a") as lines:
                lines.write(json.dumps(line) + "\n")

    def of(self, tasks: Sequence[Task]) -> list[Outcome]:
        """What came of those of the tasks that were run already: to their end, or to one that is a
        fault of the program."""
        wanted = {json.dumps(_named(task)): task for task in tasks}
        found: dict[str, Outcome] = {}
        for line in self._file.read_text().splitlines() if self._file.exists() else ():
            said = _read(line)
            name = json.dumps(said.get("task"))
            if (
                name in wanted
                and self._under.items() <= said.items()
                and (said["problems"] or not said["unfinished"])
            ):
                measured = {key: said[key] for key in _MEASURED}
                found[name] = Outcome(wanted[name], verdict=Verdict(**said["verdict"]), **measured)
        return list(found.values())


def _named(task: Task) -> dict[str, Any]:
    fault: Fault = task.fault
    return {
        "fault": fault.name,
        "broker": task.broker,
        "seed": task.seed,
        "log": task.log,
        "shape": task.shape.name,
        "names": list(task.names),
    }


def _read(line: str) -> Mapping[str, Any]:
    try:
        said: Mapping[str, Any] = json.loads(line)
    except json.JSONDecodeError:  # the end of a process that was killed while it wrote
        return {}
    return said
