"""Facts: what is kept of an event in an interaction's state. Pure.

Facts are a set under their keys, and what comes first under a key is the fact. They are ordered by
time, causal rank and key, so any order of arrival sorts alike.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import xxhash
from mypy_extensions import mypyc_attr

from streams.identity.normalise import identifier_texts

_Parts = tuple[int, int, str, str, int, Any]
"""rank, kind, queue, agent, measured_ms, detail"""

UNMEASURED: Final = -1
_hash_of: Final[Callable[[str], int]] = xxhash.xxh3_64_intdigest

SavedFact = tuple[int, int, int, int, str, str, int, Any]
"""A fact's attributes in their order."""

STARTED: Final = 0
IVR: Final = 1
ENTERED: Final = 2
OFFERED: Final = 3
MISSED: Final = 4
EXITED: Final = 5
CONNECTED: Final = 6
HOLD_STARTED: Final = 7
HOLD_ENDED: Final = 8
MESSAGE: Final = 9
AUTOMATIC_MESSAGE: Final = 10
TRANSFER_STARTED: Final = 11
TRANSFERRED: Final = 12
ENDED: Final = 13
WRAPUP_STARTED: Final = 14
WRAPUP_ENDED: Final = 15
CALLBACK: Final = 16
OTHER: Final = 17
TICKET: Final = 18

BEGINNINGS: Final = frozenset({STARTED, IVR, ENTERED, EXITED, CONNECTED, MESSAGE, CALLBACK})
"""Kinds that say enough for an interaction to have a row.

The others (a survey, a recording, the end, an automatic reply) may come long after an interaction
was let go; a row made of them alone would hide the full one.
"""


@mypyc_attr(acyclic=True)
class Fact:
    """One fact; never changed.

    `at` is the event time in milliseconds, `rank` puts facts of one instant into causal order (many
    sources have a clock of one second), `key` is a 64-bit hash of `(source, id)`. `measured_ms` is
    the duration that the source itself measured, or `UNMEASURED`. `detail` is what only this kind
    has: text, a number or a tuple of such.
    """

    __slots__ = ("agent", "at", "detail", "key", "kind", "measured_ms", "queue", "rank")

    def __init__(
        self,
        at: int,
        rank: int,
        key: int,
        kind: int,
        queue: str,
        agent: str,
        measured_ms: int,
        detail: Any,
    ) -> None:
        self.at = at
        self.rank = rank
        self.key = key
        self.kind = kind
        self.queue = queue
        self.agent = agent
        self.measured_ms = measured_ms
        self.detail = detail

    def follows(self, other: "Fact") -> bool:
        """Whether this comes after `other` in the order of facts."""
        if self.at != other.at:
            return self.at > other.at
        if self.rank != other.rank:
            return self.rank > other.rank
        return self.key > other.key

    def save(self) -> SavedFact:
        """What makes the fact again: `Fact(*saved)`."""
        return (
            self.at,
            self.rank,
            self.key,
            self.kind,
            self.queue,
            self.agent,
            self.measured_ms,
            self.detail,
        )


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Facts (of different keys) by time, rank and key."""
    return sorted(facts, key=_order)


def _order(fact: Fact) -> tuple[int, int, int]:
    return (fact.at, fact.rank, fact.key)


_TICKET_COURSE: Final = ("new", "open", "pending", "solved", "closed")


def ms_of(seconds: float | None) -> int:
    """Whole milliseconds of a measured duration; `UNMEASURED` for none."""
    if seconds is None:
        return UNMEASURED
    milliseconds = seconds * 1000.0
    whole = int(milliseconds)
    # Most are whole seconds, and `round` is not compiled.
    return whole if float(whole) == milliseconds else round(milliseconds)


def key_of(source: str, event_id: str) -> int:
    """The 64-bit key of an event's identity."""
    return _hash_of(f"{source}\x00{event_id}")


def _started(d: Any) -> _Parts:
    detail = (
        d.direction,
        d.purpose,
        d.language,
        d.site,
        d.linked_to,
        d.customer.name,
        identifier_texts(d.customer.identifiers),
    )
    return (0, STARTED, "", d.agent, UNMEASURED, detail)


