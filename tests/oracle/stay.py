"""The oracle's words for a contact: what was told, in causal order, and a stay of it.

Pure. Instants and durations in milliseconds.
"""

from dataclasses import dataclass, field

from xxhash import xxh3_64_intdigest

from schemas.decode import Event

SLACK = 2_000
"""Two seconds: what two clocks, or a stopwatch and a clock, may be apart."""

SAME_INSTANT = [
    {"interaction.started"},
    {"ivr.entered", "ivr.exited"},
    {"queue.entered"},
    {
        "agent.offered",
        "callback.offered",
        "callback.requested",
        "callback.attempted",
        "callback.connected",
        "callback.failed",
    },
    {"agent.missed"},
    {"queue.exited"},
    {"queue.exited answered"},
    {"agent.connected"},
    {"hold.started"},
    {"hold.ended", "message.received", "message.sent"},
    {"transfer.started"},
    {"transfer.completed"},
    {"interaction.ended"},
    {"wrapup.started"},
    {"wrapup.ended"},
    {"ticket.status_changed new"},
    {"ticket.status_changed open"},
    {"ticket.status_changed pending"},
    {"ticket.status_changed solved"},
    {"ticket.status_changed closed"},
]
"""What precedes what when clocks are too coarse to tell; the rest comes last."""


@dataclass(frozen=True)
class Told:
    """One event, at the time that is believed of it."""

    at: int
    event: Event

    @property
    def identity(self) -> int:
        return xxh3_64_intdigest(f"{self.event.source}\0{self.event.id}")

    @property
    def order(self) -> tuple[int, int, int]:
        name = self.event.type
        if name == "queue.exited" and self.event.data.reason == "answered":
            name += " answered"
        if name == "ticket.status_changed":
            name += f" {self.event.data.status}"
        place = next((n for n, names in enumerate(SAME_INSTANT) if name in names), 99)
        return (self.at, place, self.identity)


def ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


@dataclass(eq=False)
class Stay:
    """A stay with a queue, or with an agent directly, and the talk that came of it."""

    queue: str
    began: int
    entry_told: bool = False
    exit_told: bool = False
    guessed: bool = False
    """The outcome is concluded from the contact's end."""
    outcome: str = "open"
    left: int | None = None
    wait_stated: int | None = None
    agent: str = ""
    connected: int | None = None
    ring: int | None = None
    talk_ended: int | None = None
    talk_stated: int | None = None
    holds: list[int] = field(default_factory=list)
    on_hold_since: int | None = None
    held_again: int | None = None
    hold_guessed: bool = False
    """The last hold was ended by the end of the talk."""
    away: int = 0
    wrapup_began: int | None = None
    wrapup_ended: int | None = None
    wrapup: int | None = None
    missed: int = 0
    transfer: str = ""

    @property
    def picked_up(self) -> int | None:
        return self.left if self.connected is None else self.connected

    @property
    def wait(self) -> int | None:
        if self.outcome == "open" or not self.queue:
            return None
        if self.wait_stated is not None:
            return self.wait_stated
        return max(0, (self.picked_up or self.began) - self.began)

    @property
    def hold(self) -> int:
        return sum(self.holds)

    @property
    def talk(self) -> int | None:
        if self.talk_ended is None:
            return None
        if self.talk_stated is not None:
            return self.talk_stated
        spent = self.talk_ended - (self.picked_up or self.talk_ended)
        return max(0, max(0, spent - self.away) - self.hold)

    @property
    def over(self) -> int | None:
        if self.outcome != "answered":
            return self.left
        if self.talk_ended is None:
            return None
        return max(self.talk_ended, self.wrapup_ended or self.talk_ended)

    @property
    def disagreements(self) -> int:
        found = 0
        if self.wait_stated is not None and self.outcome != "open" and self.entry_told:
            by_clock = max(0, (self.picked_up or self.began) - self.began)
            found += abs(self.wait_stated - by_clock) > SLACK
        if self.talk_stated is not None and self.talk_ended is not None:
            by_clock = self.talk_ended - (self.picked_up or self.talk_ended)
            by_clock = max(0, by_clock - self.away)
            with_hold, without = by_clock, max(0, by_clock - self.hold)
            found += min(abs(self.talk_stated - t) for t in (with_hold, without)) > SLACK
        return found

    def end_hold(self, at: int, stated: int | None) -> None:
        if stated is None and self.on_hold_since is None:
            return
        if self.on_hold_since is None and self.hold_guessed:
            assert stated is not None
            self.holds[-1], self.hold_guessed = stated, False
            return
        since = at if self.on_hold_since is None else self.on_hold_since
        self.holds.append(max(0, at - since) if stated is None else stated)
        self.on_hold_since = at if self.held_again == at else None
        self.held_again = None

    def hang_up(self, at: int, stated: int | None = None) -> None:
        if self.talk_ended is None or (stated is not None and self.talk_stated is None):
            if self.on_hold_since is not None:
                self.end_hold(at, None)
                self.hold_guessed = True
            self.talk_ended, self.talk_stated = at, stated
