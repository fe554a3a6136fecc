"""The oracle's reading of one contact: from what was told about it to its interaction row.

Pure and slow. Instants and durations in milliseconds.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from xxhash import xxh3_128_hexdigest

from tests.oracle.stay import SLACK, Stay, Told, ms
from tests.oracle.thread import Thread

ENOUGH_FOR_A_ROW = (
    "interaction.started",
    "ivr.entered",
    "ivr.exited",
    "queue.entered",
    "queue.exited",
    "agent.connected",
    "callback.offered",
    "callback.requested",
    "callback.attempted",
    "callback.connected",
    "callback.failed",
)


class Contact:
    """Everything known about a contact once all of `told` is known."""

    def __init__(self, told: Iterable[Told]) -> None:
        self.told = sorted(told, key=lambda t: t.order)
        self.started_at = self.told[0].at
        self.last_at = self.told[-1].at
        self.stays = [
            Stay(t.event.data.queue, t.at, entry_told=True)
            for t in self.told
            if t.event.type == "queue.entered"
        ]
        self.talks: list[Stay] = []
        self.status = "open"
        self.ended_at: int | None = None
        self.ended_by = self.disposition = self.topic = ""
        self.resolved: bool | None = None
        self.identifiers: list[str] = []
        self.customer_name = self.language = ""
        self.agents: list[str] = []
        self.transfers: list[str] = []
        self.misses: list[tuple[int, str]] = []
        self.attempts: list[tuple[int, str]] = []
        self.direction = self._first("direction") or "inbound"
        in_queues = []
        for t in self.told:
            in_queues.append((t, ([s.queue for s in self.stays if s.began <= t.at] or [""])[-1]))
            self._hear(t.at, t.event.type, t.event.data)
        self.thread = Thread(in_queues, self.direction)
        talking = bool(self.talks) and self.talks[-1].talk_ended is None
        if self.status == "transferred" and (
            talking or any(s.outcome == "open" for s in self.stays)
        ):
            self.status = "open"

    def _first(self, name: str) -> str:
        """The first non-empty word on what only the beginning of an interaction tells."""
        words = (
            getattr(t.event.data, name) for t in self.told if t.event.type == "interaction.started"
        )
        return next((word for word in words if word), "")

    @property
    def shown(self) -> bool:
        return any(
            t.event.type in ENOUGH_FOR_A_ROW
            or (t.event.type.startswith("message.") and not t.event.data.automatic)
            for t in self.told
        )

    def _hear(self, at: int, kind: str, data: Any) -> None:
        match kind:
            case "interaction.started":
                self._introduce(data)
                self._go_on()
                if data.direction == "outbound":
                    self.attempts.append((at, data.agent))
            case "queue.entered":
                self._introduce(data)
                self._go_on()
                if self.talks and self.talks[-1].began < at:
                    self.talks[-1].hang_up(at)
            case "agent.missed":
                self._miss(at, data)
            case "queue.exited":
                self._exit(at, data)
            case "agent.connected":
                self._connect(at, data)
            case "hold.started" if talk := self._talk_of(data.agent):
                talk.hold_guessed = False
                if talk.on_hold_since is None:
                    talk.on_hold_since = at
                else:
                    talk.held_again = at
            case "hold.ended" if talk := self._talk_of(data.agent):
                talk.end_hold(at, ms(data.hold_seconds))
            case "message.received" | "message.sent" if not data.automatic:
                if data.agent and data.agent not in self.agents:
                    self.agents.append(data.agent)
                customer = kind == "message.received" or data.author == "customer"
                if customer or (data.author == "agent" and data.public):
                    self._go_on()
            case "transfer.started" if data.kind == "blind":
                if talk := self._talk_of(data.agent):
                    talk.hang_up(at)
            case "transfer.completed":
                self._transfer(at, data)
            case "interaction.ended":
                self._end(at, data)
            case "wrapup.started" if talk := self._talk_of(data.agent):
                talk.wrapup_began = at
                talk.hang_up(at)
            case "wrapup.ended" if self.talks:
                talk = self._wrapped_by(data.agent) or self._talk_of(data.agent)
                self._wrapped_up(at, talk, ms(data.wrapup_seconds))

    def _introduce(self, data: Any) -> None:
        self.language = self.language or data.language
        self.customer_name = self.customer_name or data.customer.name
        for identifier in map(identifier_text, data.customer.identifiers):
            if identifier not in self.identifiers:
                self.identifiers.append(identifier)

    def _go_on(self) -> None:
        if self.status != "open":
            self.status, self.ended_by, self.disposition = "open", "", ""
            self.resolved = None

    def _stays_at(self, at: int, queue: str | None) -> list[Stay]:
        """Stays (with a queue) that something at this time can be about."""
        return [s for s in self.stays if s.began <= at + SLACK and queue in (None, s.queue)]

    def _new_stay(self, queue: str, at: int, stated: int | None) -> Stay:
        stay = Stay(queue, at - (stated or 0))
        if queue:
            place = bisect_right([s.began for s in self.stays], stay.began)
            self.stays.insert(place, stay)
        return stay

    def _exit(self, at: int, data: Any) -> None:
        stated, answered = ms(data.wait_seconds), data.reason == "answered"
        here = [s for s in self._stays_at(at, data.queue) if not s.exit_told]
        waiting = [s for s in here if s.outcome == "open"]
        guessed = [s for s in here if s.guessed and at <= (s.left or at) + SLACK]
        taken = [s for s in here if s.connected is not None]
        talking = [s for s in taken if s.talk_ended is None]
        choices = (
            talking + waiting + guessed + taken[::-1] if answered else waiting + guessed + talking
        )
        stay = choices[0] if choices else self._new_stay(data.queue, at, stated)
        stay.exit_told, stay.guessed, stay.left = True, False, at
        if stay.wait_stated is None:
            stay.wait_stated = stated
        if stay.outcome != "answered":
            stay.outcome = data.reason
        if answered:
            self._talk(stay, at)

    def _connect(self, at: int, data: Any) -> None:
        self._go_on()
        stated = ms(data.wait_seconds)
        here = [
            s
            for s in self._stays_at(at, data.queue or None)
            if s.connected is None and s.talk_ended is None
        ]
        choices = [s for s in here if s.outcome == "answered"]
        choices += [s for s in here if s.outcome == "open"]
        if data.queue:
            choices += [s for s in here if s.guessed and at <= (s.left or at) + SLACK]
        stay = choices[0] if choices else self._new_stay(data.queue, at, stated)
        self._talk(stay, at)
        stay.outcome, stay.guessed, stay.agent, stay.connected = "answered", False, data.agent, at
        stay.left = at if stay.left is None else stay.left
        stay.wait_stated = stay.wait_stated if stated is None else stated
        stay.ring = stay.ring if data.ring_seconds is None else ms(data.ring_seconds)
        if data.agent not in self.agents:
            self.agents.append(data.agent)

    def _talk(self, stay: Stay, at: int) -> None:
        if stay not in self.talks:
            if self.talks:
                self.talks[-1].hang_up(at)
            self.talks.append(stay)

    def _talk_of(self, agent: str) -> Stay | None:
        of_agent = [t for t in self.talks if agent and t.agent == agent]
        return (of_agent or self.talks or [None])[-1]  # type: ignore[list-item]

    def _wrapped_by(self, agent: str) -> Stay | None:
        begun = [t for t in self.talks if t.wrapup_began is not None and t.wrapup_ended is None]
        return next((t for t in reversed(begun) if agent in ("", t.agent)), None)

    def _miss(self, at: int, data: Any) -> None:
        self.misses.append((at, data.agent))
        here = [s for s in self.stays if data.queue in ("", s.queue)]
        begun = [s for s in here if s.began <= at]
        for stay in begun[-1:] or here[:1]:
            stay.missed += 1

    def _transfer(self, at: int, data: Any) -> None:
        self.transfers.append(f"{data.kind}:{data.target}")
        talk = self._talk_of(data.agent)
        if talk:
            talk.transfer = data.kind
        if data.kind == "recall":
            if talk and talk is self.talks[-1] and talk.talk_ended is not None:
                talk.away += max(0, at - talk.talk_ended)
                talk.talk_ended = None
            return
        self.status, self.ended_at = "transferred", at
        if talk:
            talk.hang_up(at, ms(data.talk_seconds))

    def _end(self, at: int, data: Any) -> None:
        self.status, self.ended_at, self.ended_by = "ended", at, data.by
        self.disposition = data.disposition or self.disposition
        self.topic = data.topic or self.topic
        self.resolved = self.resolved if data.resolved is None else data.resolved
        if talk := self._talk_of(data.agent):
            talk.hang_up(at, ms(data.talk_seconds))
            self.talks[-1].hang_up(at)
        for stay in self.stays:
            if stay.outcome == "open" and stay.began <= at:
                stay.outcome = "abandoned" if data.by == "customer" else "emptied"
                stay.guessed, stay.left = True, at

    def _wrapped_up(self, at: int, talk: Stay | None, stated: int | None) -> None:
        assert talk is not None
        since = talk.talk_ended if talk.wrapup_began is None else talk.wrapup_began
        if stated is None:
            if since is None:
                return
            stated = max(0, at - since)
        talk.wrapup_ended, talk.wrapup = at, stated
        talk.hang_up(at - stated)

    def row(self, tenant: str, channel: str) -> dict[str, Any]:
        """Columns of `InteractionRow` but those of the key, of the log and of its order."""
        stays = self.stays + [t for t in self.talks if not t.queue]

        def of_visits(value: Callable[[Stay], Any]) -> list[Any]:
            return [value(stay) for stay in self.stays]

        return {
            "channel": channel,
            "direction": self.direction,
            "purpose": self._first("purpose"),
            "language": self.language,
            "site": self._first("site"),
            "started_at": self.started_at,
            "last_event_at": self.last_at,
            "ended_at": None if self.status == "open" else self.ended_at,
            "status": self.status,
            "ended_by": self.ended_by,
            "disposition": self.disposition,
            "resolved": None if self.resolved is None else int(self.resolved),
            "topic": self.topic,
            "linked_to": self._first("linked_to"),
            "customer_key": customer_key(tenant, self.customer),
            "customer_name": self.customer_name,
            "identifiers": self.identifiers,
            "agents": self.agents,
            "wait_ms": sum(s.wait or 0 for s in stays),
            "talk_ms": sum(s.talk or 0 for s in stays),
            "hold_ms": sum(s.hold for s in stays),
            "wrapup_ms": sum(s.wrapup or 0 for s in stays),
            "missed_rings": len(self.misses),
            "transfers": self.transfers,
            **self.thread.columns(is_open=self.status == "open"),
            "disagreements": sum(s.disagreements for s in stays),
            "events": len(self.told),
            "visits_queue": of_visits(lambda s: s.queue),
            "visits_entered_at": of_visits(lambda s: s.began),
            "visits_exited_at": of_visits(lambda s: s.left),
            "visits_ended_at": of_visits(lambda s: s.over),
            "visits_outcome": of_visits(lambda s: s.outcome),
            "visits_agent": of_visits(lambda s: s.agent),
            "visits_wait_ms": of_visits(lambda s: s.wait),
            "visits_talk_ms": of_visits(lambda s: s.talk),
            "visits_hold_ms": of_visits(lambda s: s.hold),
            "visits_holds": of_visits(lambda s: len(s.holds)),
            "visits_wrapup_ms": of_visits(lambda s: s.wrapup),
            "visits_ring_ms": of_visits(lambda s: s.ring),
            "visits_missed_rings": of_visits(lambda s: s.missed),
            "visits_transfer": of_visits(lambda s: s.transfer),
        }

    @property
    def customer(self) -> str:
        """The strongest identifier; of equal ones the first in the alphabet."""
        kinds = ("customer_number", "email", "phone", "handle", "device", "other")
        for kind in kinds:
            of_kind = sorted(i for i in self.identifiers if i.startswith(f"{kind}:"))
            if of_kind:
                return of_kind[0]
        return ""


def identifier_text(identifier: Any) -> str:
    """An identifier as it is written: kinds where spelling means nothing, without it."""
    value = identifier.value.strip()
    match identifier.kind:
        case "phone":
            digits = "".join(c for c in value if c.isdigit())
            value = ("+" if value.startswith("+") else "") + (digits or value)
        case "email":
            value = value.casefold()
        case "handle":
            value = f"{identifier.network.casefold()}:{value.casefold()}"
    return f"{identifier.kind}:{value}"


def customer_key(tenant: str, identifier: str) -> str:
    return xxh3_128_hexdigest(f"{tenant}\0{identifier}") if identifier else ""
