"""Writes a queue_log as Asterisk would: a small contact centre, simulated from a seed.

Standard library alone, no clock: the same arguments give the same bytes on every Python, because
`random.random` is the only generator used (the one whose sequence Python promises to keep). Phone
numbers come from ranges reserved for fiction (North American 555-01xx, Ofcom's drama numbers).

    python samples/make_queue_log.py > samples/queue_log.txt
    python samples/make_queue_log.py --calls 200000 --days 120 --output big.txt
"""

import argparse
import heapq
import random
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO, TypeVar

T = TypeVar("T")

HOUR: Final = 3600
DAY: Final = 24 * HOUR
QUEUES: Final = (("support", 0.55), ("sales", 0.30), ("billing", 0.15))
SKILLS: Final = (
    ("support",),
    ("support", "billing"),
    ("sales",),
    ("support", "sales"),
    ("billing", "sales"),
    ("support",),
)
"""Agent n serves the queues of SKILLS[n mod 6]."""
PAUSES: Final = ("lunch", "break", "break", "meeting", "training")
LOAD_BY_HOUR: Final = (
    *(1, 0, 0, 0, 0, 0, 0, 2, 20, 60, 120, 95, 45, 60, 90, 70, 40, 10, 2, 1, 0, 0, 0, 0),
)  # fmt: skip
AREA_CODES: Final = ("202", "206", "212", "303", "312", "404", "415", "512", "617", "713", "808")
DRAMA_RANGES: Final = ("44207946", "441134960", "441214960", "441632960", "447700900")
REPEAT_RATIO: Final = 0.3
"""Share of calls by somebody who called recently."""
DAY_OFF_RATIO: Final = 0.25
QUEUE_TIMEOUT: Final = 300
RING_TIMEOUT: Final = 15


class Dice:
    """Draws from one seeded sequence, in ways that depend on `random.random` alone."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed).random  # noqa: S311 - a simulation, not a secret

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.random() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def around(self, typical: int) -> int:
        """A duration: mostly near `typical`, sometimes much longer, at least 1."""
        product = 1.0
        for _ in range(3):
            product *= 0.25 + 1.5 * self.random()
        return max(1, int(typical * product))

    def pick(self, items: Sequence[T]) -> T:
        """One of them."""
        return items[int(self.random() * len(items))]

    def weighted(self, items: Sequence[tuple[T, float]]) -> T:
        """One of them, by weights that add up to 1."""
        left = self.random()
        for item, weight in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][0]


@dataclass(eq=False, slots=True)
class Agent:
    """A person; `free` means logged in, not paused and not on or after a call."""

    member: str
    skills: tuple[str, ...]
    free: bool = False
    leaves_at: int = 0
    wants_pause: str = ""


@dataclass(eq=False, slots=True)
class Call:
    """A caller waiting in `queue`. `ringing` while an agent's phone rings for them."""

    id: str
    queue: str
    number: str
    entered_at: int = 0
    position: int = 1
    waiting: bool = True
    ringing: bool = False


