"""Agents at work: schedules, lateness, pauses, and the states that their desks report. Pure."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from simpy import Event

from schemas.events import AgentScheduled, AgentState, AgentStateChanged
from schemas.topics import EVENTS_AGENT
from simulator.routing import Line
from simulator.truth import Staff

if TYPE_CHECKING:
    from simulator.centre import Centre

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
PLANNED: Final = (("break", 0.25, 900), ("lunch", 0.5, 1800), ("break", 0.75, 900))
"""Pauses of a shift: what, after which part of it, for how many seconds."""
UNPLANNED: Final = ("break", "coaching", "system", "personal")
LONG_MEETINGS: Final = (("training", 3600), ("meeting", 1800))


class Agent:
    """A person at a desk. `slots_used` counts whom routing gave them; the state follows the work.

    A change of state is told and written down together. A desk's clock never shows the same
    millisecond twice: of two changes of one the order would be lost.
    """

    def __init__(self, centre: Centre, staff: Staff, lines: tuple[Line, ...]) -> None:
        self.centre = centre
        self.staff = staff
        self.name = staff.agent
        self.lines = lines
        self.slots_used = 0
        self.conversations = 0
        self.wrapups = 0
        self.present = False
        self.pause = ""
        self._leaving = ""
        self._idle: Event | None = None

    @property
    def can_take(self) -> bool:
        """Whether one more contact would find them free."""
        return (
            self.present
            and not self.pause
            and not self._leaving
            and self.slots_used < self.staff.slots_max
        )

    @property
    def state(self) -> AgentState:
        """What the desk shows."""
        if not self.present:
            return "offline"
        if self.conversations:
            return "on_contact"
        if self.wrapups:
            return "wrapup"
        return "paused" if self.pause else "available"

    def begin_conversation(self) -> None:
        """A customer (or a colleague) is connected."""
        self.conversations += 1
        self._report()

    def end_conversation(self, *, wrapping_up: bool) -> None:
        """The customer is gone."""
        self.conversations -= 1
        if wrapping_up:
            self.wrapups += 1
            self._report()
        else:
            self.release()

    def end_wrapup(self) -> None:
        """The work after it is done."""
        self.wrapups -= 1
        self.release()

    def release(self) -> None:
        """One slot is free again."""
        self.slots_used -= 1
        if self.slots_used == 0 and self._idle is not None:
            # Straight into the pause or home: the desk never shows them available in between.
            self._idle.succeed()
            self._idle = None
        else:
            self._report()
            self.centre.floor.freed(self)

    def work(self, day: int, shift_start: int) -> Generator[Event, Any, None]:
        """One day's shift, from its plan to the way home."""
        centre, people, dice = (
            self.centre,
            self.centre.settings.people,
            self.centre.dice_of("staff"),
        )
        env = centre.env
        length = round(people.shift_seconds * 1000)
        plan = [
            (shift_start + round(length * part), what, seconds * 1000)
            for what, part, seconds in PLANNED
        ]
        if dice.chance(0.15):
            what, seconds = dice.pick(LONG_MEETINGS)
            plan.append((shift_start + round(length * 0.35), what, seconds * 1000))
        plan.sort()
        yield env.timeout(max(0, day * DAY_MS + HOUR_MS - env.now))
        self._publish(shift_start, shift_start + length, plan)
        late = dice.waiting(people.lateness_seconds)
        if dice.chance(1 / 3):
            late = -min(late, 600_000)
        yield env.timeout(max(0, shift_start + late - env.now))
        self._log_in()
        wanted = [(at + dice.within(-300, 900), what, ms) for at, what, ms in plan]
        expected = people.unplanned_pauses
        for _ in range(8):
            if dice.chance(expected / 8):
                at = shift_start + dice.between(HOUR_MS // 2, max(HOUR_MS, length - HOUR_MS // 2))
                wanted.append((at, dice.pick(UNPLANNED), dice.within(60, 900)))
        for at, what, ms in sorted(wanted):
            if at >= shift_start + length - 600_000:
                continue
            yield env.timeout(max(0, at - env.now))
            yield from self._take_pause(what, dice.around(ms / 1000, 0.15))
        yield env.timeout(max(0, shift_start + length - env.now))
        yield from self._finish()
        self._log_off()

    def _publish(self, begin: int, end: int, plan: list[tuple[int, str, int]]) -> None:
        at = begin
        for pause_at, what, ms in plan:
            self._schedule(at, pause_at, "work")
            self._schedule(pause_at, pause_at + ms, what)
            at = pause_at + ms
        self._schedule(at, end, "work")

    def _schedule(self, begin: int, end: int, activity: str) -> None:
        self.staff.schedule.append((begin, end, activity))
        moment = self.centre.instant
        self.centre.tell(
            EVENTS_AGENT,
            "agent.scheduled",
            self.name,
            AgentScheduled(from_=moment(begin), to=moment(end), activity=activity),
        )

    def _log_in(self) -> None:
        self.present = True
        self.centre.floor.arrived(self)
        self._report(skills=self.staff.skills)
        self.centre.floor.freed(self)

    def _take_pause(self, what: str, ms: int) -> Generator[Event, Any, None]:
        self._leaving = what
        yield from self._finish()
        self.pause, self._leaving = what, ""
        self._report(reason=what)
        yield self.centre.env.timeout(ms)
        self.pause = ""
        self._report()
        self.centre.floor.freed(self)

    def _finish(self) -> Generator[Event, Any, None]:
        """No new contacts; those at hand come to their end."""
        self._leaving = self._leaving or "home"
        self.centre.floor.away(self)
        if self.slots_used:
            self._idle = self.centre.env.event()
            yield self._idle

    def _log_off(self) -> None:
        self.present, self._leaving = False, ""
        self.centre.floor.left(self)
        self._report()

    def _report(self, reason: str = "", skills: tuple[str, ...] = ()) -> None:
        state, used = self.state, self.conversations + self.wrapups
        several = self.staff.slots_max > 1
        states = self.staff.states
        if states and states[-1][1] == state and (not several or states[-1][2] == used):
            return
        at = self.centre.env.now
        if states and at <= states[-1][0]:
            at = states[-1][0] + 1
        states.append((at, state, used))
        data = AgentStateChanged(
            state=state,
            reason=reason,
            skills=skills,
            slots_used=used if several else None,
            slots_max=self.staff.slots_max if several else None,
            site=self.staff.site,
            remote=self.staff.remote,
        )
        self.centre.tell(EVENTS_AGENT, "agent.state_changed", self.name, data, at=at)
