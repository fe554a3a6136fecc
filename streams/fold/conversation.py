"""The written side of an interaction: messages, answers, the ticket, and what was solved. Pure.

Fed with the facts of one interaction in their order by `streams.fold.interaction`; an interaction
without messages and tickets has none of this.

- *Response*: a public message that an agent wrote. What bots and machines write answers nobody.
- *Waiting since*: the customer's first message that no response followed yet. An end, and a ticket
  that is solved, say that no answer is due any more.
- *Solved*: the ticket is solved or closed, or the interaction ended resolved. It is reopened when
  the ticket moves back, or when the interaction goes on after such an end.
"""

from typing import Any, Final

from mypy_extensions import mypyc_attr

SOLVED_STATUSES: Final = frozenset({"solved", "closed"})
_AUTHORS: Final = ("customer", "agent", "bot")
_AUTOMATIC: Final = 3


@mypyc_attr(acyclic=True)
class Conversation:
    """What is known of it. Instants and durations in milliseconds.

    `messages` counts those by the customer, by agents, by bots, and automatic ones. `responses` has
    one `(at, queue, agent, first_response_ms, reply_ms)` for each response that answered something,
    either duration None where it does not apply; a first response is the first of them. `solved`
    has one `(at, queue, agent)` each time that it was solved, `reopened_at` the instant at which
    each of those was undone: as many, or one less. Agents are those that events name, "" for none.
    `contributed` belongs to `streams.fold.conversation_panes`: what it made of the first responses.
    """

    __slots__ = (
        "asked_at",
        "contributed",
        "ended_solved",
        "first_response_ms",
        "messages",
        "reopened_at",
        "replies",
        "reply_ms",
        "responses",
        "solved",
        "ticket_status",
        "ticket_status_at",
        "waiting_since",
    )

    def __init__(self) -> None:
        self.messages = [0, 0, 0, 0]
        self.asked_at: int | None = None
        self.waiting_since: int | None = None
        self.first_response_ms: int | None = None
        self.replies = 0
        self.reply_ms = 0
        self.responses: list[tuple[int, str, str, int | None, int | None]] = []
        self.ticket_status = ""
        self.ticket_status_at: int | None = None
        self.ended_solved = False
        self.solved: list[tuple[int, str, str]] = []
        self.reopened_at: list[int] = []
        self.contributed: list[Any] = []

    @property
    def is_solved(self) -> bool:
        """Whether it was solved and not reopened since."""
        return len(self.solved) > len(self.reopened_at)

    def written(self, author: str) -> None:
        """A person or a bot wrote a message."""
        self.messages[_AUTHORS.index(author)] += 1

    def written_by_machine(self) -> None:
        """An automatic message came or went; it asks nothing and answers nothing."""
        self.messages[_AUTOMATIC] += 1

    def asked(self, at: int) -> None:
        """The customer wrote."""
        if self.asked_at is None:
            self.asked_at = at
        if self.waiting_since is None:
            self.waiting_since = at

    def responded(self, at: int, queue: str, agent: str, due_from: int | None) -> None:
        """An agent wrote to the customer; a first response is measured from `due_from`.

        Where that is None, as where agents write first, there was nothing to respond to yet.
        """
        first_ms = reply_ms = None
        if self.first_response_ms is None and due_from is not None:
            first_ms = self.first_response_ms = at - due_from
        if self.waiting_since is not None:
            reply_ms = at - self.waiting_since
            self.waiting_since = None
            self.replies += 1
            self.reply_ms += reply_ms
        if first_ms is not None or reply_ms is not None:
            self.responses.append((at, queue, agent, first_ms, reply_ms))

    def ticket_moved(self, at: int, queue: str, agent: str, status: str) -> None:
        """The ticket has a new status, or is said once more to have the one it has."""
        if status != self.ticket_status:
            self.ticket_status_at = at
        self.ticket_status = status
        if status in SOLVED_STATUSES:
            self.waiting_since = None
            self._solve(at, queue, agent)
        else:
            self._reopen(at)

    def ended(self, at: int, queue: str, agent: str, *, resolved: bool) -> None:
        """The interaction ended."""
        self.waiting_since = None
        if resolved:
            self._solve(at, queue, agent)
            self.ended_solved = True

    def goes_on(self, at: int) -> None:
        """The interaction goes on after its end, which is void."""
        if self.ended_solved:
            self._reopen(at)

    def _solve(self, at: int, queue: str, agent: str) -> None:
        if not self.is_solved:
            self.solved.append((at, queue, agent))

    def _reopen(self, at: int) -> None:
        self.ended_solved = False
        if self.is_solved:
            self.reopened_at.append(at)
