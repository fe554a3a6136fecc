"""Rows of what an event says that is counted when it is read, one an event. Pure.

What is counted here waits for things that no partition alone knows (whether the customer came
again, what an agent was scheduled for), so it is stored as it was told and joined when it is asked.
"""

from collections.abc import Callable
from typing import Any, Final

from schemas.decode import Event
from streams.fold.customers import customer_key
from streams.fold.output import RowTuple
from streams.identity.normalise import Identifiers

_Told = tuple[dict[str, str], dict[str, float]]
"""labels, numbers"""


def _labelled(**labels: str) -> _Told:
    return ({name: label for name, label in labels.items() if label}, {})


def _survey(d: Any) -> _Told:
    labels = {"kind": d.kind}
    if d.interaction:
        labels["interaction"] = d.interaction
    return (labels, {"score": d.score, "scale_max": d.scale_max})


def _menu_left(d: Any) -> _Told:
    labels, numbers = _labelled(menu=d.menu, outcome=d.outcome, path=d.path)
    if d.goal is not None:
        numbers["goal"] = float(d.goal)
    return (labels, numbers)


def _quality(d: Any) -> _Told:
    labels, numbers = _labelled(leg=d.leg, codec=d.codec)
    for name, value in (
        ("mos", d.mos),
        ("r_factor", d.r_factor),
        ("jitter_seconds", d.jitter_seconds),
        ("loss_ratio", d.loss_ratio),
    ):
        if value is not None:
            numbers[name] = value
    return (labels, numbers)


def _entered(d: Any) -> _Told | None:
    return _labelled(queue=d.queue, skill="+".join(sorted(d.skills))) if d.skills else None


def _scheduled(d: Any) -> _Told:
    times = {"from": d.from_.timestamp(), "to": d.to.timestamp()}
    return ({"activity": d.activity}, times)


def _callback(d: Any) -> _Told:
    return _labelled(queue=d.queue, agent=d.agent, reason=d.reason)


def _campaign(d: Any) -> _Told:
    return _labelled(campaign=d.campaign, medium=d.medium)


def _lifecycle(d: Any) -> _Told:
    return _labelled(reason=d.reason)


def _blocked(d: Any) -> _Told:
    return _labelled(direction=d.direction, site=d.site, trunk=d.trunk, reason=d.reason)


_OF_CUSTOMERS: Final[dict[str, Callable[[Any], _Told | None]]] = {
    "selfservice.used": lambda d: _labelled(
        surface=d.surface, outcome=d.outcome, article=d.article
    ),
    "campaign.message_sent": _campaign,
    "campaign.delivered": _campaign,
    "campaign.opened": _campaign,
    "campaign.clicked": _campaign,
    "campaign.failed": _campaign,
    "customer.churned": _lifecycle,
    "customer.returned": _lifecycle,
}
TOLD: Final[dict[str, Callable[[Any], _Told | None]]] = {
    "queue.entered": _entered,
    "call.blocked": _blocked,
    "ivr.entered": lambda d: _labelled(menu=d.menu),
    "ivr.exited": _menu_left,
    "callback.offered": _callback,
    "callback.requested": _callback,
    "callback.attempted": _callback,
    "callback.connected": _callback,
    "callback.failed": _callback,
    "quality.measured": _quality,
    "survey.submitted": _survey,
    "agent.scheduled": _scheduled,
    **_OF_CUSTOMERS,
}
"""Event types of which a row is kept, and what goes into it; None where there is nothing."""


def fact_row(
    event: Event, happened_at: int, at: int, identifiers: Identifiers, version: int
) -> RowTuple | None:
    """The row of `EventFactRow`; None where the event says nothing that is kept."""
    told = TOLD[event.type](event.data)
    if told is None:
        return None
    labels, numbers = told
    key = ""
    if event.type in _OF_CUSTOMERS:
        key = customer_key(event.tenant, identifiers.one(event.tenant, event.subject))
    return (
        event.tenant,
        event.type,
        event.subject,
        happened_at,
        event.source,
        event.id,
        at,
        key,
        labels,
        numbers,
        version,
    )


def agent_state_row(event: Event, happened_at: int, at: int, version: int) -> RowTuple:
    """The row of `AgentStateRow`."""
    d = event.data
    return (
        event.tenant,
        event.subject,
        happened_at,
        event.source,
        event.id,
        at,
        d.state,
        d.queue,
        d.reason,
        d.site,
        None if d.remote is None else int(d.remote),
        list(d.skills),
        d.slots_used,
        d.slots_max,
        version,
    )
