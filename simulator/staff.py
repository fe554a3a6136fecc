"""Agents at work: schedules, lateness, pauses, and the states that their desks report. Pure."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from simpy import Event

from schemas.events import AgentScheduled, AgentState, AgentStateChanged
from schemas.topics import EVENTS_AGENT
from simulator.clock import DAY_MS, HOUR_MS
from simulator.routing import Line
from simulator.truth import Staff

if TYPE_CHECKING:
    from simulator.centre import Centre

PUBLISHED_MS: Final = HOUR_MS
"""When in the night the schedules of a day are published."""
PLANNED: Final = (("break", 0.25, 900), ("lunch", 0.5, 1800), ("break", 0.75, 900))
"""Pauses of a shift: what, after which part of it, for how many seconds."""
MEETINGS: Final = (("training", 0.35, 3600), ("meeting", 0.35, 1800))
MEETING_SHARE: Final = 0.15
UNPLANNED: Final = ("break", "coaching", "system", "personal")
MOST_UNPLANNED: Final = 8
PAUSE_DEVIATES_MS: Final = (-300_000, 900_000)
EARLY_SHARE: Final = 1 / 3
EARLIEST_MS: Final = 600_000
NO_PAUSE_BEFORE_END_MS: Final = 600_000
Pause = tuple[int, str, int]
"""When it begins, what it is for, and how long it takes, in milliseconds."""


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
        centre, env = self.centre, self.centre.env
        shift_end = shift_start + round(centre.settings.people.shift_seconds * 1000)
        plan = self._plan(shift_start, shift_end)
        yield env.until(day * DAY_MS + PUBLISHED_MS)
        self._publish(shift_start, shift_end, plan)
        yield env.until(shift_start + self._lateness())
        self._log_in()
        for at, what, ms in self._pauses(plan, shift_start, shift_end):
            yield env.until(at)
            yield from self._take_pause(what, ms)
        yield env.until(shift_end)
        yield from self._finish()
        self._log_off()

    def _plan(self, begin: int, end: int) -> list[Pause]:
        """The pauses that the schedule of a shift has."""
        dice = self.centre.dice_of("staff")
        planned: tuple[tuple[str, float, int], ...] = PLANNED
        if dice.chance(MEETING_SHARE):
            planned += (dice.pick(MEETINGS),)
        return sorted(
            (begin + round((end - begin) * part), what, seconds * 1000)
            for what, part, seconds in planned
        )

    def _lateness(self) -> int:
        dice = self.centre.dice_of("staff")
        late = dice.waiting(self.centre.settings.people.lateness_seconds)
        return -min(late, EARLIEST_MS) if dice.chance(EARLY_SHARE) else late

    def _pauses(self, plan: list[Pause], begin: int, end: int) -> list[Pause]:
        """The pauses that an agent really takes: the planned ones roughly, and others."""
        dice = self.centre.dice_of("staff")
        wanted = [
            (at + dice.between(*PAUSE_DEVIATES_MS), what, dice.around(ms / 1000, 0.15))
            for at, what, ms in plan
        ]
        expected = self.centre.settings.people.unplanned_pauses
        for _ in range(MOST_UNPLANNED):
            if dice.chance(expected / MOST_UNPLANNED):
                at = dice.between(begin + HOUR_MS // 2, max(begin + HOUR_MS, end - HOUR_MS // 2))
                wanted.append((at, dice.pick(UNPLANNED), dice.within(60, 900)))
        return sorted(pause for pause in wanted if pause[0] < end - NO_PAUSE_BEFORE_END_MS)

    def _publish(self, begin: int, end: int, plan: list[Pause]) -> None:
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
        for queue in self.staff.queues:
            member = AgentStateChanged(state="available", queue=queue)
            at = self.staff.states[-1][0]
            self.centre.tell(EVENTS_AGENT, "agent.state_changed", self.name, member, at=at)
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
