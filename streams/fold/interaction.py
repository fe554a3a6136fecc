"""From the set of facts of an interaction to what is known about it. Pure.

`interaction_of` is a function of the sorted facts alone: any order of arrival and any repetition
lead to the same result, and a fact that comes late simply takes its place. Facts that contradict
each other are settled by their order (event time, then causal rank, then key).

How facts are matched: each `queue.entered` begins a visit; an exit belongs to the earliest visit of
its queue that has none; a connection to the earliest visit of its queue that waits for one. Where
the beginning is missing (a log that starts in the middle) the visit is begun by its exit or its
connection, as long before it as the source says that the wait was.
"""

from collections.abc import Iterable

from streams.fold.customers import customer_key, strongest
from streams.fold.facts import (
    CALLBACK,
    CONNECTED,
    ENDED,
    ENTERED,
    EXITED,
    HOLD_ENDED,
    HOLD_STARTED,
    IVR,
    MESSAGE,
    MISSED,
    STARTED,
    TRANSFERRED,
    UNMEASURED,
    WRAPUP_ENDED,
    WRAPUP_STARTED,
    Fact,
)

DISAGREEMENT_MS = 2_000
"""How far a measured duration may be from the difference of its timestamps."""


class Leg:
    """One stay of a contact with a queue and then an agent; `queue` is "" where there was none.

    `outcome` is "" while the contact waits, then "answered" or the reason of the exit.
    """

    __slots__ = (
        "agent",
        "connected_at",
        "ended_at",
        "entered_at",
        "entry_seen",
        "exit_seen",
        "exited_at",
        "hold_at",
        "hold_ms",
        "holds",
        "measured_wait_ms",
        "missed_rings",
        "outcome",
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
        self.agent = ""
        self.exited_at: int | None = None
        self.connected_at: int | None = None
        self.ended_at: int | None = None
        self.measured_wait_ms = UNMEASURED
        self.wait_ms: int | None = None
        self.talk_ms: int | None = None
        self.hold_at: int | None = None
        self.hold_ms = 0
        self.holds = 0
        self.wrapup_at: int | None = None
        self.wrapup_ended_at: int | None = None
        self.wrapup_ms: int | None = None
        self.ring_ms: int | None = None
        self.missed_rings = 0
        self.transfer = ""

    @property
    def concluded_at(self) -> int | None:
        """When nothing more happens here: wrap-up's end, else the talk's, else the exit unanswered."""
        if self.outcome == "answered":
            return self.wrapup_ended_at or self.ended_at
        return self.exited_at


class Interaction:
    """What is known about one interaction. Instants and durations in milliseconds."""

    __slots__ = (
        "agents",
        "customer_name",
        "direction",
        "disagreements",
        "disposition",
        "ended_at",
        "ended_by",
        "first_response_ms",
        "has_beginning",
        "identifiers",
        "language",
        "last_event_at",
        "legs",
        "linked_to",
        "messages",
        "misses",
        "outbound_attempts",
        "purpose",
        "resolved",
        "site",
        "started_at",
        "status",
        "topic",
        "transfers",
        "visits",
    )

    def __init__(self, facts: list[Fact]) -> None:
        self.started_at = facts[0][0]
        self.last_event_at = facts[-1][0]
        self.direction = self.purpose = self.language = self.site = self.linked_to = ""
        self.customer_name = ""
        self.identifiers: dict[str, None] = {}
        self.ended_at: int | None = None
        self.ended_by = self.disposition = self.topic = ""
        self.resolved: bool | None = None
        self.status = "open"
        self.has_beginning = False
        self.visits: list[Leg] = []
        self.legs: list[Leg] = []
        self.agents: dict[str, None] = {}
        self.transfers: list[str] = []
        self.misses: list[tuple[int, str]] = []
        self.outbound_attempts: list[tuple[int, str]] = []
        self.messages = [0, 0, 0, 0]
        self.first_response_ms: int | None = None
        self.disagreements = 0

    def customer_key(self, tenant: str) -> str:
        """The key of the strongest identifier shown so far; "" for an unknown customer."""
        return customer_key(tenant, strongest(self.identifiers))


def interaction_of(facts: Iterable[Fact]) -> Interaction:
    """What `facts` (at least one, in any order) say together."""
    ordered = sorted(facts)
    known = Interaction(ordered)
    visits = known.visits
    for fact in ordered:
        if fact[3] == ENTERED:
            visits.append(Leg(fact[4], fact[0], entry_seen=True))
    for fact in ordered:
        step = _STEPS.get(fact[3])
        if step is not None:
            step(known, fact)
    _settle(known)
    return known


def _started(known: Interaction, fact: Fact) -> None:
    direction, purpose, language, site, linked_to, name, identifiers = fact[7]
    known.has_beginning = True
    known.direction = known.direction or direction
    known.purpose = known.purpose or purpose
    known.language = known.language or language
    known.site = known.site or site
    known.linked_to = known.linked_to or linked_to
    known.customer_name = known.customer_name or name
    for identifier in identifiers:
        known.identifiers[identifier] = None
    if direction == "outbound":
        known.outbound_attempts.append((fact[0], fact[5]))
    if known.ended_at is not None:
        known.status = "open"


def _entered(known: Interaction, fact: Fact) -> None:
    language, name, identifiers = fact[7]
    known.has_beginning = True
    known.status = "open"
    known.language = known.language or language
    known.customer_name = known.customer_name or name
    for identifier in identifiers:
        known.identifiers[identifier] = None
    _leave_leg(known, fact[0])


def _exited(known: Interaction, fact: Fact) -> None:
    at, _, _, _, queue, _, wait_ms, reason = fact
    known.has_beginning = True
    visit = next((v for v in known.visits if v.queue == queue and not v.exit_seen), None)
    if visit is None:
        visit = _begun_by(known, queue, at, wait_ms)
    visit.exit_seen = True
    visit.exited_at = at
    if visit.measured_wait_ms == UNMEASURED:
        visit.measured_wait_ms = wait_ms
    if visit.outcome != "answered":
        visit.outcome = reason
    if reason == "answered" and visit not in known.legs:
        known.legs.append(visit)


def _connected(known: Interaction, fact: Fact) -> None:
    at, _, _, _, queue, agent, wait_ms, ring_ms = fact
    known.has_beginning = True
    known.status = "open"
    leg = next(
        (
            v
            for v in known.visits
            if v.connected_at is None
            and v.outcome in ("", "answered")
            and (v.queue == queue or not queue)
        ),
        None,
    )
    if leg is None:
        leg = _begun_by(known, queue, at, wait_ms)
    if not known.legs or known.legs[-1] is not leg:
        _leave_leg(known, at)
        known.legs.append(leg)
    leg.outcome = "answered"
    leg.agent = agent
    leg.connected_at = at
    if leg.exited_at is None:
        leg.exited_at = at
    if wait_ms != UNMEASURED:
        leg.measured_wait_ms = wait_ms
    if ring_ms != UNMEASURED:
        leg.ring_ms = ring_ms
    if agent:
        known.agents[agent] = None


def _missed(known: Interaction, fact: Fact) -> None:
    at, _, _, _, queue, agent, _, _ = fact
    known.misses.append((at, agent))
    visit = None
    for v in known.visits:
        if (v.queue == queue or not queue) and (visit is None or v.entered_at <= at):
            visit = v
    if visit is not None:
        visit.missed_rings += 1


def _hold_started(known: Interaction, fact: Fact) -> None:
    leg = _leg_of(known, fact[5])
    if leg is not None and leg.hold_at is None:
        leg.hold_at = fact[0]


def _hold_ended(known: Interaction, fact: Fact) -> None:
    leg = _leg_of(known, fact[5])
    if leg is None:
        return
    measured = fact[6]
    if measured == UNMEASURED and leg.hold_at is None:
        return
    leg.hold_ms += measured if measured != UNMEASURED else fact[0] - (leg.hold_at or 0)
    leg.holds += 1
    leg.hold_at = None


def _transferred(known: Interaction, fact: Fact) -> None:
    at, _, _, _, _, agent, talk_ms, (kind, target) = fact
    known.transfers.append(f"{kind}:{target}")
    known.status = "transferred"
    known.ended_at = at
    leg = _leg_of(known, agent)
    if leg is not None:
        leg.transfer = kind
        _end_leg(known, leg, at, talk_ms)


def _ended(known: Interaction, fact: Fact) -> None:
    at, _, _, _, _, agent, talk_ms, (by, disposition, resolved, topic) = fact
    known.status = "ended"
    known.ended_at = at
    known.ended_by = by
    known.disposition = disposition or known.disposition
    known.topic = topic or known.topic
    known.resolved = known.resolved if resolved is None else resolved
    leg = _leg_of(known, agent)
    if leg is not None and leg.ended_at is None:
        _end_leg(known, leg, at, talk_ms)
    for visit in known.visits:
        if not visit.outcome and visit.entered_at <= at:
            # The end came and the exit did not: whoever ended it decides what it was.
            visit.outcome = "abandoned" if by == "customer" else "emptied"
            visit.exited_at = at


def _wrapup_started(known: Interaction, fact: Fact) -> None:
    leg = _leg_of(known, fact[5])
    if leg is not None:
        leg.wrapup_at = fact[0]
        if leg.ended_at is None:
            _end_leg(known, leg, fact[0], UNMEASURED)


def _wrapup_ended(known: Interaction, fact: Fact) -> None:
    leg = _leg_of(known, fact[5])
    if leg is None:
        return
    began = leg.wrapup_at if leg.wrapup_at is not None else leg.ended_at
    measured = fact[6]
    if measured == UNMEASURED and began is None:
        return
    leg.wrapup_ended_at = fact[0]
    leg.wrapup_ms = measured if measured != UNMEASURED else max(0, fact[0] - (began or 0))


def _message(known: Interaction, fact: Fact) -> None:
    author, public, automatic = fact[7]
    known.has_beginning = True
    known.status = "open"
    if automatic:
        known.messages[3] += 1
        return
    known.messages[("customer", "agent", "bot").index(author)] += 1
    if author == "agent" and public and known.first_response_ms is None:
        known.first_response_ms = fact[0] - known.started_at
    if fact[5]:
        known.agents[fact[5]] = None


def _began(known: Interaction, _: Fact) -> None:
    known.has_beginning = True


_STEPS = {
    STARTED: _started,
    IVR: _began,
    CALLBACK: _began,
    ENTERED: _entered,
    MISSED: _missed,
    EXITED: _exited,
    CONNECTED: _connected,
    HOLD_STARTED: _hold_started,
    HOLD_ENDED: _hold_ended,
    MESSAGE: _message,
    TRANSFERRED: _transferred,
    ENDED: _ended,
    WRAPUP_STARTED: _wrapup_started,
    WRAPUP_ENDED: _wrapup_ended,
}


def _begun_by(known: Interaction, queue: str, at: int, wait_ms: int) -> Leg:
    """A visit (or, without a queue, a direct leg) whose beginning is not known."""
    leg = Leg(queue, at - max(0, wait_ms), entry_seen=False)
    if queue:
        known.visits.append(leg)
    return leg


def _leg_of(known: Interaction, agent: str) -> Leg | None:
    """The latest leg of `agent`; the latest of all where the agent is not named or not known."""
    legs = known.legs
    if agent:
        for leg in reversed(legs):
            if leg.agent == agent:
                return leg
    return legs[-1] if legs else None


def _leave_leg(known: Interaction, at: int) -> None:
    """The contact moved on without word from the leg it was on: that one is over."""
    if known.legs and known.legs[-1].ended_at is None:
        _end_leg(known, known.legs[-1], at, UNMEASURED)


def _end_leg(known: Interaction, leg: Leg, at: int, talk_ms: int) -> None:
    if leg.hold_at is not None:
        leg.hold_ms += max(0, at - leg.hold_at)
        leg.holds += 1
        leg.hold_at = None
    leg.ended_at = at
    began = leg.connected_at if leg.connected_at is not None else leg.exited_at
    passed = max(0, at - began - leg.hold_ms) if began is not None else 0
    if talk_ms == UNMEASURED:
        leg.talk_ms = passed
        return
    leg.talk_ms = talk_ms
    if abs(talk_ms - passed - leg.hold_ms) > DISAGREEMENT_MS < abs(talk_ms - passed):
        known.disagreements += 1


def _settle(known: Interaction) -> None:
    """What needs all facts: waits, and the defaults of what nobody said."""
    known.direction = known.direction or "inbound"
    for visit in known.visits:
        if not visit.outcome:
            continue
        left_at = visit.connected_at if visit.connected_at is not None else visit.exited_at
        passed = max(0, left_at - visit.entered_at) if left_at is not None else 0
        if visit.measured_wait_ms == UNMEASURED:
            visit.wait_ms = passed
            continue
        visit.wait_ms = visit.measured_wait_ms
        if visit.entry_seen and abs(visit.wait_ms - passed) > DISAGREEMENT_MS:
            known.disagreements += 1
