"""Asterisk's queue_log: one line in, canonical events out. Pure: no file, no clock.

A line is `epoch|call id|queue|agent|EVENT|parameters…`, with whole seconds throughout, except that
RINGNOANSWER and RINGCANCELED state milliseconds. Parameters were added to events over the years;
those that an old version does not write are simply absent from our events.

Decisions that the log leaves open:

* A call that enters a second queue says `interaction.started` again. Facts merge by the earliest.
* Leaving a queue by time-out, key or an empty queue does not end the call: the dialplan goes on,
  often into another queue.
* ATTENDEDTRANSFER states how the two calls were joined, not with whom, unless local channels link
  them. Some exchanges write BLINDTRANSFER(caller, extension) where Asterisk has (extension,
  context); a context is never all digits, so digits in its place are the target.
* The vendor events OUT… are written about calls that agents make. OUTANSWER comes when the agent's
  part is over, so the answer lies its talk time earlier. An exchange may dial several times under
  one call id: that is one outbound interaction with several ends, of which the last one counts.
  OUTANSWER with TRANSFER begins a transfer that OUTTRANSFER completes; the times in OUTTRANSFER
  are those of the new leg, so they are not the agent's talk time.
* An agent who joins a queue is available in that queue, or paused if so added; who leaves it is
  offline in that queue. Login, logoff and the …ALL events concern the agent as a whole.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from pydantic import ValidationError
from xxhash import xxh3_128_hexdigest

from gateway.asterisk_line import (
    NO_CALL,
    Line,
    UnreadableLineError,
    agent_of,
    customer_of,
    quoted,
    split,
)
from gateway.record import Record
from schemas import events
from schemas.cloudevents import encode
from schemas.topics import EVENTS_AGENT, EVENTS_CALL

DEFAULT_SOURCE: Final = "asterisk/queue_log"


class Parsed(NamedTuple):
    """A line that says something: its events, at least one."""

    records: list[Record]


class Skipped(NamedTuple):
    """A line that is in order but carries no event of ours; `name` is what it was."""

    name: str


class Unreadable(NamedTuple):
    """A line that cannot be understood, and why, in plain words."""

    reason: str


class _Fact(NamedTuple):
    type: str
    at: int
    data: events.Data


def _enter_queue(line: Line) -> list[_Fact]:
    customer = customer_of(line.text(1))
    entered = events.QueueEntered(
        queue=line.somewhere(), position=line.number(2, "position"), customer=customer
    )
    return [
        _Fact("interaction.started", line.at, events.InteractionStarted(customer=customer)),
        _Fact("queue.entered", line.at, entered),
    ]


def _connect(line: Line) -> list[_Fact]:
    queue, wait = line.somewhere(), line.number(0, "hold time")
    connected = events.AgentConnected(
        agent=line.someone(), queue=queue, wait_seconds=wait, ring_seconds=line.number(2, "ring")
    )
    exited = events.QueueExited(queue=queue, reason="answered", wait_seconds=wait)
    return [
        _Fact("agent.connected", line.at, connected),
        _Fact("queue.exited", line.at, exited),
    ]


def _exit(line: Line, reason: events.ExitReason, *, first: int = 0, key: str = "") -> list[_Fact]:
    """`first` is the index of the position, which original position and wait follow."""
    exited = events.QueueExited(
        queue=line.somewhere(),
        reason=reason,
        position=line.number(first, "position"),
        wait_seconds=line.number(first + 2, "wait"),
        key=key,
    )
    return [_Fact("queue.exited", line.at, exited)]


def _abandon(line: Line) -> list[_Fact]:
    ended = events.InteractionEnded(by="customer", queue=line.somewhere())
    return [*_exit(line, "abandoned"), _Fact("interaction.ended", line.at, ended)]


def _complete(line: Line, by: events.Party) -> list[_Fact]:
    ended = events.InteractionEnded(
        by=by,
        queue=line.somewhere(),
        agent=line.someone(),
        talk_seconds=line.number(1, "talk time"),
    )
    return [_Fact("interaction.ended", line.at, ended)]


def _transfer(line: Line, kind: events.TransferKind, target: str, talk: int) -> list[_Fact]:
    completed = events.TransferCompleted(
        kind=kind,
        target=target,
        agent=line.someone(),
        queue=line.queue,
        talk_seconds=line.number(talk, "talk time"),
    )
    return [_Fact("transfer.completed", line.at, completed)]


def _blind_transfer(line: Line) -> list[_Fact]:
    extension, context = line.text(0), line.text(1)
    return _transfer(line, "blind", context if context.isdecimal() else extension, 3)


def _attended_transfer(line: Line) -> list[_Fact]:
    # LINK names two channels where BRIDGE and APP have one item, so everything after moves by one.
    method, linked = line.text(0), line.text(0) == "LINK"
    target = {"LINK": agent_of(line.text(2)), "APP": line.text(1)}.get(method, "")
    return _transfer(line, "consult", target, 4 if linked else 3)


def _missed(line: Line) -> list[_Fact]:
    rung = line.number(0, "ring time in milliseconds")
    missed = events.AgentMissed(
        agent=line.someone(),
        queue=line.somewhere(),
        ring_seconds=None if rung is None else rung / 1000,
    )
    return [_Fact("agent.missed", line.at, missed)]


def _state(line: Line, state: events.AgentState, *, queue: str = "", reason: str = "") -> _Fact:
    changed = events.AgentStateChanged(state=state, queue=queue, reason=reason)
    return _Fact("agent.state_changed", line.at, changed)


def _add_member(line: Line) -> list[_Fact]:
    paused = line.text(0) == "PAUSED"
    return [_state(line, "paused" if paused else "available", queue=line.somewhere())]


def _customer_dialled(line: Line) -> list[_Fact]:
    started = events.InteractionStarted(
        direction="outbound", customer=customer_of(line.needed(0, "number")), agent=line.someone()
    )
    return [_Fact("interaction.started", line.at, started)]


def _customer_answered(line: Line) -> list[_Fact]:
    how, talk, agent = line.needed(1, "outcome"), line.number(3, "talk time"), line.someone()
    connected = events.AgentConnected(agent=agent, wait_seconds=line.number(2, "wait"))
    facts = [_Fact("agent.connected", line.before(talk or 0), connected)]
    if how == "TRANSFER":
        started = events.TransferStarted(kind="blind", agent=agent)
        facts.append(_Fact("transfer.started", line.at, started))
    elif how in _ENDED_BY:
        ended = events.InteractionEnded(by=_ENDED_BY[how], agent=agent, talk_seconds=talk)
        facts.append(_Fact("interaction.ended", line.at, ended))
    else:
        expected = ", ".join((*_ENDED_BY, "TRANSFER"))
        raise UnreadableLineError(
            f"{line.name}: outcome is {quoted(how)}, expected one of {expected}"
        )
    return facts


_ENDED_BY: Final[dict[str, events.Party]] = {
    "COMPLETEAGENT": "agent",
    "COMPLETECALLER": "customer",
}


def _not_reached(line: Line, by: events.Party, disposition: str) -> list[_Fact]:
    ended = events.InteractionEnded(by=by, disposition=disposition, agent=line.someone())
    return [_Fact("interaction.ended", line.at, ended)]


def _customer_transferred(line: Line) -> list[_Fact]:
    completed = events.TransferCompleted(
        kind="blind", target=line.needed(1, "extension"), agent=line.someone()
    )
    return [_Fact("transfer.completed", line.at, completed)]


CALL_EVENTS: Final[dict[str, Callable[[Line], list[_Fact]]]] = {
    "ENTERQUEUE": _enter_queue,
    "CONNECT": _connect,
    "ABANDON": _abandon,
    "EXITWITHTIMEOUT": lambda line: _exit(line, "timed_out"),
    "EXITEMPTY": lambda line: _exit(line, "emptied"),
    "EXITWITHKEY": lambda line: _exit(line, "key_pressed", first=1, key=line.text(0)),
    "COMPLETEAGENT": lambda line: _complete(line, "agent"),
    "COMPLETECALLER": lambda line: _complete(line, "customer"),
    "BLINDTRANSFER": _blind_transfer,
    "TRANSFER": _blind_transfer,  # BLINDTRANSFER's name before Asterisk 12
    "ATTENDEDTRANSFER": _attended_transfer,
    "RINGNOANSWER": _missed,
    "RINGCANCELED": _missed,
    "AGENTDUMP": _missed,  # hung up on the announcement; the caller goes on waiting
    "OUTDIAL": _customer_dialled,
    "OUTANSWER": _customer_answered,
    "OUTTRANSFER": _customer_transferred,
    "OUTCANCEL": lambda line: _not_reached(line, "agent", "cancelled"),
    "OUTCHANUNAVAIL": lambda line: _not_reached(line, "system", "unavailable"),
    "OUTCONGESTION": lambda line: _not_reached(line, "system", "congestion"),
    "OUTBUSY": lambda line: _not_reached(line, "system", "busy"),
    "OUTNOANSWER": lambda line: _not_reached(line, "system", "no_answer"),
}

AGENT_EVENTS: Final[dict[str, Callable[[Line], list[_Fact]]]] = {
    "ADDMEMBER": _add_member,
    "REMOVEMEMBER": lambda line: [_state(line, "offline", queue=line.somewhere())],
    "AGENTLOGIN": lambda line: [_state(line, "available")],
    "AGENTCALLBACKLOGIN": lambda line: [_state(line, "available")],
    "AGENTLOGOFF": lambda line: [_state(line, "offline")],
    "AGENTCALLBACKLOGOFF": lambda line: [_state(line, "offline", reason=line.text(2))],
    "PAUSE": lambda line: [_state(line, "paused", queue=line.queue, reason=line.text(0))],
    "UNPAUSE": lambda line: [_state(line, "available", queue=line.queue, reason=line.text(0))],
    "PAUSEALL": lambda line: [_state(line, "paused", reason=line.text(0))],
    "UNPAUSEALL": lambda line: [_state(line, "available", reason=line.text(0))],
}


def events_of_line(
    line: bytes, position: int, *, tenant: str = "default", source: str = DEFAULT_SOURCE
) -> Parsed | Skipped | Unreadable:
    """The canonical events of one line.

    `line` comes without its line feed. `position` is the offset of its first byte in the log: with
    the line's content it makes the event ids, so the same line at the same place is the same event
    under whatever name rotation has given the file, and two equal lines stay two events.
    """
    try:
        parsed = split(line)
    except UnreadableLineError as refusal:
        return Unreadable(str(refusal))
    if parsed is None:
        return Skipped("(empty line)")
    is_call = parsed.name in CALL_EVENTS
    reader = CALL_EVENTS.get(parsed.name) or AGENT_EVENTS.get(parsed.name)
    if reader is None:
        return Skipped(parsed.name)
    try:
        if is_call and parsed.call in NO_CALL:
            return Unreadable(f"{parsed.name} without a call id")
        subject = parsed.call if is_call else parsed.someone()
        facts = reader(parsed)
        digest = xxh3_128_hexdigest(line.rstrip(b"\r"), seed=position)
        topic, key = EVENTS_CALL if is_call else EVENTS_AGENT, subject.encode()
        records = []
        for index, (event_type, at, data) in enumerate(facts):
            value = encode(
                event_type,
                id=f"{digest}-{index}",
                source=source,
                time=datetime.fromtimestamp(at, UTC),
                subject=subject,
                tenant=tenant,
                data=data,
            )
            records.append(Record(topic, key, value, at))
        return Parsed(records)
    except UnreadableLineError as refusal:
        return Unreadable(str(refusal))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        return Unreadable(f"{parsed.name}: {where} is {quoted(first['input'])}: {first['msg']}")
