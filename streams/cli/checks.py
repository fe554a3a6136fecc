"""How `switchboard doctor` examines: findings, and checks that never hang. Prints nothing."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from streams.cli.errors import FORESEEN

ANSWER_SECONDS: Final = 8
"""How long a server may take for one answer, unless it is asked for otherwise."""


class Status(StrEnum):
    """How it is: `problem` keeps the pipeline from working, `warning` may do so later."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` says what to do; empty where there is nothing to do."""

    check: str
    status: Status
    found: str
    advice: str = ""


Check = Callable[[], Iterator[Finding]]


def ok(check: str, found: str) -> Finding:
    """A finding that needs nobody."""
    return Finding(check, Status.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    """A finding that may become a problem."""
    return Finding(check, Status.WARNING, found, advice)


def problem(check: str, found: str, advice: str) -> Finding:
    """A finding that keeps the pipeline from working."""
    return Finding(check, Status.PROBLEM, found, advice)


def examined(name: str, check: Check, advice: str, deadline_seconds: float) -> Iterator[Finding]:
    """The findings of a check as they come.

    A foreseen error ends it with a problem (and `advice`, what to look at first), and so does
    silence for longer than the deadline: the check then goes on in a thread that does not keep the
    program from ending. Any other error is raised.
    """
    found: queue.SimpleQueue[Finding | BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            for finding in check():
                found.put(finding)
        except BaseException as error:  # noqa: BLE001 -- raised again in the caller's thread
            found.put(error)
        else:
            found.put(None)

    threading.Thread(target=run, name=f"doctor {name}", daemon=True).start()
    while True:
        try:
            item = found.get(timeout=deadline_seconds)
        except queue.Empty:
            yield problem(name, f"no answer within {deadline_seconds:g} s", advice)
            return
        match item:
            case None:
                return
            case Finding():
                yield item
            case BaseException() if isinstance(item, FORESEEN):
                yield problem(name, str(item), advice)
                return
            case _:
                raise item
