"""The oracle's reading of one agent: all changes of state, then time by pane."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from schemas.decode import Event
from schemas.rows import AGENT_PANE_SECONDS

DAY = 86_400_000
PANE = AGENT_PANE_SECONDS * 1000


class AgentLife:
    """One agent as told by the sources of one source partition."""

    def __init__(self, tenant: str, agent: str) -> None:
        self._tenant, self._agent = tenant, agent
        self._changes: list[tuple[int, str, str]] = []
        self._remembered: dict[tuple[str, str], int] = {}
        self._settled_at: int | None = None
        self.sources: set[str] = set()

    def is_settled(self, at: int) -> bool:
        return self._settled_at is not None and at <= self._settled_at

    def tell(self, at: int, event: Event) -> bool:
        """One more change; the same event again, while it is remembered, says nothing new."""
        identity = (event.source, event.id)
        if identity in self._remembered:
            return False
        self._changes.append((at, event.data.queue, event.data.state))
        self._remembered[identity] = at
        self.sources.add(event.source)
        return True

    def settle(self, before: int) -> None:
        """No source can tell of anything earlier than `before` any more: what was is forgotten."""
        done = [at for at, _, _ in self._changes if at < before]
        done += [] if self._settled_at is None else [self._settled_at]
        self._settled_at = max(done, default=None)
        self._remembered = {i: at for i, at in self._remembered.items() if at >= before}

    def counts(self) -> Iterator[tuple[tuple[Any, ...], Counter[Any]]]:
        """(tenant, agent, pane) -> milliseconds by state, from change to change."""
        scopes: dict[str, str] = {}
        instants = sorted({at for at, _, _ in self._changes})
        for at, following in pairwise(instants):
            self._take(scopes, [c for c in self._changes if c[0] == at])
            state = _summary(scopes)
            if state == "offline":
                continue
            until = min(following, at + 7 * DAY)
            for pane in range(at // PANE, (until - 1) // PANE + 1):
                begin, end = max(at, pane * PANE), min(until, (pane + 1) * PANE)
                key = (self._tenant, self._agent, pane * AGENT_PANE_SECONDS)
                yield key, Counter({f"state_{state}_ms": end - begin})

    @staticmethod
    def _take(scopes: dict[str, str], changes: list[tuple[int, str, str]]) -> None:
        """All changes of one instant: what was so before comes last, it is what they return to."""
        course = ["on_contact", "wrapup", "available", "paused", "offline"]
        before = dict(scopes)
        changes.sort(key=lambda c: (before.get(c[1]) == c[2], course.index(c[2]), c[1]))
        for _, queue, state in changes:
            whole = scopes.get("")
            if queue == "" and state == "offline":
                scopes.clear()
            if queue and whole == "offline" and state != "offline":
                del scopes[""]
            if queue and whole == "paused" and state == "available":
                del scopes[""]
            scopes[queue] = state


def _summary(scopes: dict[str, str]) -> str:
    whole = scopes.get("", "")
    if whole not in ("", "available"):
        return whole
    in_queues = {state for queue, state in scopes.items() if queue}
    for state in ("on_contact", "wrapup", "available", "paused", "offline"):
        if state in in_queues:
            return state
    return whole or "offline"
