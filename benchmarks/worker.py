"""The worker that is measured: started on one core, looked at by its own metrics and the kernel's.

I/O: one child process, `/proc`, its metrics over HTTP. Linux alone.
"""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.records import RECORDS, Load, sample_of

COMPILED: Final = Path("build") / "compiled"
DEADLINE_SECONDS: Final = 1_800.0
WAIT_SECONDS: Final = 0.25
"""Between looks at a worker that has nothing to do yet."""
LOOK_SECONDS: Final = 1.0
"""Between looks at one that works."""
FACTS: Final = (
    "events",
    "interactions",
    "customer_interactions",
    "kpi_panes",
    "agent_panes",
    "dead_letters",
    "late_events",
)
"""Tables whose last row ends a measurement."""
STAGE: Final = "switchboard_stage_cpu_seconds_total:"
STORED: Final = "switchboard_sink_rows_total:"
COVERED: Final = "switchboard_checkpoint_offset_records:"
MEASURED: Final = ("fold", "rows", "insert", "checkpoint")
STAGES: Final = ("fetch", "decode", *MEASURED, "engine")
PYTHON_THREADS: Final = ("switchboard", "python", "sink", "broker", "asyncio")
"""How the names of threads begin that run Python; the others are the embedded engine's."""
_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """The worker at one moment. `threads` is processor seconds by name of the thread."""

    at: float
    metrics: Mapping[str, float]
    threads: Mapping[str, float]
    cpu_seconds: float
    written_bytes: int

    @property
    def rows(self) -> float:
        """Rows stored so far of the tables that count."""
        return sum(self.metrics.get(STORED + t, 0) for t in FACTS)

    @property
    def events(self) -> float:
        """Events whose rows are stored."""
        return self.metrics.get(STORED + "events", 0)

    @property
    def begun(self) -> bool:
        """Whether anything was folded."""
        return self.metrics.get(STAGE + "fold", 0) > 0

    def covered(self) -> dict[tuple[str, int], int]:
        """The next offset that a stored checkpoint covers, by (topic, partition)."""
        found = {}
        for key, value in self.metrics.items():
            if key.startswith(COVERED):
                partition, _, topic = key.removeprefix(COVERED).partition(":")
                found[topic, int(partition)] = int(value)
        return found


class MeasuredWorker:
    """`switchboard run` as a child process; ended with the context, by SIGTERM.

    `before` is Python that it runs first.
    """

    def __init__(
        self,
        bootstrap: str,
        data: Path,
        *,
        compiled: bool,
        core: int,
        settings: Mapping[str, str],
        before: str = "",
    ) -> None:
        environment = os.environ | {
            "SWITCHBOARD_BROKER__URL": bootstrap,
            "SWITCHBOARD_BROKER__SESSION_TIMEOUT_SECONDS": "6",
            "SWITCHBOARD_HTTP__PORT": "0",
            **settings,
        }
        # -P: the compiled packages, not those of the directory in which it is started.
        self._process = subprocess.Popen(
            [
                *("taskset", "-c", str(core), sys.executable, "-P", "-c"),
                f"{before}\nfrom streams.cli import main; main()",
                *("run", "--migrate", "--data", data),
            ],
            env=environment | compiled_path(compiled=compiled),
            stderr=(data.parent / f"{data.name}.log").open("w"),
            start_new_session=True,
        )
        self._log = data.parent / f"{data.name}.log"
        self._address = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def address(self) -> str:
        """`host:port` of its web server; waits until there is one."""
        if not self._address:
            self._address = self._found_address()
        return self._address

    def stop(self) -> None:
        """End it as an operator would. Safe to call twice."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=120)

    def sample(self) -> Sample:
        """Look at it now."""
        metrics = _metrics(self.address)
        return Sample(
            time.monotonic(), metrics, _threads(self.pid), cpu_seconds(self.pid), _written(self.pid)
        )

    def until(
        self,
        condition: Callable[[Sample], bool],
        what: str,
        rest_seconds: float = WAIT_SECONDS,
    ) -> Iterator[Sample]:
        """Looks, each after a rest, up to the one that meets `condition`.

        Raises `SystemExit` when the worker ends or the time is over.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            sample = self.sample()
            yield sample
            if condition(sample):
                return
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise SystemExit(f"the worker did not come to {what}; see {self._log}")
            time.sleep(rest_seconds)

    def peak_rss_bytes(self) -> int:
        return _status(self.pid, "VmHWM")

    def rss_bytes(self) -> int:
        return _status(self.pid, "VmRSS")

    def _found_address(self) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := re.search(r"http://(\S+)", self._log.read_text()):
                return found[1]
            time.sleep(0.05)
        raise SystemExit(f"the worker ended before it was ready; see {self._log}")


