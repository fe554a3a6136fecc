"""Hypothesis strategies for what happens in a contact centre.

`shifts()` is realistic: contacts wait, ring, are talked to, held, passed on and wrapped up, by
sources with coarse clocks that may see only a part. `chaos()` is not: anything may be said of
anything at any time, twice, in contradiction, or as garbage.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from streams.fold.rules import FoldRules
from tests.support.fold import LATER_MS, MONDAY_MS, Happening, Record

QUEUES = ("support", "sales", "billing")
AGENTS = ("ada", "bob", "eve")
STATES = ("offline", "available", "on_contact", "wrapup", "paused")

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass
class _Contact:
    """A contact in the making: `at` is now, in milliseconds since `MONDAY_MS`."""

    draw: Draw
    subject: str
    at: int
    source: str
    topic: str
    measures: bool
    told: list[Happening] = field(default_factory=list)

    def say(self, kind: str, after: int = 0, /, **data: Any) -> None:
        """Something happens, `after` milliseconds from now on."""
        self.at += after
        number = len(self.told)
        event_id = f"{self.subject}/{number}"
        self.told.append(
            Happening(self.at, kind, self.subject, data, self.source, event_id, topic=self.topic)
        )

    def some(self, longest_seconds: int) -> int:
        """A duration in milliseconds; often 0, often whole seconds."""
        whole = st.integers(0, longest_seconds).map(lambda s: s * 1000)
        return int(self.draw(whole | st.integers(0, longest_seconds * 1000)))

    def maybe(self) -> bool:
        return bool(self.draw(st.booleans()))

    def of(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def measured(self, name: str, duration_ms: int) -> dict[str, float]:
        """The duration as the source states it, if it does: in whole seconds, sometimes wrongly."""
        if not self.measures:
            return {}
        return {name: float(duration_ms // 1000 + self.of((0, 0, 0, 1, 30)))}


def _customer(contact: _Contact) -> dict[str, Any]:
    phone = {"kind": "phone", "value": contact.of(("+1 342 555 0145", "442079460042"))}
    email = {"kind": "email", "value": "Ada@Example.org"}
    return {"identifiers": contact.of(([], [phone], [phone, email])), "name": ""}


def _inbound_call(contact: _Contact) -> None:
    if contact.maybe():
        contact.say("ivr.entered")
        contact.say("ivr.exited", contact.some(60), outcome="agent_requested")
    contact.say("interaction.started", customer=_customer(contact), language=contact.of(("", "fi")))
    for _ in range(contact.of((1, 1, 2, 3))):
        if not _queue(contact):
            return


def _queue(contact: _Contact) -> bool:
    """A visit of a queue and all that comes of it; whether the contact goes on to another queue."""
    queue = contact.of(QUEUES)
    contact.say("queue.entered", queue=queue, customer=_customer(contact))
    began = contact.at
    for _ in range(contact.of((0, 0, 1, 3))):
        contact.say("agent.offered", contact.some(5), agent=contact.of(AGENTS), queue=queue)
        ring = contact.some(20)
        measured = contact.measured("ring_seconds", ring)
        contact.say("agent.missed", ring, agent=contact.of(AGENTS), queue=queue, **measured)
    contact.at += contact.some(90)
    wait = contact.measured("wait_seconds", contact.at - began)
    reason = contact.of(
        ("answered", "answered", "answered", "abandoned", "timed_out", "overflowed", "key_pressed",
         "callback_accepted", "emptied", "transferred")
    )  # fmt: skip
    if reason != "answered":
        contact.say("queue.exited", queue=queue, reason=reason, **wait)
        if reason in ("abandoned", "callback_accepted"):
            contact.say("interaction.ended", by="customer")
        return reason in ("timed_out", "overflowed", "key_pressed", "emptied", "transferred")
    agent = contact.of(AGENTS)
    if contact.maybe():
        contact.say("queue.exited", queue=queue, reason="answered", **wait)
    contact.say("agent.connected", agent=agent, queue=queue, **wait)
    return _talk(contact, agent)


def _talk(contact: _Contact, agent: str) -> bool:
    began = contact.at
    for _ in range(contact.of((0, 0, 1, 2))):
        contact.say("hold.started", contact.some(60), agent=agent)
        held = contact.some(30)
        contact.say("hold.ended", held, agent=agent, **contact.measured("hold_seconds", held))
    contact.at += contact.some(300)
    talk = contact.measured("talk_seconds", contact.at - began)
    end = contact.of(("ended", "ended", "blind", "consult", "recall"))
    if end != "ended":
        contact.say("transfer.started", agent=agent, kind=end)
        contact.say("transfer.completed", contact.some(20), agent=agent, kind=end, **talk)
    goes_on = end in ("blind", "consult") and contact.maybe()
    if not goes_on:
        by = contact.of(("customer", "agent", "system"))
        contact.say("interaction.ended", by=by, agent=agent if contact.maybe() else "", **talk)
    if contact.maybe():
        now = contact.at
        contact.say("wrapup.started", agent=agent)
        wrapup = contact.some(60)
        measured = contact.measured("wrapup_seconds", wrapup)
        contact.say("wrapup.ended", wrapup, agent=agent, **measured)
        if goes_on:
            # The next queue does not wait until the agent has written their notes.
            contact.at = now
    return goes_on


def _outbound_call(contact: _Contact) -> None:
    agent = contact.of(AGENTS)
    for _ in range(contact.of((1, 2, 3))):
        contact.say(
            "interaction.started",
            contact.some(5),
            direction="outbound",
            agent=agent,
            customer=_customer(contact),
        )
        ring = contact.some(30)
        if contact.maybe():
            disposition = contact.of(("busy", "no_answer", "cancelled"))
            contact.say(
                "interaction.ended", ring, by="system", agent=agent, disposition=disposition
            )
            continue
        talk = contact.some(200)
        waited = contact.measured("wait_seconds", ring)
        contact.say("agent.connected", ring, agent=agent, **waited)
        measured = contact.measured("talk_seconds", talk)
        contact.say("interaction.ended", talk, by="agent", agent=agent, **measured)


def _written(contact: _Contact) -> None:
    outbound = contact.maybe()
    direction = "outbound" if outbound else "inbound"
    contact.say("interaction.started", direction=direction, customer=_customer(contact))
    if contact.maybe():
        contact.say("queue.entered", queue=contact.of(QUEUES))
    for _ in range(contact.of((1, 2, 4))):
        contact.at += contact.some(300)
        match contact.of(("customer", "agent", "note", "bot", "automatic", "ticket", "end")):
            case "customer":
                contact.say("message.received", author="customer")
            case "agent":
                contact.say("message.sent", author="agent", agent=contact.of(AGENTS))
            case "note":
                agent = contact.of(AGENTS)
                contact.say("message.sent", author="agent", agent=agent, public=False)
            case "bot":
                contact.say("message.sent", author="bot")
            case "ticket":
                status = contact.of(("new", "open", "pending", "solved", "solved", "closed"))
                contact.say("ticket.status_changed", status=status)
            case "automatic":
                contact.say("message.sent", author="agent", automatic=True)
            case "end":
                contact.say(
                    "interaction.ended",
                    by=contact.of(("customer", "agent")),
                    resolved=contact.of((None, True, False)),
                    topic=contact.of(("", "invoice")),
                )


_SCENARIOS: dict[str, Callable[[_Contact], None]] = {
    "inbound": _inbound_call,
    "outbound": _outbound_call,
    "written": _written,
}


@st.composite
def contacts(draw: Draw, number: int, sources: tuple[str, ...] = ("pbx", "crm")) -> list[Happening]:
    """One contact from its beginning to its end, or a part of that."""
    scenario = draw(st.sampled_from(["inbound", "inbound", "inbound", "outbound", "written"]))
    topic = (
        "events.call"
        if scenario != "written"
        else draw(st.sampled_from(["events.chat", "events.email"]))
    )
    at = draw(st.integers(0, 8 * 3600)) * 1000
    contact = _Contact(
        draw, f"c-{number}", at, draw(st.sampled_from(sources)), topic, draw(st.booleans())
    )
    _SCENARIOS[scenario](contact)
    told = contact.told
    if draw(st.booleans()):
        told = [replace(h, at=h.at // 1000 * 1000) for h in told]
    first = draw(st.sampled_from([0, 0, 0, 1, 3]))
    last = draw(st.sampled_from([0, 0, 0, 1, 3]))
    return told[first : len(told) - last] or told


@st.composite
def agent_days(draw: Draw, agent: str) -> list[Happening]:
    """Changes of one agent's state, several of them in one second at times."""
    at, told = draw(st.integers(0, 3600)) * 1000, []
    for number in range(draw(st.integers(0, 12))):
        at += draw(st.sampled_from([0, 0, 1, 59, 60, 61, 600, 4000])) * 1000
        data = {
            "state": draw(st.sampled_from(STATES)),
            "queue": draw(st.sampled_from(["", "", *QUEUES[:2]])),
        }
        told.append(
            Happening(
                at,
                "agent.state_changed",
                agent,
                data,
                id=f"{agent}/{number}",
                topic="events.agent",
            )
        )
    return told


