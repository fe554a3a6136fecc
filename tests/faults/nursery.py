"""A process that has everything imported and forks workers: `switchboard run` within 0.1 s, not 2.

    python -m tests.faults.nursery

Reads one JSON line an order (`Order`), writes one JSON line a birth (`{"pid": …}`) and one a death
(`{"pid": …, "status": …, "peak_bytes": …, "cpu_ms": …}`; `{"pid": …, "stopped": …}` when one is
only stopped).
It ends when its standard input does, and its workers die with it, whatever it died of. A worker is
exactly the command line's `run`, in a process of its own, with the environment, failpoints
included, that the order names. Touches processes, and the files that orders name.
"""

import gc
import json
import os
import select
import signal
import sys
import threading
from typing import Final, TypedDict

import faust.assignor.partition_assignor
import faust.livecheck
import faust.tables.manager
import faust.worker
import rich._emoji_codes
import rich.table

import streams.app
import streams.cli.run
import streams.faust_app
from sinks.failpoints import arm
from streams.cli import main as switchboard

TICK_SECONDS: Final = 0.02
PREPARED: Final = (
    *(faust.assignor.partition_assignor, faust.livecheck, faust.tables.manager, faust.worker),
    *(rich.table, streams.app, streams.cli.run),
)
"""What a worker would import only when it begins."""


class Order(TypedDict):
    """What one worker is to be."""

    environment: dict[str, str]
    arguments: list[str]
    log: str
    poll_records: int
    """Records of one fetch: a small log makes many blocks only if they are few."""


def _born(order: Order, alive: tuple[int, int]) -> int:
    """Fork a worker. `alive` is a pipe of which only this process has the writing end."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setpgid(0, 0)
        os.close(alive[1])
        threading.Thread(target=_die_with, args=(alive[0],), daemon=True).start()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(number, target)
        os.environ.update(order["environment"])
        arm(os.environ)
        streams.faust_app.MAX_POLL_RECORDS = order["poll_records"]  # type: ignore[misc]
        sys.argv = ["switchboard", *order["arguments"]]
        switchboard()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 -- as the interpreter would
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _die_with(nursery: int) -> None:
    """Nothing is ever written into the pipe: reading ends when the nursery has gone."""
    os.read(nursery, 1)
    os._exit(signal.SIGKILL)


def _say(**words: int) -> None:
    os.write(1, (json.dumps(words) + "\n").encode())


def _bury(alive: set[int]) -> None:
    while alive:
        pid, status, usage = os.wait4(-1, os.WNOHANG | os.WUNTRACED)
        if not pid:
            return
        if os.WIFSTOPPED(status):
            _say(pid=pid, stopped=os.WSTOPSIG(status))
            continue
        alive.discard(pid)
        unit = 1 if sys.platform == "darwin" else 1024
        peak = usage.ru_maxrss * unit
        cpu = round(1000 * (usage.ru_utime + usage.ru_stime))
        _say(pid=pid, status=os.waitstatus_to_exitcode(status), peak_bytes=peak, cpu_ms=cpu)


def main() -> None:
    """Serve orders until there can be no more."""
    gc.freeze()  # what is imported is shared with every worker, and stays shared
    alive: set[int] = set()
    pipe = os.pipe()
    waiting = b""
    while True:
        _bury(alive)
        if not select.select([0], [], [], TICK_SECONDS)[0]:
            continue
        piece = os.read(0, 1 << 16)
        if not piece:
            return
        waiting += piece
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            pid = _born(json.loads(line), pipe)
            alive.add(pid)
            _say(pid=pid)


if __name__ == "__main__":
    main()
