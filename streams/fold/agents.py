"""Agent states: from the changes that sources report to how long each agent was in each. Pure.

An agent may be in different states in different queues (paused in one of two, say). A change that
names a queue speaks for that queue, one that names none for the agent as a whole; `overall` makes
one state of them. Time in a state is known when the next change comes: stretches between changes
are contributed to panes, the one that is still running is not.

An agent's changes never end, so those older than the watermark are folded into `settled`, where no
event that still counts can reach.
"""

from typing import Final

import msgspec

Change = tuple[int, int, str, str]
"""at_ms, key, queue, state"""

_BUSIEST: Final = ("on_contact", "wrapup", "available", "paused", "offline")


class AgentTimeline(msgspec.Struct, array_like=True):
    """What is known about one agent's states.

    `settled_at` and `scopes` (queue -> state) are the agent at the last settled change; `changes`
    are those since, by key of their event.
    """

    tenant: str
    agent: str
    settled_at: int | None = None
    scopes: dict[str, str] = {}
    changes: dict[int, Change] = {}

    def stretches(self) -> list[tuple[int, int, str]]:
        """The closed stretches `(from_ms, to_ms, state)` since `settled_at`; zero ones left out."""
        found: list[tuple[int, int, str]] = []
        scopes = dict(self.scopes)
        began = self.settled_at
        for at, _, queue, state in sorted(self.changes.values()):
            if began is not None and at > began:
                found.append((began, at, overall(scopes)))
            began = at
            _change(scopes, queue, state)
        return found

    @property
    def known_until(self) -> int:
        """The time of the latest change; far in the past where there is none."""
        return max((c[0] for c in self.changes.values()), default=self.settled_at or -(1 << 62))

    def settle(self, before_ms: int) -> None:
        """Fold changes older than `before_ms` into the settled part."""
        for change in sorted(self.changes.values()):
            at, key, queue, state = change
            if at >= before_ms:
                break
            _change(self.scopes, queue, state)
            self.settled_at = at
            del self.changes[key]


def overall(scopes: dict[str, str]) -> str:
    """One state for an agent who is in several, by queue ("" is the agent as a whole)."""
    whole = scopes.get("")
    if whole in ("offline", "paused", "on_contact", "wrapup"):
        return whole
    in_queues = [state for queue, state in scopes.items() if queue]
    if in_queues:
        return min(in_queues, key=_BUSIEST.index)
    return whole or "offline"


def _change(scopes: dict[str, str], queue: str, state: str) -> None:
    if not queue and state == "offline":
        scopes.clear()
    elif queue and scopes.get("") == "offline":
        # A member of a queue is there, whatever the last log-off said.
        del scopes[""]
    scopes[queue] = state
