"""The oracle's reading of what is kept of an event beside its contact's course.

By a table of field names alone; a label that is empty and a number that is missing are not kept.
"""

from types import SimpleNamespace
from typing import Any

from schemas.decode import Event
from tests.oracle.contact import customer_key, identifier_text

_CALLBACK = (("queue", "agent", "reason"), ())
_CAMPAIGN = (("campaign", "medium"), ())
_KEPT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "call.blocked": (("direction", "site", "trunk", "reason"), ()),
    "ivr.entered": (("menu",), ()),
    "ivr.exited": (("menu", "outcome", "path"), ("goal",)),
    "quality.measured": (("leg", "codec"), ("mos", "r_factor", "jitter_seconds", "loss_ratio")),
    "survey.submitted": (("kind", "interaction"), ("score", "scale_max")),
    "selfservice.used": (("surface", "outcome", "article"), ()),
    "customer.churned": (("reason",), ()),
    "customer.returned": (("reason",), ()),
    **dict.fromkeys(
        (f"callback.{s}" for s in ("offered", "requested", "attempted", "connected", "failed")),
        _CALLBACK,
    ),
    **dict.fromkeys(
        (f"campaign.{s}" for s in ("message_sent", "delivered", "opened", "clicked", "failed")),
        _CAMPAIGN,
    ),
}


def fact_of(event: Event) -> dict[str, Any] | None:
    """What is kept of the event; None where nothing is."""
    data: Any = event.data
    if event.type == "queue.entered" and data.skills:
        labels, numbers = {"queue": data.queue, "skill": "+".join(sorted(data.skills))}, {}
    elif event.type == "agent.scheduled":
        labels = {"activity": data.activity}
        numbers = {"from": data.from_.timestamp(), "to": data.to.timestamp()}
    elif event.type in _KEPT:
        names, measures = _KEPT[event.type]
        labels = {name: getattr(data, name) for name in names if getattr(data, name)}
        values = {name: getattr(data, name) for name in measures}
        numbers = {name: float(value) for name, value in values.items() if value is not None}
    else:
        return None
    of_customer = event.type.partition(".")[0] in ("selfservice", "campaign", "customer")
    key = customer_key(event.tenant, _named(event.subject)) if of_customer else ""
    return {"customer_key": key, "labels": labels, "numbers": numbers}


def state_of(event: Event) -> dict[str, Any]:
    """What is kept of a change of an agent's state."""
    data: Any = event.data
    names = ("state", "queue", "reason", "site", "slots_used", "slots_max")
    return {
        **{name: getattr(data, name) for name in names},
        "remote": None if data.remote is None else int(data.remote),
        "skills": list(data.skills),
    }


def _named(subject: str) -> str:
    """The identifier that a subject is: `kind:value`, or the number of a customer."""
    kind, _, value = subject.partition(":")
    network, _, name = value.partition(":")
    if kind == "handle" and name:
        return identifier_text(SimpleNamespace(kind=kind, value=name, network=network))
    if kind in ("email", "phone", "customer_number", "device", "other") and value:
        return identifier_text(SimpleNamespace(kind=kind, value=value, network=""))
    return f"customer_number:{subject}"