@st.composite
def shifts(draw: Draw, most_contacts: int = 6) -> list[Happening]:
    """What happens in some hours, in the order of its times."""
    told = [h for n in range(draw(st.integers(1, most_contacts))) for h in draw(contacts(n))]
    told += [h for agent in AGENTS[:2] for h in draw(agent_days(agent))]
    return sorted(told, key=lambda h: h.at)


@st.composite
def delivered(draw: Draw, told: list[Happening], lateness_ms: int) -> list[Happening]:
    """The same in some order within lateness, with some of it delivered again."""
    delays = st.integers(0, lateness_ms - 1)
    sent = [(h.at + draw(delays), n, h) for n, h in enumerate(told)]
    sent += [
        (h.at + draw(delays), -n, h)
        for n, h in enumerate(told)
        if draw(st.sampled_from([True, False, False, False]))
    ]
    return [h for _, _, h in sorted(sent, key=lambda item: item[:2])]


_REASONS = ("answered", "abandoned", "timed_out", "callback_accepted")
_PHONE = {"kind": "phone", "value": "+13425550145"}
_EMAIL = {"kind": "email", "value": "ada@example.org"}
_SEEN = st.sampled_from(["", *AGENTS[:2]])
_QUEUE = st.sampled_from(QUEUES[:2])
_STATED = st.sampled_from([None, 0.0, 5.0, 61.0])
_CHAOS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "interaction.started": {
        "direction": st.sampled_from(["inbound", "outbound"]),
        "agent": _SEEN,
        "customer": st.sampled_from(
            [{"identifiers": i} for i in ([], [_PHONE], [_EMAIL], [_PHONE, _EMAIL])]
        ),
    },
    "ivr.entered": {},
    "ivr.exited": {
        "outcome": st.sampled_from(["contained", "hung_up"]),
        "goal": st.sampled_from([None, True, False]),
    },
    "callback.offered": {"queue": _QUEUE},
    "callback.requested": {"queue": _QUEUE},
    "call.blocked": {"trunk": st.sampled_from(["", "carrier"]), "reason": st.just("busy")},
    "quality.measured": {"leg": _SEEN, "mos": st.sampled_from([None, 4.88]), "r_factor": _STATED},
    "queue.entered": {"queue": _QUEUE, "skills": st.sampled_from([[], ["vip", "sales"]])},
    "queue.exited": {
        "queue": _QUEUE,
        "reason": st.sampled_from(_REASONS),
        "wait_seconds": _STATED,
    },
    "agent.missed": {"agent": st.sampled_from(AGENTS), "queue": st.just("")},
    "agent.connected": {
        "agent": st.sampled_from(AGENTS),
        "queue": st.sampled_from(["", *QUEUES[:2]]),
        "wait_seconds": _STATED,
        "ring_seconds": _STATED,
    },
    "hold.started": {"agent": _SEEN},
    "hold.ended": {"agent": _SEEN, "hold_seconds": _STATED},
    "transfer.started": {"agent": _SEEN, "kind": st.sampled_from(["blind", "consult"])},
    "transfer.completed": {
        "agent": _SEEN,
        "kind": st.sampled_from(["blind", "consult", "recall"]),
        "talk_seconds": _STATED,
    },
    "interaction.ended": {
        "by": st.sampled_from(["customer", "agent"]),
        "agent": _SEEN,
        "talk_seconds": _STATED,
        "disposition": st.sampled_from(["", "busy"]),
        "resolved": st.sampled_from([None, True]),
    },
    "wrapup.started": {"agent": _SEEN},
    "wrapup.ended": {"agent": _SEEN, "wrapup_seconds": _STATED},
    "message.received": {"author": st.just("customer")},
    "ticket.status_changed": {"status": st.sampled_from(("open", "solved", "closed"))},
    "message.sent": {
        "author": st.sampled_from(["customer", "agent", "bot"]),
        "agent": _SEEN,
        "public": st.booleans(),
        "automatic": st.booleans(),
    },
    "survey.submitted": {
        "kind": st.just("csat"),
        "score": st.just(4.0),
        "scale_max": st.just(5.0),
    },
    "agent.state_changed": {
        "state": st.sampled_from(STATES),
        "queue": st.sampled_from(["", *QUEUES[:2]]),
        "slots_used": st.sampled_from([None, 0, 2]),
        "remote": st.sampled_from([None, True, False]),
    },
    "customer.churned": {},
    "selfservice.used": {"surface": st.just("faq"), "outcome": st.just("left")},
    "campaign.opened": {"medium": st.just("sms"), "campaign": st.just("spring")},
}
_GARBAGE = (b"", b"{", b"\xff", b'{"specversion":"1.0"}', b"[1,2", b"null")
_STEPS_SECONDS = (0, 0, 1, 5, 30, 70, 400, -1, -20, -70, -400, 1000, 3000)
CHAOS_LATENESS_MS = 60_000
HASTY = FoldRules(
    lateness_ms=CHAOS_LATENESS_MS,
    horizons_ms={"call": 120_000, "chat": 300_000},
    forget_open_ms=900_000,
    max_skew_ms=60_000,
    thresholds_ms={"": (5_000, 20_000), "sales": (60_000,)},
)
"""Everything is let go within minutes."""


