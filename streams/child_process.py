"""A server as a child process that never outlives its parent, whatever the parent dies of.

I/O: one child process (with its own process group) and its log file. Imports nothing of ours.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

POLL_SECONDS: Final = 0.02
TAIL_LINES: Final = 20

# PR_SET_PDEATHSIG is Linux's alone and fires when the starting *thread* ends. A pipe works
# everywhere: the parent alone holds its writing end, so the reader sees the end of the file at the
# parent's death, by SIGKILL included.
_SUPERVISOR: Final = """
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{ read -r _ <&3; kill -9 "$child"; } &
exec 3<&-
wait "$child"
code=$?
kill "$!" 2>/dev/null
exit "$code"
"""


class ChildProcess:
    """A running server. It ends by `kill`, by itself, or with this process.

    Args:
        arguments: the program and its arguments.
        log_path: where its output is appended; directories are made.

    It has a process group of its own: Ctrl-C on a terminal reaches the parent alone, which then
    ends its children in the order that suits it.
    """

    def __init__(self, arguments: Sequence[str], *, log_path: Path) -> None:
        """Start it. Returns at once; `wait_until_listening` tells when it serves."""
        self.log_path = log_path
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _SUPERVISOR, "switchboard-child", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it is alive."""
        return self._process.poll() is None

    def wait_until_listening(self, host: str, port: int, *, deadline: float) -> bool:
        """Wait until something accepts connections there, by `time.monotonic()` at `deadline`.

        Returns:
            False if the child ended first or the deadline passed.
        """
        while self.running and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((host, port), 1.0):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to its process group; nothing happens if it has already ended."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it at once, without asking. Safe to call again."""
        self.send_signal(signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def log_tail(self) -> str:
        """Return the last lines of its log, indented, for an error message."""
        lines = self.log_path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (nothing)"


def free_port(host: str) -> int:
    """Return a port of `host` that was free just now; another program may still take it first."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
