"""`switchboard run` as people run it: a process of its own, asked by HTTP and by signals."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.support.command_line import SWITCHBOARD, environment

DEADLINE_SECONDS = 60.0
_ADDRESS = re.compile(r"health and metrics at (http://\S+)")


class WorkerProcess:
    """A worker, from the moment at which its web server answers.

    `settings` are environment variables without their prefix, as `BROKER__URL`. The web server's
    port is free, and the directory the worker's own.
    """

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._said = directory / "worker.log"
        variables = {"DATA_DIR": str(directory / "data"), "HTTP__PORT": "0", **settings}
        with self._said.open("ab") as said:
            self._before = said.tell()
            self.process = subprocess.Popen(
                [SWITCHBOARD, "run"],
                cwd=directory,
                env=environment({f"SWITCHBOARD_{k}": v for k, v in variables.items()})
                | {"COLUMNS": "300"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        self._address = ""

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self._said.read_bytes()[self._before :].decode()

    @property
    def address(self) -> str:
        """Of its web server; waits until there is one."""
        if not self._address:
            for _ in self._moments("its web server"):
                if found := _ADDRESS.search(self.said):
                    self._address = found[1]
                    break
        return self._address

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer."""
        try:
            with urlopen(self.address + path, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode().strip()
        except HTTPError as error:
            return error.code, error.read().decode().strip()

    def metric(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    @property
    def partitions(self) -> int:
        """How many source partitions it holds and has recovered."""
        text = self.get("/metrics")[1]
        return len(re.findall(r"^switchboard_checkpoint_offset_records\{", text, re.MULTILINE))

    def wait_ready(self) -> None:
        """Wait until `/readyz` says so."""
        why = ""
        for _ in self._moments("readiness"):
            status, why = self.get("/readyz")
            if status == 200:
                return
        raise TimeoutError(why)

    def wait_for_words(self, words: str) -> None:
        """Wait until `/readyz` says why it is not ready, in words that hold these."""
        for _ in self._moments(f"{words!r} of /readyz"):
            status, said = self.get("/readyz")
            if status == 503 and words in said:
                return

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ended(self, within_seconds: float = DEADLINE_SECONDS) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(within_seconds)

    def terminated(self, within_seconds: float = DEADLINE_SECONDS) -> int:
        """Its exit code after SIGTERM."""
        self.send(signal.SIGTERM)
        return self.ended(within_seconds)

    def _moments(self, what: str) -> Iterator[None]:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                code = self.process.returncode
                raise RuntimeError(f"the worker ended with {code} before {what}:\n{self.said}")
            try:
                yield
            except URLError as error:
                raise RuntimeError(f"no answer while waiting for {what}:\n{self.said}") from error
            time.sleep(0.05)
        raise TimeoutError(f"{what} did not come within {DEADLINE_SECONDS:g} s:\n{self.said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@contextmanager
def stopped(worker: WorkerProcess) -> Iterator[None]:
    """A worker that stands still, and wakes at the end."""
    worker.send(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send(signal.SIGCONT)