@st.composite
def chaos(draw: Draw, topic: str = "events.call") -> list[Record]:
    """One source partition's log in which nothing can be relied on.

    Few interactions, sources and ids, and steps of time of the size of `CHAOS_LATENESS_MS`, so that
    things expire, come back, come late and contradict each other all the time.
    """
    kinds = sorted(_CHAOS)
    if topic == "events.customer":
        kinds = ["customer.churned", "selfservice.used", "campaign.opened", "ivr.entered"]
    if topic == "events.agent":
        kinds = ["agent.state_changed"] * 6 + ["interaction.started"]
    times = dict.fromkeys(("pbx", "crm", "slow"), 0)
    times["slow"] = -500_000
    records: list[Record] = []
    for offset in range(draw(st.integers(1, 40))):
        headers: tuple[tuple[str, bytes], ...] = ()
        timestamp = draw(st.sampled_from([LATER_MS, LATER_MS, MONDAY_MS + offset * 1000, -1]))
        if draw(st.integers(0, 15)) == 15:
            garbage = draw(st.sampled_from([None, *_GARBAGE]))
            records.append(Record(offset, timestamp, b"k", garbage, headers))
            continue
        source = draw(st.sampled_from(sorted(times)))
        times[source] += draw(st.sampled_from(_STEPS_SECONDS)) * 1000
        kind = draw(st.sampled_from(kinds))
        data = {name: draw(values) for name, values in _CHAOS[kind].items()}
        subject = draw(st.sampled_from(["x", "y", "z"]))
        event_id = draw(st.sampled_from([f"{offset}", f"{offset}", f"{offset}", "a", "b"]))
        told = Happening(times[source], kind, subject, data, source, event_id, topic=topic)
        records.append(Record(offset, timestamp, subject.encode(), told.value(), headers))
    return records
