"""What a fold tells stage 2: partials of queues, for `kpi.panes`. Pure.

A partial is absolute, under the fold's version: a queue's panes that changed since the last time,
each with its sums, and how many agents are in which state. Of contacts that still wait or are
served a pane names all of them, or only those that changed, each as it is now; whichever is shorter
in the long run (docs/decisions/0096). Repeats and older ones change nothing there. Nothing of it is
saved: who still waits follows from the state, and after a restart everything that matters is told
once more, whole.

A log that takes over from another begins with everything that is open, in each of its partitions.
Partition 0 speaks for what was carried over; the partition that hears of it again says so, and from
then on speaks for it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from mypy_extensions import i64, mypyc_attr

from streams.fold.agents import AgentTimeline, states_in
from streams.fold.interaction import interaction_of
from streams.fold.interaction_state import Subject
from streams.fold.known import Interaction
from streams.fold.legs import Leg
from streams.fold.output import Place, RowTuple
from streams.fold.panes import QUEUE_COUNTS, Pane, PaneKey
from streams.fold.rules import DAY_MS, FoldRules
from streams.fold.state import State

YOUNG_MS: Final = DAY_MS + 7_200_000
"""A day with its change of clocks, and some: panes that are older matter to no window."""
MOST_PANES: Final = 500
"""Panes in one record: some 400 bytes each keep it far below what a broker takes."""
NAMES_A_PANE: Final = 10
"""So many names of contacts are as long as a pane without any."""
OFFERED: Final = 4
"""Where in a pane's key the cohort is."""

Queue = tuple[str, str]
"""tenant, queue"""
Missed = tuple[str, str, int, int]
"""interaction, how it left the queue, when it entered, how long it waited (milliseconds)"""

_WHO: Final = ("waiting", "serving", "carried_waiting", "carried_serving", "gone", "missed")

_to_json: Final = msgspec.json.Encoder().encode


@mypyc_attr(acyclic=True)
class Open:
    """A visit that waits (`entered_at`) or is served (`entered_at` is negative); `also` the next of
    the same contact.
    """

    __slots__ = ("also", "carried", "entered_at", "key", "lost_at")

    def __init__(
        self, key: PaneKey, entered_at: int, lost_at: int, carried: bool, also: "Open | None"
    ) -> None:
        self.key = key
        self.entered_at: i64 = entered_at
        self.lost_at: i64 = lost_at
        self.carried = carried
        self.also = also


_NOBODY: Final[dict[Subject, Open]] = {}


