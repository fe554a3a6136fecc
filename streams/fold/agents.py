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
from typing import Any, Final

from mypy_extensions import mypyc_attr

Change = tuple[Any, ...]
"""at_ms, key, queue, state: of fixed length to mypyc it would be made anew for each list"""
Stretch = tuple[int, int, str]
"""from_ms, to_ms, state"""

_SavedChange = tuple[int, int, str, str]
SavedTimeline = tuple[str, str, int | None, dict[str, str], list[_SavedChange], list[str]]
"""tenant, agent, settled_at, scopes, changes, sources"""

_COURSE: Final = ("on_contact", "wrapup", "available", "paused", "offline")
_EVERYWHERE: Final = ("offline", "paused", "on_contact", "wrapup")
"""Of the agent as a whole, what goes before any state in a queue."""
_AFTER_ALL: Final = (1 << 62) - 1
LONGEST_STATE_MS: Final = 7 * 86_400_000
"""A state that lasts longer without a word is counted up to here: the word was lost."""


@mypyc_attr(acyclic=True)
class AgentTimeline:
    """What is known about one agent's states.

    `settled_at` and `scopes` (queue -> state) are the agent at the last settled change; `changes`
    are those since, by key of their event, and `stretches` what they make, closed ones only and
    zero ones left out. `sources` told them. `oldest_at`, `latest_at`, `latest_scopes` and
    `before_latest` (the scopes before the latest instant) follow from these: most changes come in
    order, several in an instant, and then cost no look at the others.
    """

    __slots__ = (
        "agent",
        "before_latest",
        "changes",
        "latest_at",
        "latest_scopes",
        "oldest_at",
        "scopes",
        "settled_at",
        "sources",
        "stretches",
        "tenant",
    )

    def __init__(self, tenant: str, agent: str) -> None:
        self.tenant = tenant
        self.agent = agent
        self.settled_at: int | None = None
        self.scopes: dict[str, str] = {}
        self.changes: dict[int, Change] = {}
        self.stretches: list[Stretch] = []
        self.sources: list[str] = []
        self.oldest_at = 0
        self.latest_at: int | None = None
        self.latest_scopes: dict[str, str] = {}
        self.before_latest: dict[str, str] = {}

    def is_settled(self, at_ms: int) -> bool:
        """Whether a change at this time comes too late to take its place."""
        return self.settled_at is not None and at_ms <= self.settled_at

    def take(self, change: Change) -> tuple[list[Stretch], list[Stretch]]:
        """Take in a change that is not settled; the stretches that go with it and those that come.

        The key of its event must not be among `changes`.
        """
        at: int = change[0]
        key: int = change[1]
        self.oldest_at = min(self.oldest_at, at) if self.changes else at
        self.changes[key] = change
        latest_at = self.latest_at
        if latest_at is not None and at == latest_at:
            # No stretch ends with what holds after it.
            together = sorted([other for other in self.changes.values() if other[0] == at])
            self.latest_scopes = dict(self.before_latest)
            _apply(self.latest_scopes, together)
            return [], []
        if latest_at is not None and at < latest_at:
            before = self.stretches
            self.stretches = self._made()
            gone = [stretch for stretch in before if stretch not in self.stretches]
            return gone, [stretch for stretch in self.stretches if stretch not in before]
        come = []
        if latest_at is not None:
            come.append(_stretch(latest_at, at, self.latest_scopes))
            self.stretches += come
        self.before_latest = dict(self.latest_scopes)
        _change(self.latest_scopes, change[2], change[3])
        self.latest_at = at
        return [], come

    def settle(self, before_ms: int) -> None:
        """Fold changes older than `before_ms` into the settled part, and forget their stretches."""
        if not self.changes or self.oldest_at >= before_ms:
            return
        settled: list[Change] = []
        oldest_at = _AFTER_ALL
        for change in self.changes.values():
            at: int = change[0]
            if at < before_ms:
                settled.append(change)
            elif at < oldest_at:
                oldest_at = at
        for settled_at, together in _by_instant(settled):
            _apply(self.scopes, together)
            self.settled_at = settled_at
        for change in settled:
            del self.changes[change[1]]
        self.oldest_at = oldest_at
        since = self.settled_at
        if since is not None:
            self.stretches = [stretch for stretch in self.stretches if stretch[0] >= since]

    def save(self) -> SavedTimeline:
        """What `restored` makes the timeline of again."""
        changes = list(self.changes.values())
        return (self.tenant, self.agent, self.settled_at, self.scopes, changes, self.sources)

    def _made(self) -> list[Stretch]:
        """The stretches that all changes make since `settled_at`."""
        found: list[Stretch] = []
        scopes = dict(self.scopes)
        began = self.settled_at
        for at, changes in _by_instant(self.changes.values()):
            if began is not None:
                found.append(_stretch(began, at, scopes))
            began = at
            self.before_latest = dict(scopes)
            _apply(scopes, changes)
        self.latest_at, self.latest_scopes = began, scopes
        return found


def restored(saved: SavedTimeline) -> AgentTimeline:
    """The timeline that was saved."""
    tenant, agent, settled_at, scopes, changes, sources = saved
    timeline = AgentTimeline(tenant, agent)
    timeline.settled_at = timeline.latest_at = settled_at
    timeline.scopes, timeline.latest_scopes = scopes, dict(scopes)
    timeline.sources = sources
    for change in changes:
        timeline.take(change)
    return timeline


def _stretch(began: int, at: int, scopes: dict[str, str]) -> Stretch:
    return (began, min(at, began + LONGEST_STATE_MS), overall(scopes))


def overall(scopes: dict[str, str]) -> str:
    """One state for an agent who is in several, by queue ("" is the agent as a whole)."""
    whole = scopes.get("")
    if whole in _EVERYWHERE:
        return whole
    in_queues = [state for queue, state in scopes.items() if queue]
    for state in _COURSE:
        if state in in_queues:
            return state
    return whole or "offline"


def states_in(scopes: dict[str, str]) -> dict[str, str]:
    """The state of an agent by queue; in `""` the one state that `overall` makes."""
    state = overall(scopes)
    found = dict.fromkeys(scopes, state) if scopes.get("") in _EVERYWHERE else dict(scopes)
    found[""] = state
    return found


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
