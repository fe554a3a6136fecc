"""Named places where a fault test can make this process fail.

Off, and free of cost, unless `SWITCHBOARD_FAILPOINTS` is set in the environment, like
`after_rows=kill@3,before_checkpoint=error`: at the third passage of `after_rows` the process kills
itself, at the first of `before_checkpoint` an error is raised. Each fires once, except with
`@*`: at every passage. May touch: the environment, and this process's life.

Actions: `kill` (SIGKILL), `stop` (SIGSTOP: wakes by SIGCONT, as a zombie), `error` (raises
`FailpointReached`).
"""

import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.rows import CheckpointRow
from schemas.tables import ROWS

VARIABLE: Final = "SWITCHBOARD_FAILPOINTS"

FAILPOINTS: Final[dict[str, str]] = {
    **{
        f"{when}_rows:{row_type.TABLE}": f"{when} the rows of {row_type.TABLE} are stored"
        for row_type in ROWS
        if row_type is not CheckpointRow
        for when in ("before", "after")
    },
    "before_announced": "dead letters or late events are about to be published",
    "after_announced": "they are published, their rows are not stored",
    "before_refused": "some rows were refused; their dead letters are not stored yet",
    "after_refused": "dead letters of refused rows are stored",
    "after_rows": "every row of a block is stored, its checkpoints are not",
    "before_checkpoint": "a block's next checkpoints are about to be stored",
    "after_checkpoint": "some of a block's checkpoints are stored, or all",
    "after_block": "a block and its checkpoints are stored; the caller does not know yet",
    "before_load": "a checkpoint is about to be loaded",
    "after_load": "a checkpoint was loaded",
}
"""Every failpoint with its meaning. A name that is not here is refused, so that a mistyped one
does not make a fault test pass."""

_RULE = re.compile(r"(?P<name>[a-z_:]+)=(?P<action>kill|stop|error)(?:@(?P<nth>[1-9]\d*|\*))?")


class FailpointReached(Exception):
    """Raised by the action `error`."""


class FailpointsUnreadable(Exception):
    """The environment variable does not say what the module's docstring describes."""


@dataclass
class _Rule:
    action: Callable[[str], None]
    remaining: int
    """Passages until it fires; 0 once it has; -1 for every passage."""


def _signal(number: int) -> Callable[[str], None]:
    return lambda _name: os.kill(os.getpid(), number)


def _raise(name: str) -> None:
    raise FailpointReached(name)


_ACTIONS: Final[dict[str, Callable[[str], None]]] = {
    "kill": _signal(signal.SIGKILL),
    "stop": _signal(signal.SIGSTOP),
    "error": _raise,
}


def parse(text: str) -> dict[str, _Rule]:
    """The rules of one value of the variable. Raises `FailpointsUnreadable`."""
    rules = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        match = _RULE.fullmatch(item)
        if match is None:
            raise FailpointsUnreadable(f"{VARIABLE}: {item!r} is not like after_rows=kill@3")
        if match["name"] not in FAILPOINTS:
            known = ", ".join(FAILPOINTS)
            raise FailpointsUnreadable(
                f"{VARIABLE}: no failpoint {match['name']!r}; known: {known}"
            )
        nth = match["nth"] or "1"
        rules[match["name"]] = _Rule(_ACTIONS[match["action"]], -1 if nth == "*" else int(nth))
    return rules


_rules = parse(os.environ.get(VARIABLE, ""))


def arm(environment: Mapping[str, str]) -> None:
    """Read the variable again (a process does so once, when this module is imported)."""
    global _rules  # noqa: PLW0603 -- one switchboard for the process, as its name says
    _rules = parse(environment.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Do what was asked for at `name`; nothing, as a rule."""
    if not _rules:
        return
    rule = _rules.get(name)
    if rule is None or rule.remaining == 0:
        return
    if rule.remaining > 0:
        rule.remaining -= 1
        if rule.remaining:
            return
    rule.action(name)
