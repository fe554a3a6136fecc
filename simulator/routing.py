"""Routing: who waits for an agent, which agents could take somebody, and who gets whom. Pure.

A *line* is a queue and a language: its agents know the queue's skill and speak the language. Of
those waiting the highest priority goes first, then who has waited longest; of free agents the one
who has been free longest. An agent has slots: one for calls, several for what is written.
"""

from heapq import heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar

from simpy import Event

from simulator.clock import Clock

Line = tuple[str, str]


class Taker(Protocol):
    """An agent, as far as routing is concerned. `slots_used` counts whom they were given."""

    lines: tuple[Line, ...]
    slots_used: int

    @property
    def can_take(self) -> bool:
        """Whether one more contact would find them free."""
        ...


Agent = TypeVar("Agent", bound=Taker)


class Job:
    """Somebody who waits in a line; `assigned` happens with the agent as its value."""

    __slots__ = ("assigned", "line", "rank", "withdrawn")

    def __init__(self, line: Line, rank: tuple[int, int, int], assigned: Event) -> None:
        self.line = line
        self.rank = rank
        self.assigned = assigned
        self.withdrawn = False


class Floor(Generic[Agent]):
    """All lines, and the agents who are free for them."""

    def __init__(self, env: Clock) -> None:
        self._env = env
        self._waiting: dict[Line, list[tuple[tuple[int, int, int], Job]]] = {}
        self._free: dict[Line, dict[Agent, None]] = {}
        self._there: dict[Line, int] = {}
        self._order = count()

    def request(self, line: Line, *, priority: int, since: int) -> Job:
        """Ask for an agent. `since` is when the waiting began, on the first try."""
        job = Job(line, (-priority, since, next(self._order)), self._env.event())
        free = self._free.get(line)
        if free:
            self._assign(job, next(iter(free)))
        else:
            heappush(self._waiting.setdefault(line, []), (job.rank, job))
        return job

    def withdraw(self, job: Job) -> None:
        """Nobody waits for this any more."""
        job.withdrawn = True

    def is_served(self, line: Line) -> bool:
        """Whether any agent of the line is at work, free or not."""
        return self._there.get(line, 0) > 0

    def colleague_of(self, agent: Agent) -> Agent | None:
        """A free agent who shares a line with `agent`, now taken; None if there is none."""
        for line in agent.lines:
            for other in self._free.get(line, ()):
                if other is not agent:
                    self._take(other)
                    return other
        return None

    def arrived(self, agent: Agent) -> None:
        """The agent came to work."""
        for line in agent.lines:
            self._there[line] = self._there.get(line, 0) + 1

    def left(self, agent: Agent) -> None:
        """The agent went home."""
        for line in agent.lines:
            self._there[line] -= 1

    def freed(self, agent: Agent) -> None:
        """The agent may be able to take somebody: whoever waits longest, or the next."""
        while agent.can_take:
            heads = [head for line in agent.lines if (head := self._head(line)) is not None]
            if not heads:
                for line in agent.lines:
                    free = self._free.setdefault(line, {})
                    free.pop(agent, None)
                    free[agent] = None
                return
            first = min(heads, key=lambda job: job.rank)
            heappop(self._waiting[first.line])
            self._assign(first, agent)

    def away(self, agent: Agent) -> None:
        """The agent takes nobody for now."""
        for line in agent.lines:
            self._free.get(line, {}).pop(agent, None)

    def _head(self, line: Line) -> Job | None:
        waiting = self._waiting.get(line)
        while waiting:
            job = waiting[0][1]
            if not job.withdrawn:
                return job
            heappop(waiting)
        return None

    def _assign(self, job: Job, agent: Agent) -> None:
        self._take(agent)
        job.assigned.succeed(agent)

    def _take(self, agent: Agent) -> None:
        agent.slots_used += 1
        if not agent.can_take:
            self.away(agent)
