"""The oracle's reading of what was written: messages, answers, the ticket, and what was solved.

Pure. Instants and durations in milliseconds.
"""

from collections.abc import Sequence
from typing import Any

from tests.oracle.stay import Told

SETTLED = ("solved", "closed")
GOES_ON = ("interaction.started", "queue.entered", "agent.connected", "asks", "answers")

Step = tuple[int, str, str, str]
"""When, in which queue, by which agent, and what: a kind of event, `asks`, `answers` or a ticket's
status."""


class Thread:
    """The steps of a contact from its first message or ticket on; `told` with the queue of each."""

    def __init__(self, told: Sequence[tuple[Told, str]], direction: str) -> None:
        self.messages = {"customer": 0, "agent": 0, "bot": 0, "automatic": 0}
        self.statuses: list[tuple[int, str]] = []
        self._started_at = told[0][0].at
        self._outbound = direction == "outbound"
        steps: list[Step] = [
            (t.at, queue, getattr(t.event.data, "agent", ""), self._step(t)) for t, queue in told
        ]
        told_of = [t.event.type.partition(".")[0] in ("message", "ticket") for t, _ in told]
        self._steps = steps[told_of.index(True) :] if any(told_of) else []
        self.first_response = self._first_response()
        self.replies, self.waiting_since = self._replies()
        self.solved, self.undone = self._solutions()

    def _step(self, t: Told) -> str:
        kind, data = t.event.type, t.event.data
        if kind == "ticket.status_changed":
            self.statuses.append((t.at, data.status))
            return str(data.status)
        if kind == "interaction.ended":
            return "ended resolved" if data.resolved else "ended"
        if not kind.startswith("message."):
            return str(kind)
        author = "customer" if kind == "message.received" else data.author
        self.messages["automatic" if data.automatic else author] += 1
        if data.automatic or author == "bot":
            return ""
        if author == "customer":
            return "asks"
        return "answers" if data.public else ""

    def _first_response(self) -> tuple[int, str, int] | None:
        asked = [at for at, _, _, what in self._steps if what == "asks"]
        for number, (at, queue, _, what) in enumerate(self._steps):
            asked_before = any(step[-1] == "asks" for step in self._steps[:number])
            if what == "answers" and (asked_before or not self._outbound):
                return at, queue, at - (asked[0] if self._outbound else self._started_at)
        return None

    def _replies(self) -> tuple[list[tuple[int, str, int]], int | None]:
        replies, unanswered = [], []
        for at, queue, _, what in self._steps:
            if what == "asks":
                unanswered.append(at)
            elif what == "answers" and unanswered:
                replies.append((at, queue, at - unanswered[0]))
            if what in ("answers", "ended", "ended resolved", *SETTLED):
                unanswered = []
        return replies, min(unanswered, default=None)

    def _solutions(self) -> tuple[list[tuple[int, str, str]], list[int]]:
        solved: list[tuple[int, str, str]] = []
        undone: list[int] = []
        until_it_goes_on = False
        for at, queue, agent, what in self._steps:
            if what in ("ended resolved", *SETTLED):
                if len(solved) == len(undone):
                    solved.append((at, queue, agent))
                until_it_goes_on = until_it_goes_on or what == "ended resolved"
            elif what in ("new", "open", "pending") or (until_it_goes_on and what in GOES_ON):
                until_it_goes_on = False
                if len(solved) > len(undone):
                    undone.append(at)
        return solved, undone

    @property
    def ticket(self) -> tuple[str, int | None]:
        """The status of the ticket, and since when."""
        if not self.statuses:
            return "", None
        last = self.statuses[-1][1]
        others = [n for n, (_, status) in enumerate(self.statuses) if status != last]
        return last, self.statuses[others[-1] + 1 if others else 0][0]

    def columns(self, *, is_open: bool) -> dict[str, Any]:
        """Columns of `InteractionRow`."""
        status, since = self.ticket
        return {
            "messages_by_customer": self.messages["customer"],
            "messages_by_agent": self.messages["agent"],
            "messages_by_bot": self.messages["bot"],
            "messages_automatic": self.messages["automatic"],
            "first_response_ms": self.first_response[2] if self.first_response else None,
            "replies": len(self.replies),
            "reply_ms": sum(ms for _, _, ms in self.replies),
            **self._responses(),
            "waiting_since": self.waiting_since if is_open else None,
            "ticket_status": status,
            "ticket_status_at": since,
            "solved_at": [at for at, _, _ in self.solved],
            "solved_agent": [agent for _, _, agent in self.solved],
            "reopened_at": self.undone,
        }

    def _responses(self) -> dict[str, Any]:
        """Every answer that was a reply, a first response, or both."""
        found: list[tuple[int, int | None, str]] = []
        unanswered: list[int] = []
        asked = settled = False
        for at, _, agent, what in self._steps:
            if what == "asks":
                unanswered.append(at)
                asked = True
            elif what == "answers":
                is_first = not settled and (asked or not self._outbound)
                if unanswered or is_first:
                    reply = at - unanswered[0] if unanswered else None
                    found.append((at, reply, agent))
                settled = settled or is_first
            if what in ("answers", "ended", "ended resolved", *SETTLED):
                unanswered = []
        return {
            "responses_at": [at for at, _, _ in found],
            "responses_reply_ms": [reply for _, reply, _ in found],
            "responses_agent": [agent for _, _, agent in found],
        }

    def durations(self) -> list[tuple[str, int, str, int]]:
        """Everything that is measured: its name, when and in which queue it counts, how long."""
        found = [("reply", *reply) for reply in self.replies]
        if self.first_response:
            found.append(("first_response", *self.first_response))
        for name, solved in (("first", self.solved[:1]), ("full", self.solved[-1:])):
            for at, queue, _ in solved:
                found.append((f"{name}_resolution", at, queue, at - self._started_at))
        return found