def compiled_path(*, compiled: bool) -> dict[str, str]:
    """The environment in which the packages of `make bench` come before the tree's."""
    return {"PYTHONPATH": str(COMPILED.resolve())} if compiled else {}


def stages(first: Sample, last: Sample, events: int, decode_us: float) -> dict[str, float]:
    """Microseconds of processor time an event, by stage; they add up to the process's.

    The worker counts four stages in the threads that do them. `decode` is what decoding the same
    records took by itself, taken off the fold. `engine` is the embedded engine's threads; `fetch`
    is what is left of Python's: the consumer, Faust, the event loop, these looks.

    Raises `SystemExit` where the parts are more than the whole: then one was counted twice.
    """

    def of(stage: str) -> float:
        return last.metrics.get(STAGE + stage, 0) - first.metrics.get(STAGE + stage, 0)

    python = sum(
        seconds - first.threads.get(name, 0)
        for name, seconds in last.threads.items()
        if name.startswith(PYTHON_THREADS)
    )
    total = last.cpu_seconds - first.cpu_seconds
    known = {stage: of(stage) for stage in MEASURED}
    seconds = {
        "fetch": python - sum(known.values()),
        "decode": decode_us * events / 1e6,
        **known,
        "engine": total - python,
    }
    seconds["fold"] -= seconds["decode"]
    if any(of_stage < -0.01 * total for of_stage in seconds.values()):
        raise SystemExit(f"the stages do not add up to the process's {total:.2f} s: {seconds}")
    return {stage: seconds[stage] / events * 1e6 for stage in STAGES}


def decode_us(load: Load, *, compiled: bool, core: int) -> float:
    """What decoding a record of the load takes, as the worker decodes."""
    sample = RECORDS / "sample.json"
    values = [record.value.decode() for record in sample_of(load)]
    sample.write_bytes(msgspec.json.encode(values))
    program = (
        "import json, sys, time; from schemas.decode import decode\n"
        "values = [v.encode() for v in json.load(open(sys.argv[1]))]; decode(values[0])\n"
        "began = time.process_time()\n"
        "for value in values: decode(value)\n"
        "print((time.process_time() - began) / len(values) * 1e6)"
    )
    told = subprocess.run(
        ["taskset", "-c", str(core), sys.executable, "-P", "-c", program, sample],
        env=os.environ | compiled_path(compiled=compiled),
        check=True,
        capture_output=True,
    )
    return float(told.stdout)


@contextmanager
def beside(core: int) -> Iterator[None]:
    """This process and what it starts keep off `core`, where there is another."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before - {core} or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, threads that ended included."""
    return _ticks(Path(f"/proc/{pid}/stat")) / _TICK


def _ticks(stat: Path) -> int:
    fields = stat.read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def _threads(pid: int) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found[(task / "comm").read_text().strip()] += _ticks(task / "stat") / _TICK
        except OSError:
            continue  # a thread that has just ended
    return dict(found)


def _metrics(address: str) -> dict[str, float]:
    """What is looked at, and nothing else: with a thousand queues a whole scrape takes 40 ms."""
    names = urlencode([("name[]", name.removesuffix(":")) for name in (STAGE, STORED, COVERED)])
    with urllib.request.urlopen(f"http://{address}/metrics?{names}", timeout=60) as answer:
        text: Any = answer.read().decode()
    return {
        ":".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _status(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _written(pid: int) -> int:
    found = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
