"""One queue: the newest partial of each source, and what follows from all of them. Pure.

Whatever the order in which partials come, and however often, the same is known in the end: of each
pane and source the one with the greatest version counts, and of each contact in it. Of a topic that
was made anew, panes of both logs add up; who waits and who works is told by the newest log alone.
"""

from collections.abc import Callable, Iterable, Iterator
from operator import sub
from typing import Any, Final

from schemas.live import WINDOWS
from schemas.rows import QUEUE_PANE_SECONDS
from streams.monitor.causes import Causes
from streams.monitor.listed import FOR_EVER, Listed, Open, nobody
from streams.monitor.messages import PanePart, Partial
from streams.monitor.rules import MonitorRules
from streams.monitor.vectors import (
    ABANDONED,
    ANSWERED,
    ANSWERED_IN_TARGET,
    FLOWED_OUT,
    OFFERED,
    Vector,
    met_and_counted,
    vector_of,
)
from streams.monitor.windows import Bins, Window, begins_at, slot

KEPT_SECONDS: Final = 26 * 3_600
"""A day of 25 hours, and some: older panes are kept only for who is still open in them."""
OUTCOMES: Final = (
    "offered",
    "answered",
    "answered_in_target",
    "abandoned",
    "flowed_out",
    "service_level_met",
    "service_level_missed",
)

Source = tuple[str, int]
"""topic, partition"""
PartKey = tuple[str, int, int, str, str]
"""log, source partition, generation, channel, direction"""


class Part:
    """The newest sums of one pane from one source, and who is open in it."""

    __slots__ = ("bins", "epoch", "listed", "source", "vector", "version")

    def __init__(
        self,
        source: Source,
        epoch: int,
        version: int,
        vector: Vector,
        bins: Bins,
        listed: Listed,
    ) -> None:
        self.source = source
        self.epoch = epoch
        self.version = version
        self.vector = vector
        self.bins = bins
        self.listed = listed

    def save(self) -> tuple[Any, ...]:
        """What makes the part again."""
        return (
            *(self.source, self.epoch, self.version, self.vector, self.bins),
            self.listed.save(),
        )


class Agents:
    """The newest that one source partition told of agents; `carried` by name, from an older log."""

    __slots__ = ("carried", "counts", "epoch", "version")

    def __init__(
        self, epoch: int, version: int, counts: dict[str, int], carried: dict[str, str]
    ) -> None:
        self.epoch = epoch
        self.version = version
        self.counts = counts
        self.carried = carried

    def save(self) -> tuple[Any, ...]:
        """What makes it again: `Agents(*saved)`."""
        return (self.epoch, self.version, self.counts, self.carried)


class Standing:
    """Who is open in a queue; holds before `until` (milliseconds) where nothing more is said.

    `waiting` is (entered_at, interaction) by time, `serving` how many are served, `lost` how many
    of those told of are presumed lost.
    """

    __slots__ = ("lost", "serving", "until", "waiting")

    def __init__(self, waiting: list[tuple[int, str]], serving: int, lost: int, until: int) -> None:
        self.waiting = waiting
        self.serving = serving
        self.lost = lost
        self.until = until