def _entered(d: Any) -> _Parts:
    customer = d.customer
    detail = (d.language, customer.name, identifier_texts(customer.identifiers))
    return (2, ENTERED, d.queue, "", UNMEASURED, detail)


def _exited(d: Any) -> _Parts:
    # Of two exits of one queue in one second, the answered one is the later visit's.
    rank = 6 if d.reason == "answered" else 5
    return (rank, EXITED, d.queue, "", ms_of(d.wait_seconds), d.reason)


def _connected(d: Any) -> _Parts:
    return (7, CONNECTED, d.queue, d.agent, ms_of(d.wait_seconds), ms_of(d.ring_seconds))


def _ended(d: Any) -> _Parts:
    detail = (d.by, d.disposition, d.resolved, d.topic)
    return (12, ENDED, d.queue, d.agent, ms_of(d.talk_seconds), detail)


def _message(from_customer: bool) -> Callable[[Any], _Parts]:
    def parts(d: Any) -> _Parts:
        author = "customer" if from_customer else d.author
        kind = AUTOMATIC_MESSAGE if d.automatic else MESSAGE
        return (9, kind, "", d.agent, UNMEASURED, (author, d.public))

    return parts


def _callback(step: str) -> Callable[[Any], _Parts]:
    return lambda d: (3, CALLBACK, d.queue, d.agent, UNMEASURED, step)


def _ticket(d: Any) -> _Parts:
    # Of two changes in one second, the ticket went its usual way.
    rank = 15 + _TICKET_COURSE.index(d.status)
    return (rank, TICKET, "", d.agent, UNMEASURED, d.status)


def _other(_: Any) -> _Parts:
    return (15, OTHER, "", "", UNMEASURED, None)


FACT_PARTS: Final[dict[str, Callable[[Any], _Parts]]] = {
    "interaction.started": _started,
    "interaction.ended": _ended,
    "ivr.entered": lambda _: (1, IVR, "", "", UNMEASURED, None),
    "ivr.exited": lambda d: (1, IVR, "", "", UNMEASURED, d.outcome),
    "queue.entered": _entered,
    "queue.exited": _exited,
    "agent.offered": lambda d: (3, OFFERED, d.queue, d.agent, UNMEASURED, None),
    "agent.missed": lambda d: (4, MISSED, d.queue, d.agent, ms_of(d.ring_seconds), None),
    "agent.connected": _connected,
    "hold.started": lambda d: (8, HOLD_STARTED, d.queue, d.agent, UNMEASURED, None),
    "hold.ended": lambda d: (9, HOLD_ENDED, d.queue, d.agent, ms_of(d.hold_seconds), None),
    "transfer.started": lambda d: (10, TRANSFER_STARTED, d.queue, d.agent, UNMEASURED, d.kind),
    "transfer.completed": lambda d: (
        11,
        TRANSFERRED,
        d.queue,
        d.agent,
        ms_of(d.talk_seconds),
        (d.kind, d.target),
    ),
    "wrapup.started": lambda d: (13, WRAPUP_STARTED, d.queue, d.agent, UNMEASURED, None),
    "wrapup.ended": lambda d: (14, WRAPUP_ENDED, d.queue, d.agent, ms_of(d.wrapup_seconds), None),
    "message.received": _message(from_customer=True),
    "message.sent": _message(from_customer=False),
    "callback.offered": _callback("offered"),
    "callback.requested": _callback("requested"),
    "callback.attempted": _callback("attempted"),
    "callback.connected": _callback("connected"),
    "callback.failed": _callback("failed"),
    "ticket.status_changed": _ticket,
    "call.blocked": _other,
    "recording.started": _other,
    "recording.paused": _other,
    "recording.resumed": _other,
    "recording.stopped": _other,
    "quality.measured": _other,
    "survey.submitted": _other,
}
"""How each event type of an interaction becomes a fact."""


def fact_of(event_type: str, data: Any, at_ms: int, key: int) -> Fact:
    """The fact that an event of an interaction is kept as."""
    rank, kind, queue, agent, measured, detail = FACT_PARTS[event_type](data)
    return Fact(at_ms, rank, key, kind, queue, agent, measured, detail)
