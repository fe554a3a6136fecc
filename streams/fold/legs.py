"""Legs of an interaction, and which of them a fact is about. Pure.

A leg is one stay of a contact with a queue and then an agent. One that began in a queue is a visit;
a direct one (an outbound call, a consultation) has no queue. Facts name a queue or an agent, never
a leg, so they are matched, in the order of their times:

- Each `queue.entered` begins a visit.
- An exit unanswered belongs to the earliest visit of its queue that still waits; an answered one
  first to the visit whose connection was already told.
- A connection belongs to the earliest visit of its queue (of any, where it names none) that left
  the queue answered and has no agent yet, or still waits.
- Where there is none (a log that begins in the middle), exit or connection begins the visit, as
  long before it as the source says that the wait was.

A visit is open to facts from `CLOCKS_APART_MS` before its beginning: the parts of a source may have
clocks that differ a little.
"""

from bisect import insort_right
from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from streams.fold.facts import UNMEASURED

CLOCKS_APART_MS: Final = 2_000
"""How far clocks, or a measured duration and the difference of its timestamps, may differ."""


@mypyc_attr(acyclic=True)
class Leg:
    """One stay of a contact with a queue and then an agent; `queue` is "" where there was none.

    `outcome` is "" while the contact waits, then "answered" or the reason of the exit; `presumed`
    says that nobody told it: the interaction's end came without an exit.
    """

    __slots__ = (
        "agent",
        "away_ms",
        "connected_at",
        "ended_at",
        "entered_at",
        "entry_seen",
        "exit_seen",
        "exited_at",
        "hold_again_at",
        "hold_at",
        "hold_ms",
        "holds",
        "measured_talk_ms",
        "measured_wait_ms",
        "missed_rings",
        "outcome",
        "presumed",
        "presumed_hold_ms",
        "queue",
        "ring_ms",
        "talk_ms",
        "transfer",
        "wait_ms",
        "wrapup_at",
        "wrapup_ended_at",
        "wrapup_ms",
    )

    def __init__(self, queue: str, entered_at: int, *, entry_seen: bool) -> None:
        self.queue = queue
        self.entered_at = entered_at
        self.entry_seen = entry_seen
        self.exit_seen = False
        self.outcome = ""
        self.presumed = False
        self.agent = ""
        self.exited_at: int | None = None
        self.connected_at: int | None = None
        self.ended_at: int | None = None
        self.measured_wait_ms = UNMEASURED
        self.wait_ms: int | None = None
        self.measured_talk_ms = UNMEASURED
        self.talk_ms: int | None = None
        self.hold_at: int | None = None
        self.hold_again_at: int | None = None
        self.hold_ms = 0
        self.holds = 0
        self.presumed_hold_ms: int | None = None
        self.away_ms = 0
        self.wrapup_at: int | None = None
        self.wrapup_ended_at: int | None = None
        self.wrapup_ms: int | None = None
        self.ring_ms: int | None = None
        self.missed_rings = 0
        self.transfer = ""

    @property
    def concluded_at(self) -> int | None:
        """When all is over here: wrap-up's end, else the talk's; the exit where unanswered."""
        if self.outcome != "answered":
            return self.exited_at
        if self.wrapup_ended_at is None or self.ended_at is None:
            return self.ended_at
        return max(self.ended_at, self.wrapup_ended_at)

    def end(self, at: int, talk_ms: int) -> None:
        """The conversation is over. The first measured talk stands; else the first end does."""
        again = self.ended_at is not None
        if again and (talk_ms == UNMEASURED or self.measured_talk_ms != UNMEASURED):
            return
        if self.hold_at is not None:
            self.presumed_hold_ms = max(0, at - self.hold_at)
            self.hold_ended(at, UNMEASURED)
        self.ended_at = at
        self.measured_talk_ms = talk_ms

    def resumed(self, at: int) -> None:
        """The contact came back: what passed since the conversation ended was none."""
        if self.ended_at is not None:
            self.away_ms += max(0, at - self.ended_at)
            self.ended_at = None

    def hold_started(self, at: int) -> None:
        """The customer is put on hold.

        A second start is a repetition, unless the hold before ends at the very same instant.
        """
        self.presumed_hold_ms = None
        if self.hold_at is None:
            self.hold_at = at
        else:
            self.hold_again_at = at

    def hold_ended(self, at: int, measured_ms: int) -> None:
        """The customer is off hold; without a start or a measurement nothing is known of it.

        What is measured of a hold that the conversation's end had ended takes the place of what was
        presumed then.
        """
        presumed_ms = self.presumed_hold_ms
        if self.hold_at is None and measured_ms != UNMEASURED and presumed_ms is not None:
            self.hold_ms += measured_ms - presumed_ms
            self.presumed_hold_ms = None
            return
        if measured_ms == UNMEASURED and self.hold_at is None:
            return
        passed = 0 if self.hold_at is None else max(0, at - self.hold_at)
        self.hold_ms += passed if measured_ms == UNMEASURED else measured_ms
        self.holds += 1
        self.hold_at = at if self.hold_again_at == at else None
        self.hold_again_at = None

    def settle(self) -> int:
        """Set wait and talk, once all facts are told; how many measurements the clock denies."""
        disagreements = 0
        self.talk_ms = None
        if self.outcome and self.queue:
            left_at = self.exited_at if self.connected_at is None else self.connected_at
            passed = 0 if left_at is None else max(0, left_at - self.entered_at)
            measured = self.measured_wait_ms
            self.wait_ms = passed if measured == UNMEASURED else measured
            disagreements += self.entry_seen and abs(self.wait_ms - passed) > CLOCKS_APART_MS
        if self.ended_at is not None:
            began = self.exited_at if self.connected_at is None else self.connected_at
            passed = 0 if began is None else max(0, self.ended_at - began - self.away_ms)
            measured = self.measured_talk_ms
            # Whether a source's talk contains the time on hold, it does not say.
            without_hold = max(0, passed - self.hold_ms)
            self.talk_ms = without_hold if measured == UNMEASURED else measured
            disagreements += (
                abs(self.talk_ms - passed) > CLOCKS_APART_MS
                and abs(self.talk_ms - without_hold) > CLOCKS_APART_MS
            )
        return disagreements


