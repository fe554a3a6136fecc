"""What happened to a contact beside its visits: holds, transfers, messages, recordings, … Pure.

A step and its end are matched as they come, in the order of the fold's facts: an end belongs to
the latest beginning that it fits and that has none. An end without a beginning stands for itself.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.decode import Event
from schemas.timeline import (
    CallbackStep,
    Hold,
    Menu,
    Message,
    Rating,
    Recording,
    TicketStatus,
    Transfer,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def instant(ms: int) -> datetime:
    """Whole milliseconds since the epoch as an aware time."""
    return _EPOCH + timedelta(milliseconds=ms)


@dataclass(slots=True)
class Happenings:
    """What the events of one contact say, each list in the order of time."""

    transfers: list[Transfer] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    menus: list[Menu] = field(default_factory=list)
    callbacks: list[CallbackStep] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    tickets: list[TicketStatus] = field(default_factory=list)
    ratings: list[Rating] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)


def happenings_of(events: Iterable[tuple[int, Event]]) -> Happenings:
    """What these events say; `(milliseconds, event)`, in the order of facts."""
    found = Happenings()
    for at_ms, event in events:
        step = _STEPS.get(event.type)
        if step is not None:
            step(found, instant(at_ms), event)
    return found


def _transfer_started(found: Happenings, at: datetime, event: Event) -> None:
    d = event.data
    found.transfers.append(
        Transfer(at=at, kind=d.kind, from_agent=d.agent, target=d.target, completed=False)
    )


def _transferred(found: Happenings, at: datetime, event: Event) -> None:
    d = event.data
    for number, begun in reversed(list(enumerate(found.transfers))):
        told = not begun.completed and begun.kind == d.kind
        if told and d.agent in ("", begun.from_agent) and d.target in ("", begun.target):
            found.transfers[number] = begun.model_copy(update={"completed": True})
            return
    found.transfers.append(
        Transfer(at=at, kind=d.kind, from_agent=d.agent, target=d.target, completed=True)
    )


def _hold_started(found: Happenings, at: datetime, event: Event) -> None:
    found.holds.append(Hold(started_at=at, agent=event.data.agent, seconds=None))


def _hold_ended(found: Happenings, at: datetime, event: Event) -> None:
    agent, measured = event.data.agent, event.data.hold_seconds
    for number, begun in reversed(list(enumerate(found.holds))):
        if begun.seconds is None and agent in ("", begun.agent):
            lasted = (at - begun.started_at).total_seconds()
            seconds = lasted if measured is None else measured
            found.holds[number] = begun.model_copy(update={"seconds": seconds})
            return
    if measured is not None:
        began = at - timedelta(seconds=measured)
        found.holds.append(Hold(started_at=began, agent=agent, seconds=measured))


def _menu_entered(found: Happenings, at: datetime, event: Event) -> None:
    found.menus.append(Menu(entered_at=at, menu=event.data.menu, outcome="", path=""))


def _menu_exited(found: Happenings, at: datetime, event: Event) -> None:
    d = event.data
    said = {"outcome": d.outcome, "path": d.path}
    for number, begun in reversed(list(enumerate(found.menus))):
        if not begun.outcome and d.menu in ("", begun.menu):
            found.menus[number] = begun.model_copy(update=said)
            return
    found.menus.append(Menu(entered_at=at, menu=d.menu, **said))


def _callback(found: Happenings, at: datetime, event: Event) -> None:
    d = event.data
    step = event.type.removeprefix("callback.")
    found.callbacks.append(
        CallbackStep(at=at, step=step, queue=d.queue, agent=d.agent, reason=d.reason)
    )


def _message(found: Happenings, at: datetime, event: Event) -> None:
    d = event.data
    found.messages.append(
        Message(
            at=at,
            id=event.id,
            author="customer" if event.type == "message.received" else d.author,
            agent=d.agent,
            text=d.text,
            public=d.public,
            automatic=d.automatic,
            in_reply_to=d.in_reply_to,
            depth=0,
        )
    )


def _ticket(found: Happenings, at: datetime, event: Event) -> None:
    found.tickets.append(TicketStatus(at=at, status=event.data.status, agent=event.data.agent))


def _rating(found: Happenings, at: datetime, event: Event) -> None:
    d = event.data
    found.ratings.append(
        Rating(
            submitted_at=at,
            kind=d.kind,
            score=d.score,
            scale_max=d.scale_max,
            comment=d.comment,
            interaction_id=d.interaction or event.subject,
        )
    )


def _recording_started(found: Happenings, at: datetime, event: Event) -> None:
    found.recordings.append(
        Recording(reference=event.data.reference, started_at=at, stopped_at=None)
    )


def _recording_stopped(found: Happenings, at: datetime, event: Event) -> None:
    reference = event.data.reference
    for number, begun in reversed(list(enumerate(found.recordings))):
        if begun.stopped_at is None and (not begun.reference or reference in ("", begun.reference)):
            said = {"stopped_at": at, "reference": begun.reference or reference}
            found.recordings[number] = begun.model_copy(update=said)
            return
    if reference:
        found.recordings.append(Recording(reference=reference, started_at=at, stopped_at=at))


_STEPS: Final[dict[str, Callable[[Happenings, datetime, Any], None]]] = {
    "transfer.started": _transfer_started,
    "transfer.completed": _transferred,
    "hold.started": _hold_started,
    "hold.ended": _hold_ended,
    "ivr.entered": _menu_entered,
    "ivr.exited": _menu_exited,
    "callback.offered": _callback,
    "callback.requested": _callback,
    "callback.attempted": _callback,
    "callback.connected": _callback,
    "callback.failed": _callback,
    "message.received": _message,
    "message.sent": _message,
    "ticket.status_changed": _ticket,
    "survey.submitted": _rating,
    "recording.started": _recording_started,
    "recording.stopped": _recording_stopped,
}
"""Pauses of recordings and voice quality are for those who look at one contact alone."""
