"""Agent states: from the changes that sources report to how long each agent was in each. Pure.

An agent may be in different states in different queues (paused in one of two, say). A change that
names a queue speaks for that queue, one that names none for the agent as a whole; `overall` makes
one state of them. Time in a state is known when the next change comes: stretches between changes
are contributed to panes, the one that is still running is not.

Many sources have a clock of one second and tell several changes of it (paused and back, gone and
there again). Their order is lost, so it is inferred: work goes from contact to wrap-up to available
to paused to offline, except that a state which the agent was in before is what they came back to.

An agent's changes never end, so those that no event can precede any more are folded into `settled`.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

import msgspec

Change = tuple[int, int, str, str]
"""at_ms, key, queue, state"""
Stretch = tuple[int, int, str]
"""from_ms, to_ms, state"""

_COURSE: Final = ("on_contact", "wrapup", "available", "paused", "offline")
LONGEST_STATE_MS: Final = 7 * 86_400_000
"""A state that lasts longer without a word is counted up to here: the word was lost."""


class AgentTimeline(msgspec.Struct, array_like=True):
    """What is known about one agent's states.

    `settled_at` and `scopes` (queue -> state) are the agent at the last settled change; `changes`
    are those since, by key of their event. `sources` told them.
    """

    tenant: str
    agent: str
    settled_at: int | None = None
    scopes: dict[str, str] = {}
    changes: dict[int, Change] = {}
    sources: list[str] = []

    def is_settled(self, at_ms: int) -> bool:
        """Whether a change at this time comes too late to take its place."""
        return self.settled_at is not None and at_ms <= self.settled_at

    def stretches(self) -> list[Stretch]:
        """The closed stretches since `settled_at`; zero ones left out."""
        found: list[Stretch] = []
        scopes = dict(self.scopes)
        began = self.settled_at
        for at, changes in _by_instant(self.changes.values()):
            if began is not None:
                found.append((began, min(at, began + LONGEST_STATE_MS), overall(scopes)))
            began = at
            _apply(scopes, changes)
        return found

    def settle(self, before_ms: int) -> None:
        """Fold changes older than `before_ms` into the settled part."""
        for at, changes in _by_instant(self.changes.values()):
            if at >= before_ms:
                break
            _apply(self.scopes, changes)
            self.settled_at = at
            for change in changes:
                del self.changes[change[1]]


def overall(scopes: dict[str, str]) -> str:
    """One state for an agent who is in several, by queue ("" is the agent as a whole)."""
    whole = scopes.get("")
    if whole in ("offline", "paused", "on_contact", "wrapup"):
        return whole
    in_queues = [state for queue, state in scopes.items() if queue]
    if in_queues:
        return min(in_queues, key=_COURSE.index)
    return whole or "offline"


def _by_instant(changes: Iterable[Change]) -> Iterator[tuple[int, list[Change]]]:
    for at, together in groupby(sorted(changes), key=lambda change: change[0]):
        yield at, list(together)


def _apply(scopes: dict[str, str], changes: list[Change]) -> None:
    """Bring `scopes` past the changes of one instant."""
    if len(changes) > 1:
        before = dict(scopes)
        changes = sorted(changes, key=lambda change: _place(before, change))
    for _, _, queue, state in changes:
        _change(scopes, queue, state)


def _place(before: dict[str, str], change: Change) -> tuple[bool, int, str]:
    _, _, queue, state = change
    return (before.get(queue) == state, _COURSE.index(state), queue)


def _change(scopes: dict[str, str], queue: str, state: str) -> None:
    whole = scopes.get("")
    if not queue:
        if state == "offline":
            scopes.clear()
    elif (whole, state) == ("paused", "available") or (whole == "offline" != state):
        # Who is there for one queue is there, whatever was said of the agent as a whole before.
        del scopes[""]
    scopes[queue] = state
