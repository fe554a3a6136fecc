"""From the set of facts of an interaction to what is known about it. Pure.

`interaction_of` is a function of the sorted facts alone: any order of arrival and any repetition
lead to the same result, and a fact that comes late simply takes its place. Facts that contradict
each other are settled by their order (event time, then causal rank, then key). Which leg a fact
belongs to is decided in `streams.fold.legs`.

An interaction is open until it ends or an agent passes it on, and again once it goes on: with a new
beginning, a queue, an agent, or a message that a person wrote to the other side. What the end said
(by whom, with which disposition, whether resolved) is then void, and the last end counts.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final

from streams.fold.conversation import Conversation
from streams.fold.facts import (
    AUTOMATIC_MESSAGE,
    BEGINNINGS,
    CONNECTED,
    ENDED,
    ENTERED,
    EXITED,
    HOLD_ENDED,
    HOLD_STARTED,
    MESSAGE,
    MISSED,
    STARTED,
    TICKET,
    TRANSFER_STARTED,
    TRANSFERRED,
    UNMEASURED,
    WRAPUP_ENDED,
    WRAPUP_STARTED,
    Fact,
    in_order,
)
from streams.fold.known import Interaction
from streams.fold.legs import (
    Leg,
    answered_by,
    begun_by,
    entered_at,
    left_by,
    missed_at,
    of_agent,
    wrapping_up,
)


def interaction_of(facts: Iterable[Fact]) -> Interaction:
    """What `facts` (at least one, in any order) say together."""
    ordered = list(facts)
    if len(ordered) > 1:
        ordered = in_order(ordered)
    known = Interaction(ordered[0].at)
    for fact in ordered:
        if fact.kind == ENTERED:
            known.visits.append(Leg(fact.queue, fact.at, entry_seen=True))
        elif fact.kind == STARTED:
            known.told_direction = known.told_direction or fact.detail[0]
    for fact in ordered:
        _take(known, fact)
    _settle(known)
    return known


def told_more(known: Interaction, fact: Fact) -> bool:
    """Let `known` take in one more fact, if the result is that of all facts told at once.

    It is where the fact comes after all others (or just before the last, where that makes no
    difference) and changes what none of them means. A visit that
    begins might (an earlier exit, connection or missed ring may belong to it), and so might the
    first word on the direction. If not, `known` is as it was.
    """
    if not fact.follows(known.last_fact):
        if not _is_exit_of_connected(known, fact):
            return False
        known.last_fact_but_one = fact
        _exited(known, fact)
        _settle(known)
        return True
    kind = fact.kind
    if kind == ENTERED:
        if known.visits or known.legs or known.misses:
            return False
        known.visits.append(Leg(fact.queue, fact.at, entry_seen=True))
    elif kind == STARTED and not known.told_direction:
        if fact.detail[0] != known.direction:
            return False
        known.told_direction = fact.detail[0]
    _take(known, fact)
    _settle(known)
    return True


def _is_exit_of_connected(known: Interaction, fact: Fact) -> bool:
    """Whether this is how the only visit left its queue for the agent whom the last fact told of.

    Sources tell the two in either order, in the order of facts the exit comes first, and here both
    orders say the same.
    """
    last = known.last_fact
    if not (fact.kind == EXITED and last.kind == CONNECTED and fact.at == last.at):
        return False
    if fact.detail != "answered" or len(known.visits) != 1:
        return False
    visit = known.visits[0]
    return (
        visit.queue == fact.queue
        and not visit.exit_seen
        and visit.connected_at == fact.at
        and visit.ended_at is None
        and fact.follows(known.last_fact_but_one)
    )


def _take(known: Interaction, fact: Fact) -> None:
    known.last_fact_but_one = known.last_fact
    known.last_fact = fact
    kind = fact.kind
    if kind in BEGINNINGS:
        known.has_beginning = True
    step = _STEPS.get(kind)
    if step is not None:
        step(known, fact)


def _started(known: Interaction, fact: Fact) -> None:
    direction, purpose, language, site, linked_to, name, identifiers = fact.detail
    _reopen(known, fact.at)
    known.purpose = known.purpose or purpose
    known.language = known.language or language
    known.site = known.site or site
    known.linked_to = known.linked_to or linked_to
    known.customer_name = known.customer_name or name
    for identifier in identifiers:
        known.identifiers[identifier] = None
    if direction == "outbound":
        known.outbound_attempts.append((fact.at, fact.agent))


def _entered(known: Interaction, fact: Fact) -> None:
    language, name, identifiers = fact.detail
    _reopen(known, fact.at)
    known.language = known.language or language
    known.customer_name = known.customer_name or name
    for identifier in identifiers:
        known.identifiers[identifier] = None
    # By a clock a little behind, the conversation of this very visit may have begun before it.
    if known.legs and known.legs[-1].entered_at < fact.at:
        _leave_leg(known, fact.at)


def _exited(known: Interaction, fact: Fact) -> None:
    at, queue, wait_ms, reason = fact.at, fact.queue, fact.measured_ms, fact.detail
    answered = reason == "answered"
    visit = left_by(known.visits, queue, at, answered=answered)
    if visit is None:
        visit = begun_by(known.visits, queue, at, wait_ms)
    visit.exit_seen = True
    visit.presumed = False
    visit.exited_at = at
    if visit.measured_wait_ms == UNMEASURED:
        visit.measured_wait_ms = wait_ms
    if visit.outcome != "answered":
        visit.outcome = reason
    if answered:
        _go_on_with(known, visit, at)


def _connected(known: Interaction, fact: Fact) -> None:
    at, queue, agent = fact.at, fact.queue, fact.agent
    wait_ms, ring_ms = fact.measured_ms, fact.detail
    _reopen(known, at)
    leg = answered_by(known.visits, queue, at)
    if leg is None:
        leg = begun_by(known.visits, queue, at, wait_ms)
    _go_on_with(known, leg, at)
    leg.outcome = "answered"
    leg.presumed = False
    leg.agent = agent
    leg.connected_at = at
    if leg.exited_at is None:
        leg.exited_at = at
    if wait_ms != UNMEASURED:
        leg.measured_wait_ms = wait_ms
    if ring_ms != UNMEASURED:
        leg.ring_ms = ring_ms
    known.agents[agent] = None


def _missed(known: Interaction, fact: Fact) -> None:
    known.misses.append((fact.at, fact.agent))
    visit = missed_at(known.visits, fact.queue, fact.at)
    if visit is not None:
        visit.missed_rings += 1


def _hold_started(known: Interaction, fact: Fact) -> None:
    leg = of_agent(known.legs, fact.agent)
    if leg is not None:
        leg.hold_started(fact.at)


def _hold_ended(known: Interaction, fact: Fact) -> None:
    leg = of_agent(known.legs, fact.agent)
    if leg is not None:
        leg.hold_ended(fact.at, fact.measured_ms)


def _transfer_started(known: Interaction, fact: Fact) -> None:
    leg = of_agent(known.legs, fact.agent)
    # Who transfers blindly hangs up; who consults goes on.
    if leg is not None and fact.detail == "blind":
        leg.end(fact.at, UNMEASURED)


def _transferred(known: Interaction, fact: Fact) -> None:
    at, agent, talk_ms = fact.at, fact.agent, fact.measured_ms
    kind, target = fact.detail
    known.transfers.append(f"{kind}:{target}")
    leg = of_agent(known.legs, agent)
    if leg is not None:
        leg.transfer = kind
    if kind == "recall":
        # It came back unanswered: whoever passed it on has it again.
        if leg is not None and leg is known.legs[-1]:
            leg.resumed(at)
        return
    known.told_status = "transferred"
    known.ended_at = at
    if leg is not None:
        leg.end(at, talk_ms)


def _ended(known: Interaction, fact: Fact) -> None:
    at, agent, talk_ms = fact.at, fact.agent, fact.measured_ms
    by, disposition, resolved, topic = fact.detail
    known.told_status = "ended"
    known.ended_at = at
    known.ended_by = by
    known.disposition = disposition or known.disposition
    known.topic = topic or known.topic
    known.resolved = known.resolved if resolved is None else resolved
    leg = of_agent(known.legs, agent)
    if leg is not None:
        leg.end(at, talk_ms)
    _leave_leg(known, at)
    for visit in known.visits:
        if not visit.outcome and visit.entered_at <= at:
            # The end came and the exit did not: whoever ended it decides what it was.
            visit.outcome = "abandoned" if by == "customer" else "emptied"
            visit.presumed = True
            visit.exited_at = at
    if known.conversation is not None:
        known.conversation.ended(at, _queue_at(known, at), agent, resolved=resolved is True)


def _wrapup_started(known: Interaction, fact: Fact) -> None:
    leg = of_agent(known.legs, fact.agent)
    if leg is not None:
        leg.wrapup_at = fact.at
        leg.end(fact.at, UNMEASURED)


def _wrapup_ended(known: Interaction, fact: Fact) -> None:
    at, measured = fact.at, fact.measured_ms
    leg = wrapping_up(known.legs, fact.agent) or of_agent(known.legs, fact.agent)
    if leg is None:
        return
    began = leg.ended_at if leg.wrapup_at is None else leg.wrapup_at
    if measured == UNMEASURED:
        if began is None:
            return
        measured = max(0, at - began)
    leg.wrapup_ended_at = at
    leg.wrapup_ms = measured
    leg.end(at - measured, UNMEASURED)


def _message(known: Interaction, fact: Fact) -> None:
    at, agent = fact.at, fact.agent
    author, public = fact.detail
    talk = _conversation(known)
    talk.written(author)
    if agent:
        known.agents[agent] = None
    if author == "customer":
        _reopen(known, at)
        talk.asked(at)
    elif author == "agent" and public:
        _reopen(known, at)
        # What an agent writes first of their own accord answers nobody.
        due_from = talk.asked_at if known.direction == "outbound" else known.started_at
        talk.responded(at, _queue_at(known, at), agent, due_from)


def _automatic_message(known: Interaction, _: Fact) -> None:
    _conversation(known).written_by_machine()


def _ticket_moved(known: Interaction, fact: Fact) -> None:
    at = fact.at
    _conversation(known).ticket_moved(at, _queue_at(known, at), fact.agent, fact.detail)


def _conversation(known: Interaction) -> Conversation:
    talk = known.conversation
    if talk is None:
        talk = known.conversation = Conversation()
    return talk


def _queue_at(known: Interaction, at: int) -> str:
    """The queue that it had entered last by then; "" where it had met none."""
    entered = bisect_right(known.visits, at, key=entered_at)
    return known.visits[entered - 1].queue if entered else ""


_STEPS: Final[dict[int, Callable[[Interaction, Fact], None]]] = {
    STARTED: _started,
    ENTERED: _entered,
    MISSED: _missed,
    EXITED: _exited,
    CONNECTED: _connected,
    HOLD_STARTED: _hold_started,
    HOLD_ENDED: _hold_ended,
    MESSAGE: _message,
    AUTOMATIC_MESSAGE: _automatic_message,
    TICKET: _ticket_moved,
    TRANSFER_STARTED: _transfer_started,
    TRANSFERRED: _transferred,
    ENDED: _ended,
    WRAPUP_STARTED: _wrapup_started,
    WRAPUP_ENDED: _wrapup_ended,
}


def _reopen(known: Interaction, at: int) -> None:
    if known.told_status != "open":
        if known.conversation is not None:
            known.conversation.goes_on(at)
        known.told_status = "open"
        known.ended_by = known.disposition = ""
        known.resolved = None


def _go_on_with(known: Interaction, leg: Leg, at: int) -> None:
    """The contact is on this leg now."""
    if leg not in known.legs:
        _leave_leg(known, at)
        known.legs.append(leg)


def _leave_leg(known: Interaction, at: int) -> None:
    """The contact moved on without word from the leg it was on: that one is over."""
    if known.legs:
        known.legs[-1].end(at, UNMEASURED)


def _settle(known: Interaction) -> None:
    """What needs all facts: durations, and whether a transfer was the end."""
    disagreements = 0
    waits = False
    for visit in known.visits:
        disagreements += visit.settle()
        waits = waits or not visit.outcome
    for leg in known.legs:
        if not leg.queue:
            disagreements += leg.settle()
    known.disagreements = disagreements
    known.status = known.told_status
    if known.status == "transferred" and (
        waits or (bool(known.legs) and known.legs[-1].ended_at is None)
    ):
        # It waits for its target, or the target has it already.
        known.status = "open"