class LivePart:
    """The live part of one source partition, and what of it is to be told."""

    def __init__(
        self, place: Place, epoch: int, base: int, state: State, rules: FoldRules, channel: str
    ) -> None:
        self._place = place
        self._epoch = epoch
        self._state = state
        self._channel = channel
        self._rules = rules
        self._horizon_ms = rules.horizons_ms.get(channel, 0)
        self._open: dict[Subject, Open] = {}
        self._in_pane: dict[PaneKey, dict[Subject, Open]] = {}
        """The contacts of each pane, by what is open of them anywhere."""
        self._named: dict[PaneKey, dict[Subject, Missed | None]] = {}
        """Who may not be in a pane as when it was told last, and what they missed there."""
        self._shortest: dict[str, int] = {}
        self._panes: dict[PaneKey, Pane] = {}
        self._carried: set[Subject] = set()
        self._heard: dict[Queue, list[str]] = {}
        self._agents: dict[Subject, dict[str, str]] = {}
        self._counts: dict[Queue, dict[str, int]] = {}
        self._carried_agents: dict[Queue, dict[str, str]] = {}
        self._queues: set[Queue] = set()
        self._again: list[RowTuple] = []
        self._begin(base)

    def _begin(self, base: int) -> None:
        """Take up what is open in the state, and tell all of it once more."""
        state = self._state
        for subject, interaction in state.interactions.items():
            carried = interaction.changed < base
            if carried:
                self._carried.add(subject)
            if _has_open(interaction.pane_keys):
                self._list(subject, interaction_of(interaction.facts.values()), carried)
                interaction.pack()
        for pane in state.panes.values():
            self.pane_changed(pane)
        for subject, agent in state.agents.items():
            carried = agent.changed < base
            if carried:
                self._carried.add(subject)
            self._count(agent.timeline, carried)

    def pane_changed(self, pane: Pane) -> None:
        """A pane is not as it was."""
        key = pane.key
        if len(key) == 6 and key[OFFERED] == "offered":
            self._panes[key] = pane

    def seen(self, subject: Subject, known: Interaction) -> None:
        """Take up what is known of a contact now."""
        if subject in self._carried:
            self._carried.discard(subject)
            for visit in known.visits:
                self._heard.setdefault((subject[0], visit.queue), []).append(subject[1])
        if subject in self._open:
            self.gone(subject)
        self._list(subject, known, False)

    def gone(self, subject: Subject) -> None:
        """A contact is over, or not held any more."""
        visit = self._open.pop(subject, None)
        while visit is not None:
            key = visit.key
            self._name(key, subject, None)
            inside = self._in_pane.get(key)
            if inside is not None:
                inside.pop(subject, None)
                if not inside:
                    del self._in_pane[key]
            self._touch(key)
            visit = visit.also

    def agent_changed(self, timeline: AgentTimeline) -> None:
        """An agent's state is not as it was."""
        subject = (timeline.tenant, timeline.agent)
        if subject in self._carried:
            self._carried.discard(subject)
            for queue in self._agents.get(subject, {}):
                whose = (subject[0], queue)
                self._heard.setdefault(whose, []).append(subject[1])
                self._carried_agents.get(whose, {}).pop(subject[1], None)
            self._agents.pop(subject, None)
        self._count(timeline, False)

    def take(self, version: int) -> list[RowTuple]:
        """What there is to tell since the last call, as records of `kpi.panes`."""
        records, self._again = self._again, []
        if not (self._panes or self._queues or self._heard):
            self._named.clear()
            return records
        # Stage 2 goes by the broker's time, and is later than whatever came before: what is old by
        # that time is in none of its windows (docs/decisions/0095).
        oldest = max(self._state.event_time, self._state.produced_at) - YOUNG_MS
        # Only who is not presumed lost by then may still wait there by what was told before.
        lasting = self._horizon_ms > YOUNG_MS
        by_queue: dict[Queue, list[dict[str, Any]]] = {}
        for key, pane in self._panes.items():
            of_queue = by_queue.setdefault((key[0], key[1]), [])
            if (
                key[5] * 1000 >= oldest
                or key in self._in_pane
                or pane.listed
                or (lasting and key in self._named)
            ):
                of_queue.append(self._partial(pane))
        self._panes.clear()
        self._named.clear()
        for queue in self._queues | self._heard.keys():
            by_queue.setdefault(queue, [])
        for queue, panes in by_queue.items():
            for some in _in_records(panes):
                records.append((queue_key(queue), self._record(queue, some, version)))
        self._queues.clear()
        self._heard.clear()
        return records

    def put_back(self, records: Sequence[RowTuple]) -> None:
        """These were not published: they are told with the next ones."""
        self._again += records

    def _record(self, queue: Queue, panes: list[dict[str, Any]], version: int) -> bytes:
        state = self._state
        said: dict[str, Any] = {
            "type": "partial",
            "tenant": queue[0],
            "queue": queue[1],
            "topic": self._place.topic,
            "partition": self._place.partition,
            "log": self._place.log,
            "epoch": self._epoch,
            "version": version,
            "event_time": max(0, state.event_time),
            "produced_at": max(0, state.produced_at),
        }
        if panes:
            said["panes"] = panes
        if queue in self._heard:
            said["heard"] = self._heard[queue]
        if queue in self._counts:
            said["agents"] = self._counts[queue]
            if self._place.partition == 0 and self._carried_agents.get(queue):
                said["carried_agents"] = self._carried_agents[queue]
        return _to_json(said)

    def _partial(self, pane: Pane) -> dict[str, Any]:
        key = pane.key
        said: dict[str, Any] = {
            "channel": key[2],
            "direction": key[3],
            "pane_at": key[5],
            "generation": pane.generation,
        }
        counts: dict[str, int] = {}
        for at in range(len(QUEUE_COUNTS)):  # thresholds follow
            if pane.counts[at]:
                counts[QUEUE_COUNTS[at]] = pane.counts[at]
        if counts:
            said["counts"] = counts
        for which, name in enumerate(("answered_within", "abandoned_within", "callback_within")):
            if within := pane.within(which):
                said[name] = within
        if ended := pane.within(3):
            said["ended_within"] = ended
        if pane.bins:
            said["wait_bins"] = pane.bins
        self._say_who(said, pane)
        return said

    def _say_who(self, said: dict[str, Any], pane: Pane) -> None:
        """Say who waits and who is served in a pane: everyone, or who may have changed.

        Everyone the first time, and once more have been named since than are there: that costs no
        more than naming them did, and stage 2 need not remember any more who has gone.
        """
        key = pane.key
        inside = self._in_pane.get(key, _NOBODY)
        named = self._named.get(key, {})
        if pane.named < 0 or pane.named + len(named) > len(inside):
            pane.named = 0
            for subject, visits in inside.items():
                self._say(said, key, subject[1], visits)
        else:
            pane.named += len(named)
            said["changes"] = True
            gone: list[str] = []
            for subject in named:
                of_contact = inside.get(subject)
                if of_contact is None:
                    gone.append(subject[1])
                else:
                    self._say(said, key, subject[1], of_contact)
            if gone:
                said["gone"] = gone
        if missed := [one for one in named.values() if one is not None]:
            said["missed"] = missed
        pane.listed = bool(inside)

    def _say(self, said: dict[str, Any], key: PaneKey, name: str, visits: Open) -> None:
        """Say how a contact waits or is served in a pane."""
        visit: Open | None = visits
        while visit is not None:
            one, visit = visit, visit.also
            if one.key != key:
                continue
            if one.carried and self._place.partition != 0:
                continue  # partition 0 speaks for them
            if one.entered_at >= 0:
                waiting = said.setdefault("carried_waiting" if one.carried else "waiting", [])
                waiting.append((name, one.entered_at, one.lost_at))
            else:
                serving = said.setdefault("carried_serving" if one.carried else "serving", [])
                serving.append((name, one.lost_at))

    def _list(self, subject: Subject, known: Interaction, carried: bool) -> None:
        lost_at = known.last_event_at + self._horizon_ms
        first: Open | None = None
        last: Open | None = None
        for visit in known.visits:
            pane_at = visit.entered_at // 10_000 * 10
            key: PaneKey = (
                subject[0],
                visit.queue,
                self._channel,
                known.direction,
                "offered",
                pane_at,
            )
            pane = self._state.panes.get(key)
            if pane is not None:
                key = pane.key  # that of a pane is there anyway; this one would stay beside it
            # Also where they came and went since: whoever told of this before, and was killed, may
            # have named them.
            self._name(key, subject, self._missed(subject, visit))
            if not visit.outcome:
                entered_at = visit.entered_at
            elif visit.outcome == "answered" and visit.ended_at is None:
                entered_at = -1
            else:
                continue
            one = Open(key, entered_at, lost_at, carried, None)
            if first is None or last is None:
                first = one
            else:
                last.also = one
            last = one
            self._in_pane.setdefault(key, {})[subject] = first
            if pane is not None:
                self._panes[key] = pane
        if first is not None:
            self._open[subject] = first

    def _name(self, key: PaneKey, subject: Subject, missed: Missed | None) -> None:
        named = self._named.get(key)
        if named is None:
            named = self._named[key] = {}
        named[subject] = missed

    def _missed(self, subject: Subject, visit: Leg) -> Missed | None:
        """What stage 2 may name as a cause: left without an answer, or with a late one."""
        wait_ms = visit.wait_ms
        if wait_ms is None:
            return None
        shortest = self._shortest.get(visit.queue, -1)
        if shortest < 0:
            # Which of the waits that are counted is the target is the affair of who reads them.
            shortest = min(self._rules.thresholds_of(visit.queue), default=0)
            self._shortest[visit.queue] = shortest
        if visit.outcome == "answered" and wait_ms <= shortest:
            return None
        return (subject[1], visit.outcome, visit.entered_at, wait_ms)

    def _touch(self, key: PaneKey) -> None:
        pane = self._state.panes.get(key)
        if pane is not None:
            self._panes[key] = pane

    def _count(self, timeline: AgentTimeline, carried: bool) -> None:
        """Count an agent in the states that they are in now, and no more in those before."""
        subject = (timeline.tenant, timeline.agent)
        before = self._agents.get(subject, {})
        now = states_in(timeline.latest_scopes)
        if before == now:
            return
        self._agents[subject] = now
        for queue in before.keys() | now.keys():
            whose = (subject[0], queue)
            self._queues.add(whose)
            counts = self._counts.setdefault(whose, {})
            if carried:
                if queue in now:
                    self._carried_agents.setdefault(whose, {})[subject[1]] = now[queue]
                continue
            if queue in before:
                counts[before[queue]] -= 1
            if queue in now:
                counts[now[queue]] = counts.get(now[queue], 0) + 1


def queue_key(queue: Queue) -> bytes:
    """The key of a queue's records: what they are partitioned by."""
    return f"{queue[0]}\x00{queue[1]}".encode()


def _in_records(panes: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Panes of a queue, as many together as a record may hold; at least one record, if empty."""
    some: list[dict[str, Any]] = []
    room = MOST_PANES
    for pane in panes:
        names = sum([len(pane.get(which, ())) for which in _WHO])
        room -= 1 + names // NAMES_A_PANE
        if some and room < 0:
            yield some
            some, room = [], MOST_PANES - 1 - names // NAMES_A_PANE
        some.append(pane)
    yield some


def _has_open(contributions: list[PaneKey]) -> bool:
    """Whether a visit that began is not concluded yet, by the panes it contributes to."""
    left = 0
    for key in contributions:
        if len(key) == 6:
            left += 1 if key[OFFERED] == "offered" else -1
    return left > 0