@dataclass(eq=False)
class Centre:
    """The simulation: a heap of things to come, and the log they leave."""

    dice: Dice
    out: TextIO
    agents: list[Agent]
    now: int = 0
    serial: int = 0
    todo: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    queues: dict[str, list[Call]] = field(default_factory=lambda: {name: [] for name, _ in QUEUES})
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=200))

    def after(self, seconds: int, action: Callable[[], None]) -> None:
        """Does `action` so many seconds from now, after what is already due then."""
        self.serial += 1
        heapq.heappush(self.todo, (self.now + seconds, self.serial, action))

    def run(self) -> None:
        """Until nothing is left to come."""
        while self.todo:
            self.now, _, action = heapq.heappop(self.todo)
            action()

    def log(self, call: str, queue: str, member: str, event: str, *parameters: object) -> None:
        """One line; events without parameters end with the separator, as Asterisk writes them."""
        rest = "|".join(map(str, parameters))
        self.out.write(f"{self.now}|{call}|{queue}|{member}|{event}|{rest}\n")

    def call_id(self) -> str:
        """Asterisk's uniqueid: when the channel was made, and a serial number."""
        self.serial += 1
        return f"{self.now}.{self.serial}"

    def number(self) -> str:
        """A caller's number: somebody who called lately, somebody new, or nobody we can tell."""
        if self.recent and self.dice.chance(REPEAT_RATIO):
            return self.dice.pick(self.recent)
        if self.dice.chance(0.03):
            return self.dice.pick(("anonymous", ""))
        if self.dice.chance(0.6):
            number = f"1{self.dice.pick(AREA_CODES)}55501{self.dice.between(0, 99):02d}"
        else:
            prefix = self.dice.pick(DRAMA_RANGES)
            number = prefix + str(self.dice.between(0, 999)).zfill(12 - len(prefix))
        self.recent.append(number)
        return number

    # Agents

    def shift(self, agent: Agent, seconds: int) -> None:
        """Logs the agent in, for so long; plans pauses."""
        self.log("NONE", "NONE", agent.member, "AGENTLOGIN", self.channel(agent))
        for queue in agent.skills:
            self.log("MANAGER", queue, agent.member, "ADDMEMBER", "")
        started = self.now
        agent.leaves_at = started + seconds
        for reason in PAUSES:
            if self.dice.chance(0.7):
                self.after(
                    self.dice.between(HOUR // 2, max(HOUR, seconds - HOUR // 2)),
                    lambda reason=reason: self.wish(agent, reason),  # type: ignore[misc]
                )
        self.after(seconds, lambda: self.leave(agent, started))
        self.free(agent)

    def channel(self, agent: Agent) -> str:
        """The channel an agent is reached by."""
        self.serial += 1
        return f"PJSIP/{agent.member.removeprefix('Agent/')}-{self.serial:08x}"

    def wish(self, agent: Agent, reason: str) -> None:
        """The agent takes a pause as soon as the call at hand is over."""
        agent.wants_pause = reason
        if agent.free:
            self.free(agent)

    def free(self, agent: Agent) -> None:
        """The agent is ready: for a pause they wanted, for a call of their own, or for a caller."""
        if self.now >= agent.leaves_at:
            return
        agent.free = False
        if agent.wants_pause:
            reason, agent.wants_pause = agent.wants_pause, ""
            self.pause(agent, "PAUSE", reason)
            self.after(self.dice.between(300, 1800), lambda: self.resume(agent, reason))
        elif self.dice.chance(0.06) and not any(self.queues[queue] for queue in agent.skills):
            self.dial(agent, self.call_id(), self.number() or "15005550100")
        else:
            agent.free = True
            for queue in agent.skills:
                self.serve(queue)

    def pause(self, agent: Agent, event: str, reason: str) -> None:
        """PAUSE or UNPAUSE, in every queue and as a whole."""
        for queue in agent.skills:
            self.log("NONE", queue, agent.member, event, reason)
        self.log("NONE", "NONE", agent.member, f"{event}ALL", reason)

    def resume(self, agent: Agent, reason: str) -> None:
        """The pause is over, unless the day ended first."""
        if self.now < agent.leaves_at:
            self.pause(agent, "UNPAUSE", reason)
            self.free(agent)

    def leave(self, agent: Agent, started: int) -> None:
        """Logs the agent off; a call at hand is still finished."""
        agent.free, agent.wants_pause = False, ""
        for queue in agent.skills:
            self.log("MANAGER", queue, agent.member, "REMOVEMEMBER", "")
        self.log(
            "NONE", "NONE", agent.member, "AGENTLOGOFF", self.channel(agent), self.now - started
        )

    # Inbound calls

    def arrive(self) -> None:
        """Somebody calls: into a queue, with some patience."""
        call = Call(self.call_id(), self.dice.weighted(QUEUES), self.number())
        self.after(self.dice.between(2, 40), lambda: self.enter(call))  # the welcome message

    def enter(self, call: Call) -> None:
        """The caller starts to wait in `call.queue`."""
        waiting = self.queues[call.queue]
        waiting.append(call)
        call.entered_at, call.position = self.now, len(waiting)
        self.log(call.id, call.queue, "NONE", "ENTERQUEUE", "", call.number, call.position)
        if not any(call.queue in agent.skills and self.now < agent.leaves_at
                   for agent in self.agents):  # fmt: skip
            self.after(self.dice.between(1, 10), lambda: self.give_up(call, "EXITEMPTY"))
        patience = self.dice.between(1, 5) if self.dice.chance(0.03) else self.dice.around(180)
        if self.dice.chance(0.04):
            self.after(self.dice.between(5, 90), lambda: self.give_up(call, "EXITWITHKEY", 1))
        self.after(patience, lambda: self.give_up(call, "ABANDON"))
        self.after(QUEUE_TIMEOUT, lambda: self.give_up(call, "EXITWITHTIMEOUT"))
        self.serve(call.queue)

    def give_up(self, call: Call, event: str, *first: object) -> None:
        """The caller leaves the queue unanswered, if they still wait."""
        if call.waiting:
            position = self.take(call)
            waited = self.now - call.entered_at
            self.log(call.id, call.queue, "NONE", event, *first, position, call.position, waited)

    def take(self, call: Call) -> int:
        """Takes the caller out of the queue; returns where they stood."""
        call.waiting = False
        place = self.queues[call.queue].index(call)
        del self.queues[call.queue][place]
        return place + 1

    def serve(self, queue: str) -> None:
        """Rings a free agent for everybody in the queue for whom there is one."""
        for call in self.queues[queue]:
            ready = [agent for agent in self.agents if agent.free and queue in agent.skills]
            if not ready:
                return
            if not call.ringing:
                self.ring(call, self.dice.pick(ready))

    def ring(self, call: Call, agent: Agent) -> None:
        """One agent's phone rings; it is taken, or not."""
        agent.free, call.ringing = False, True
        answers = self.dice.chance(0.88)
        seconds = self.dice.between(2, 9) if answers else RING_TIMEOUT
        self.after(seconds, lambda: self.rung(call, agent, seconds, answers))

    def rung(self, call: Call, agent: Agent, seconds: int, answers: bool) -> None:
        """The ringing ends: with a conversation, or without."""
        call.ringing = False
        if call.waiting and answers:
            self.connect(call, agent, seconds)
            return
        event = "RINGNOANSWER" if call.waiting else "RINGCANCELED"
        self.log(call.id, call.queue, agent.member, event, seconds * 1000)
        self.after(self.dice.between(5, 20), lambda: self.free(agent))
        self.serve(call.queue)

    def connect(self, call: Call, agent: Agent, rang: int) -> None:
        """They talk."""
        self.take(call)
        hold = self.now - call.entered_at
        self.log(call.id, call.queue, agent.member, "CONNECT", hold, self.call_id(), rang)
        talk = self.dice.around({"support": 420, "sales": 330, "billing": 240}[call.queue])
        self.after(talk, lambda: self.finish(call, agent, hold, talk))

    def finish(self, call: Call, agent: Agent, hold: int, talk: int) -> None:
        """The agent's part is over; writing it up takes a moment more."""
        event = self.dice.weighted(
            (
                ("COMPLETECALLER", 0.57),
                ("COMPLETEAGENT", 0.37),
                ("BLINDTRANSFER", 0.04),
                ("ATTENDEDTRANSFER", 0.02),
            )
        )
        before: tuple[object, ...] = ()
        if event == "BLINDTRANSFER":
            before = (self.dice.between(3000, 3019), "from-internal")
        elif event == "ATTENDEDTRANSFER":
            before = ("BRIDGE", f"{self.dice.between(0, 1 << 30):08x}-bridge")
        self.log(call.id, call.queue, agent.member, event, *before, hold, talk, call.position)
        if event == "BLINDTRANSFER" and self.dice.chance(0.5):
            other = Call(call.id, self.dice.weighted(QUEUES), call.number)
            self.after(self.dice.between(1, 3), lambda: self.enter(other))
        self.after(self.dice.between(10, 120), lambda: self.free(agent))

    # Outbound calls: the vendor's events

    def dial(self, agent: Agent, call: str, number: str, attempts: int = 1) -> None:
        """The agent calls out; a line that is congested is tried again at once."""
        self.log(call, "NONE", agent.member, "OUTDIAL", number, "", 0, 0)
        outcome = self.dice.weighted(
            (
                ("OUTANSWER", 0.6),
                ("OUTNOANSWER", 0.15),
                ("OUTCANCEL", 0.1),
                ("OUTBUSY", 0.07),
                ("OUTCONGESTION", 0.05),
                ("OUTCHANUNAVAIL", 0.03),
            )
        )
        wait = self.dice.between(0, 2) if outcome == "OUTCONGESTION" else self.dice.between(2, 30)
        if outcome == "OUTANSWER":
            talk = self.dice.around(150)
            by = "COMPLETEAGENT" if self.dice.chance(0.5) else "COMPLETECALLER"
            result: tuple[object, ...] = (number, by, wait, talk)
        else:
            talk, result = 0, (number, "", wait, 0)

        def end() -> None:
            self.log(call, "NONE", agent.member, outcome, *result)
            if outcome == "OUTCONGESTION" and attempts < 3:
                self.dial(agent, call, number, attempts + 1)
            else:
                self.after(self.dice.between(5, 30), lambda: self.free(agent))

        self.after(wait + talk, end)


def write(out: TextIO, *, seed: int, calls: int, days: int, start: datetime, agents: int) -> None:
    """Writes the log of `calls` calls into the queues over `days` days from `start` (aware).

    Outbound calls, pauses and shifts come on top; about four lines are written for a call.
    """
    people = [Agent(f"Agent/{2001 + n}", SKILLS[n % len(SKILLS)]) for n in range(agents)]
    centre = Centre(Dice(seed), out, people, now=int(start.timestamp()))
    begin = centre.now
    centre.log("NONE", "NONE", "NONE", "QUEUESTART", "")
    for day in range(days):
        centre.after(day * DAY + 5 * HOUR, lambda: centre.log(*["NONE"] * 3, "CONFIGRELOAD", ""))
        for n, agent in enumerate(people):
            if centre.dice.chance(DAY_OFF_RATIO):
                continue
            comes = day * DAY + (8 + n % 4) * HOUR + centre.dice.between(-300, 300)
            stays = 6 * HOUR + centre.dice.between(-900, 900)
            centre.after(comes, lambda a=agent, s=stays: centre.shift(a, s))  # type: ignore[misc]
    hours = [(hour, load / sum(LOAD_BY_HOUR)) for hour, load in enumerate(LOAD_BY_HOUR)]
    for number in range(calls):
        day = number * days // calls
        second = centre.dice.weighted(hours) * HOUR + centre.dice.between(0, HOUR - 1)
        centre.after(begin + day * DAY + second - centre.now, centre.arrive)
    centre.run()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Write a queue_log of a simulated contact centre, the same for the same seed."
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed, another log")
    parser.add_argument("--calls", type=int, default=500, help="calls into the queues")
    parser.add_argument("--days", type=int, default=3, help="days they are spread over")
    parser.add_argument("--agents", type=int, default=12, help="people who answer them")
    parser.add_argument(
        "--start",
        type=lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
        default=datetime(2026, 3, 2, tzinfo=UTC),
        help="first day, in UTC (2026-03-02)",
    )
    parser.add_argument("--output", type=Path, help="a file, instead of standard output")
    given = parser.parse_args()
    arguments = {
        name: getattr(given, name) for name in ("seed", "calls", "days", "start", "agents")
    }
    if given.output is None:
        write(sys.stdout, **arguments)
    else:
        with given.output.open("w", encoding="utf-8", newline="\n") as out:
            write(out, **arguments)


if __name__ == "__main__":
    main()