def begun_by(visits: list[Leg], queue: str, at: int, wait_ms: int) -> Leg:
    """A leg whose beginning nobody told; among the visits, in order, where it has a queue."""
    leg = Leg(queue, at - max(0, wait_ms), entry_seen=False)
    if queue:
        insort_right(visits, leg, key=entered_at)
    return leg


def entered_at(leg: Leg) -> int:
    """The instant at which it began."""
    return leg.entered_at


def left_by(visits: list[Leg], queue: str, at: int, *, answered: bool) -> Leg | None:
    """The visit that an exit at `at` belongs to."""
    here = [v for v in visits if v.queue == queue and not v.exit_seen and _begun(v, at)]
    if answered:
        return (
            _first(here, _talks)
            or _first(here, _waits)
            or _just_presumed(here, at)
            or _first(here[::-1], _was_connected)
        )
    # Connected, says one; gone, says the other: it cannot be a visit of its own.
    return _first(here, _waits) or _just_presumed(here, at) or _first(here, _talks)


def answered_by(visits: list[Leg], queue: str, at: int) -> Leg | None:
    """The visit that a connection at `at` belongs to."""
    here = [
        v
        for v in visits
        if v.connected_at is None and v.ended_at is None and (v.queue == queue or not queue)
        if _begun(v, at)
    ]
    found = _first(here, _is_answered) or _first(here, _waits)
    return found or (_just_presumed(here, at) if queue else None)


def missed_at(visits: list[Leg], queue: str, at: int) -> Leg | None:
    """The visit during which an agent's phone rang in vain: the latest begun by then."""
    here = [v for v in visits if v.queue == queue or not queue]
    for visit in reversed(here):
        if visit.entered_at <= at:
            return visit
    return here[0] if here else None


def of_agent(legs: list[Leg], agent: str) -> Leg | None:
    """The latest leg of `agent`; the latest of all where the agent is not named or not known."""
    if agent:
        for leg in reversed(legs):
            if leg.agent == agent:
                return leg
    return legs[-1] if legs else None


def wrapping_up(legs: list[Leg], agent: str) -> Leg | None:
    """The latest leg that `agent` (anybody, where none is named) wraps up still.

    Who writes to several at a time may have the contact back before that is done.
    """
    for leg in reversed(legs):
        wraps_up = leg.wrapup_at is not None and leg.wrapup_ended_at is None
        if wraps_up and (not agent or leg.agent == agent):
            return leg
    return None


def _first(legs: list[Leg], fits: Callable[[Leg], bool]) -> Leg | None:
    for leg in legs:
        if fits(leg):
            return leg
    return None


def _begun(visit: Leg, at: int) -> bool:
    return visit.entered_at <= at + CLOCKS_APART_MS


def _waits(visit: Leg) -> bool:
    return not visit.outcome


def _is_answered(visit: Leg) -> bool:
    return visit.outcome == "answered"


def _was_connected(visit: Leg) -> bool:
    return visit.connected_at is not None


def _talks(visit: Leg) -> bool:
    return visit.connected_at is not None and visit.ended_at is None


def _just_presumed(visits: list[Leg], at: int) -> Leg | None:
    """The first whose end came without an exit, and so near that the exit may be this one."""
    for visit in visits:
        if visit.presumed and at <= (visit.exited_at or at) + CLOCKS_APART_MS:
            return visit
    return None