class Queue:
    """See the module's docstring. `name` is (tenant, queue)."""

    def __init__(self, name: tuple[str, str], now: int) -> None:
        self.name = name
        self.now = now
        self.parts: dict[int, dict[PartKey, Part]] = {}
        self.agents: dict[Source, Agents] = {}
        self.epochs: dict[str, int] = {}
        self.heard: dict[str, set[str]] = {}
        self.totals = [0] * len(OUTCOMES)
        self.shown = [0] * len(OUTCOMES)
        """The greatest that `totals` came to: a counter never goes back."""
        self.forgotten: dict[tuple[str, int], int] = {}
        """Log and partition -> the greatest version among panes that were let go."""
        self.causes = Causes()
        self.sources: set[Source] = set()
        self.windows: list[Window] = []
        self._slot = 0
        self._open: set[tuple[int, PartKey]] = set()
        self._standing: Standing | None = None

    def begin_windows(self, timezone: str) -> None:
        """Add up the windows from the panes that are there."""
        self.windows = [Window(name, begins_at(name, self.now, timezone)) for name in WINDOWS]
        self._slot = slot(self.now)
        self._open = set()
        self._standing = None
        for pane_at, parts in self.parts.items():
            for key, part in parts.items():
                self._count(pane_at, part.vector, part.bins)
                if part.listed:
                    self._open.add((pane_at, key))
                self.sources.add(part.source)
        self.sources |= self.agents.keys()

    def take(self, said: Partial, rules: MonitorRules) -> None:
        """Take in a partial."""
        self._standing = None
        source = (said.topic, said.partition)
        self.sources.add(source)
        known = self.epochs.get(said.topic, 0)
        if said.epoch > known:
            self.epochs[said.topic] = said.epoch
            self.heard.pop(said.topic, None)
        if said.epoch >= known:
            if said.heard:
                self.heard.setdefault(said.topic, set()).update(said.heard)
            self._take_agents(source, said)
        settings = rules.queue(self.name[1])
        for pane in said.panes:
            self._take_pane(said, pane, settings.target_ms, settings.short_abandon_ms, rules)

    def _take_agents(self, source: Source, said: Partial) -> None:
        before = self.agents.get(source)
        if said.agents is None or (
            before is not None and (before.epoch, before.version) > (said.epoch, said.version)
        ):
            return
        self.agents[source] = Agents(said.epoch, said.version, said.agents, said.carried_agents)

    def _take_pane(
        self, said: Partial, pane: PanePart, target_ms: int, short_ms: int, rules: MonitorRules
    ) -> None:
        key = (said.log, said.partition, pane.generation, pane.channel, pane.direction)
        parts = self.parts.get(pane.pane_at)
        before = None if parts is None else parts.get(key)
        if before is None:
            if pane.pane_at < self._oldest and said.version <= self.forgotten.get(key[:2], 0):
                return
            listed = nobody()
        else:
            # An older one may still be the last to name a contact.
            listed = before.listed
        listed.take(said.version, pane)
        if before is None or before.version < said.version:
            self.causes.take(pane, target_ms)
            part = Part(
                *((said.topic, said.partition), said.epoch, said.version),
                *(vector_of(pane, target_ms, short_ms), pane.wait_bins, listed),
            )
            if before is None:
                self._count(pane.pane_at, part.vector, part.bins)
            else:
                self._count(pane.pane_at, *_difference(part, before))
                self._total(before.vector, -1, rules)
            self._total(part.vector, 1, rules)
            if parts is None:
                parts = self.parts[pane.pane_at] = {}
            parts[key] = part
        if listed:
            self._open.add((pane.pane_at, key))
        else:
            self._open.discard((pane.pane_at, key))

    def advance(self, now: int, timezone: str) -> None:
        """Let it be `now`; windows go on, and what no window sees any more is let go."""
        tidy = now // 60_000 != self.now // 60_000
        self.now = max(self.now, now)
        reached = slot(self.now)
        if reached != self._slot:
            self._slot = reached
            for window in self.windows:
                window.advance(begins_at(window.name, self.now, timezone), self.between)
        if tidy:
            self._tidy()

    def standing(self) -> Standing:
        """Who waits and who is served now."""
        # Most queues are looked at more often than anything is said of them.
        known = self._standing
        if known is None or self.now >= known.until:
            known = self._standing = self._stands()
        return known

    def _stands(self) -> Standing:
        waiting: list[tuple[int, str]] = []
        serving = lost = 0
        now, until = self.now, FOR_EVER
        for there in self._listed():
            for contact, stays in there.waits.items():
                for entered_at, lost_at in stays:
                    if lost_at > now:
                        waiting.append((entered_at, contact))
                        until = min(until, lost_at)
                    else:
                        lost += 1
            served, of_lost, holds_until = there.served(now)
            serving += served
            lost += of_lost
            until = min(until, holds_until)
        waiting.sort()
        return Standing(waiting, serving, lost, until)

    def agents_by_state(self) -> dict[str, int] | None:
        """How many agents are in which state; None where no agent was ever told of."""
        counts: dict[str, int] = {}
        known = False
        for (topic, _), agents in self.agents.items():
            if agents.epoch < self.epochs[topic]:
                continue
            known = True
            for state, n in agents.counts.items():
                counts[state] = counts.get(state, 0) + n
            heard = self.heard.get(topic, ())
            for name, state in agents.carried.items():
                if name not in heard:
                    counts[state] = counts.get(state, 0) + 1
        return counts if known else None

    def forget(self, is_erased: Callable[[str, int], bool]) -> int:
        """Take contacts from the lists of who is open, or missed; how many. Sums stay.

        `is_erased` is asked with the name and an instant at which the contact was known.
        """
        gone = self.causes.forget(is_erased)
        self._standing = None
        for pane_at, parts in self.parts.items():
            for key, part in parts.items():
                gone += part.listed.forget(is_erased, pane_at * 1000)
                if not part.listed:
                    self._open.discard((pane_at, key))
        for heard in self.heard.values():
            erased = {name for name in heard if is_erased(name, 0)}
            heard.difference_update(erased)
            gone += len(erased)
        return gone

    def _listed(self) -> Iterator[Open]:
        for pane_at, key in self._open:
            part = self.parts[pane_at][key]
            topic = part.source[0]
            if part.epoch == self.epochs.get(topic):
                yield part.listed.own
                if part.listed.carried:
                    yield part.listed.carried.without(self.heard.get(topic, ()))

    def _count(self, pane_at: int, vector: Vector, bins: Bins) -> None:
        for window in self.windows:
            if pane_at >= window.begin:
                window.add(vector, bins, 1)

    def _total(self, vector: Vector, sign: int, rules: MonitorRules) -> None:
        met, counted = met_and_counted(vector, rules.service_level(self.name[1]))
        values = (
            *(vector[OFFERED], vector[ANSWERED], vector[ANSWERED_IN_TARGET]),
            *(vector[ABANDONED], vector[FLOWED_OUT], met, counted - met),
        )
        for at, n in enumerate(values):
            self.totals[at] += sign * n
            if sign > 0 and self.totals[at] > self.shown[at]:
                self.shown[at] = self.totals[at]

    def between(self, begin: int, end: int) -> Iterable[tuple[Vector, Bins]]:
        """What lies in the panes from one instant (seconds) up to another."""
        panes: Iterable[int] = range(begin, end, QUEUE_PANE_SECONDS)
        if (end - begin) // QUEUE_PANE_SECONDS > len(self.parts):
            panes = [pane_at for pane_at in self.parts if begin <= pane_at < end]
        for pane_at in panes:
            for part in self.parts.get(pane_at, {}).values():
                yield part.vector, part.bins

    @property
    def _oldest(self) -> int:
        return self.now // 1000 - KEPT_SECONDS

    def _tidy(self) -> None:
        oldest = self._oldest
        self._standing = None
        for pane_at in [pane_at for pane_at in self.parts if pane_at < oldest]:
            parts = self.parts[pane_at]
            for key, part in list(parts.items()):
                if (pane_at, key) in self._open and part.epoch == self.epochs.get(part.source[0]):
                    continue
                del parts[key]
                self._open.discard((pane_at, key))
                whose = key[:2]
                self.forgotten[whose] = max(self.forgotten.get(whose, 0), part.version)
            if not parts:
                del self.parts[pane_at]
        used = {part.source for parts in self.parts.values() for part in parts.values()}
        self.sources = used | self.agents.keys()


def _difference(part: Part, before: Part) -> tuple[Vector, Bins]:
    """What a pane has more than before: little, most often, for each window to add."""
    vector = tuple(map(sub, part.vector, before.vector))
    bins, earlier = part.bins, before.bins
    if bins == earlier:
        return vector, {}
    more = {
        index: n - earlier.get(index, 0) for index, n in bins.items() if n != earlier.get(index)
    }
    more |= {index: -n for index, n in earlier.items() if index not in bins}
    return vector, more
