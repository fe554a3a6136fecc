"""The centre's calls as Asterisk would have logged them: lines of a `queue_log`. Pure.

Asterisk sees less than the canonical events say: no menus, no holds, no wrap-up, no calls that
agents make, whole seconds. What it cannot tell apart it logs as it would: an overflow is a time-out
of the dialplan, who is moved while waiting has abandoned, talk includes holds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from schemas.events import (
    AgentConnected,
    AgentMissed,
    AgentStateChanged,
    InteractionEnded,
    QueueEntered,
    QueueExited,
    TransferCompleted,
)
from simulator.telling import Told


@dataclass(slots=True)
class _Call:
    """What a later line of the same call repeats."""

    queue: str
    entered_at: int
    position: int
    agent: str = ""
    connected_at: int = 0

    @property
    def hold(self) -> int:
        return self.connected_at - self.entered_at


def lines(
    told: Iterable[Told], epoch: int, queues_of: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """Lines without their line feed.

    Args:
        told: what is told, in order.
        epoch: when the simulation began, in seconds since the epoch.
        queues_of: the queues that each agent is a member of.
    """
    calls: dict[str, _Call] = {}
    states: dict[str, str] = {}
    for one in told:
        at = epoch + one.at // 1000
        data = one.data
        if isinstance(data, AgentStateChanged):
            if data.queue:
                continue  # what ADDMEMBER says
            before = states.get(one.subject, "offline")
            states[one.subject] = data.state
            for queue, event, rest in _member(before, data, queues_of[one.subject]):
                yield f"{at}|NONE|{queue}|{one.subject}|{event}|{rest}"
        elif one.topic == "events.call":
            for queue, agent, event, rest in _call(calls, one.subject, at, data):
                yield f"{at}|{one.subject}|{queue}|{agent}|{event}|{rest}"


def _member(
    before: str, changed: AgentStateChanged, queues: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    if before == "offline":
        yield from ((queue, "ADDMEMBER", "") for queue in queues)
    elif changed.state == "offline":
        yield from ((queue, "REMOVEMEMBER", "") for queue in queues)
    if changed.state == "paused":
        yield "NONE", "PAUSEALL", changed.reason
    elif before == "paused":
        yield "NONE", "UNPAUSEALL", changed.reason


def _call(
    calls: dict[str, _Call], subject: str, at: int, data: object
) -> Iterator[tuple[str, str, str, str]]:
    """(queue, agent, event, parameters) of the lines that one event of a call makes."""
    if isinstance(data, QueueEntered):
        position = data.position or 1
        calls[subject] = _Call(data.queue, at, position)
        caller = next((i.value for i in data.customer.identifiers if i.kind == "phone"), "")
        yield data.queue, "NONE", "ENTERQUEUE", f"|{caller}|{position}"
        return
    call = calls.get(subject)
    if call is None:
        return
    if isinstance(data, QueueExited) and data.reason != "answered":
        yield call.queue, "NONE", *_exit(call, data, at)
        del calls[subject]
    elif isinstance(data, AgentMissed) and data.queue:
        milliseconds = round((data.ring_seconds or 0) * 1000)
        yield call.queue, data.agent, "RINGNOANSWER", str(milliseconds)
    elif isinstance(data, AgentConnected) and data.queue:
        call.agent, call.connected_at = data.agent, at
        ring = round(data.ring_seconds or 0)
        yield call.queue, data.agent, "CONNECT", f"{call.hold}|{subject}-peer|{ring}"
    elif isinstance(data, InteractionEnded) and data.agent == call.agent:
        event = "COMPLETEAGENT" if data.by == "agent" else "COMPLETECALLER"
        yield call.queue, call.agent, event, _conversation(call, at)
        del calls[subject]
    elif isinstance(data, TransferCompleted) and data.kind != "recall":
        if data.kind == "blind":
            event, first = "BLINDTRANSFER", f"{data.target}|from-internal"
        else:
            event, first = "ATTENDEDTRANSFER", f"BRIDGE|{subject}-bridge"
        yield call.queue, call.agent, event, f"{first}|{_conversation(call, at)}"
        del calls[subject]


def _exit(call: _Call, data: QueueExited, at: int) -> tuple[str, str]:
    wait = at - call.entered_at
    places = f"{call.position}|{call.position}|{wait}"
    match data.reason:
        case "abandoned" | "transferred":
            return "ABANDON", places
        case "timed_out" | "overflowed":
            return "EXITWITHTIMEOUT", places
        case "key_pressed" | "callback_accepted":
            return "EXITWITHKEY", f"{data.key or 1}|{places}"
        case _:
            return "EXITEMPTY", places


def _conversation(call: _Call, at: int) -> str:
    return f"{call.hold}|{at - call.connected_at}|{call.position}"
