"""A child serves until it is killed, ends by itself, or its parent dies."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from streams.child_process import ChildProcess, free_port

HOST = "127.0.0.1"
DEADLINE_SECONDS = 20.0

SERVER = """
import socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)  # before it is true: who gets through finds it in the log
listener.listen()
while True:
    listener.accept()[0].close()
"""

PARENT = """
import os, signal, sys, time
from pathlib import Path
from streams.child_process import ChildProcess
child = ChildProcess([sys.executable, "-c", sys.argv[1], sys.argv[2]], log_path=Path(sys.argv[3]))
assert child.wait_until_listening("127.0.0.1", int(sys.argv[2]), deadline=time.monotonic() + 20)
os.kill(os.getpid(), signal.SIGKILL)
"""


def serve(tmp_path: Path) -> tuple[ChildProcess, int]:
    port = free_port(HOST)
    arguments = [sys.executable, "-c", SERVER, str(port)]
    return ChildProcess(arguments, log_path=tmp_path / "logs" / "child.log"), port


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def becomes_refused(port: int) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not refuses(port):
        if time.monotonic() > deadline:
            return False
    return True


def test_serves_until_killed(tmp_path: Path) -> None:
    child, port = serve(tmp_path)
    assert child.wait_until_listening(HOST, port, deadline=time.monotonic() + DEADLINE_SECONDS)
    assert child.running
    assert child.log_tail() == "  listening"
    child.kill()
    assert not child.running
    assert becomes_refused(port)
    child.kill()


def test_waiting_for_a_child_that_ends_stops_at_once(tmp_path: Path) -> None:
    child = ChildProcess(
        [sys.executable, "-c", "raise SystemExit('no such luck')"], log_path=tmp_path / "log"
    )
    started = time.monotonic()
    assert not child.wait_until_listening(HOST, free_port(HOST), deadline=started + 600)
    assert time.monotonic() - started < DEADLINE_SECONDS
    assert child.log_tail() == "  no such luck"
    child.send_signal(signal.SIGTERM)
    child.kill()


def test_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    port = free_port(HOST)
    done = subprocess.run(
        [sys.executable, "-c", PARENT, SERVER, str(port), str(tmp_path / "log")], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert becomes_refused(port)


def test_a_stopped_child_can_be_killed(tmp_path: Path) -> None:
    child, port = serve(tmp_path)
    assert child.wait_until_listening(HOST, port, deadline=time.monotonic() + DEADLINE_SECONDS)
    child.send_signal(signal.SIGSTOP)
    assert child.running
    child.kill()
    assert not child.running
    assert becomes_refused(port)
