"""The clocks of one partition: event time by source, and who is due by it. Pure.

An interaction is let go by the clock of its source, and a source that has not spoken for so long is
given up by the clock of the partition. Both happen at ticks, which is whenever a clock comes to
another minute: what is let go depends on the log alone.
"""

from collections.abc import Iterable
from typing import Final

from streams.fold.expiry import MINUTE_MS, Expiry, minute_of
from streams.fold.interaction_state import InteractionState, Subject
from streams.fold.let_go import clock_of, furthest, still_ahead
from streams.fold.state import NEVER, SourceClock, State

FOR_EVER: Final = 1 << 62


class Due:
    """What a tick brings: interactions that are no longer in the state, and to be let go; and the
    minute that the partition's clock came to, None where that did not tick.
    """

    __slots__ = ("interactions", "minute")

    def __init__(self, interactions: list[InteractionState], minute: int | None) -> None:
        self.interactions = interactions
        self.minute = minute


class Clocks:
    """See the module's docstring.

    Args:
        state: of the partition. Its `event_time`, `sources` and `let_go_ahead` are moved here, and
            who is due is taken out of its `interactions`.
        lateness_ms: how far events may lie behind the clock of their source.
        horizon_ms: how long after its last event one that has ended is kept, at least.
        forget_open_ms: how long who is silent is waited for.
    """

    def __init__(
        self, state: State, lateness_ms: int, horizon_ms: int, forget_open_ms: int
    ) -> None:
        self._state = state
        self._lateness_ms = lateness_ms
        self._forget_open_ms = forget_open_ms
        self._horizon_minutes = max(1, horizon_ms // MINUTE_MS)
        # Each interaction is in that of its source, at the minute when it is due or before: not at
        # the far one at which it is given up if it stays open, since most do not, and would be
        # listed for a month after they were let go.
        self._interactions: dict[str, Expiry[Subject]] = {}
        for interaction in state.interactions.values():
            self._put_off(interaction, minute_of(state.event_time))
        self._speaking = Expiry[str]()
        for source, clock in state.sources.items():
            if clock.heard_at != NEVER:
                self._speaking.expect(source, self._silent_at(clock))

    @property
    def listed(self) -> int:
        """How many interactions are to come up, each as often as it is."""
        return sum([len(of_source) for of_source in self._interactions.values()])

    def watermark(self, source: str) -> int:
        """Event time of a source before which its events are late."""
        clock = self._state.sources.get(source)
        return NEVER if clock is None else clock.latest - self._lateness_ms

    def watermark_of_new(self, source: str, subject: Subject) -> int:
        """The same for an interaction that is not known: an earlier log may have let it go."""
        watermark, ahead = self.watermark(source), self._state.let_go_ahead
        if not ahead:
            return watermark
        latest = clock_of(ahead, subject[0], subject[1], source, NEVER)
        return max(watermark, latest - self._lateness_ms)

    def slowest(self, sources: Iterable[str], speaks: str) -> int:
        """The least watermark of `sources` but those that were given up; one of them `speaks`."""
        of = self._state.sources
        return min([self.watermark(s) for s in sources if s == speaks or of[s].heard_at != NEVER])

    def expect(self, interaction: InteractionState, last_event_at: int) -> None:
        """Let one that is new come up as soon as it can be due, whatever is still said of it."""
        soonest = minute_of(last_event_at + self._lateness_ms) + self._horizon_minutes
        self._list(interaction, min(interaction.due, soonest))

    def sooner(self, interaction: InteractionState) -> None:
        """It is due sooner than it was: it may be listed for later since it was put off."""
        if interaction.put_off:
            interaction.put_off = False
            self._list(interaction, interaction.due)

    def _put_off(self, interaction: InteractionState, minute: int) -> None:
        """It is not due at `minute`: look again, at the latest as late as one that ends is kept."""
        interaction.put_off = True
        self._list(interaction, min(interaction.due, minute + self._horizon_minutes))

    def _list(self, interaction: InteractionState, minute: int) -> None:
        of_source = self._interactions.get(interaction.source)
        if of_source is None:
            of_source = self._interactions[interaction.source] = Expiry()
        of_source.expect(interaction.subject, minute)

    def advance(self, source: str, at: int) -> Due | None:
        """Let the event time of a source come to `at`; what is due, where that is a tick."""
        state = self._state
        clock = state.sources.get(source)
        if clock is None:
            clock = state.sources[source] = SourceClock()
        ticks = partition_ticks = False
        if at > clock.latest:
            ticks = minute_of(at) != minute_of(clock.latest)
            clock.latest = at
            if at > state.event_time:
                partition_ticks = minute_of(at) != minute_of(state.event_time)
                state.event_time = at
        given_up = clock.heard_at == NEVER
        clock.heard_at = state.event_time
        if given_up:
            self._speaking.expect(source, self._silent_at(clock))
        if not ticks and not partition_ticks:
            return None
        minute = minute_of(at)
        gone: list[InteractionState] = []
        if ticks:
            self._take_due(source, minute, gone)
            if state.let_go_ahead:
                latest = {name: of_source.latest for name, of_source in state.sources.items()}
                state.let_go_ahead = still_ahead(state.let_go_ahead, latest)
        if partition_ticks:
            for silent in self._speaking.due(minute):
                self._give_up(silent, minute, gone)
        return Due(gone, minute if partition_ticks else None)

    def _silent_at(self, clock: SourceClock) -> int:
        """The minute of the partition's event time at which a source is given up."""
        return minute_of(clock.heard_at + self._forget_open_ms) + 1

    def _give_up(self, source: str, minute: int, gone: list[InteractionState]) -> None:
        """Take out what waits for the clock of a source that has not spoken for so long.

        Should it speak again, nothing that it said before counts twice: its clock is put so far
        ahead that all of it is late.
        """
        clock = self._state.sources[source]
        due = self._silent_at(clock)
        if due > minute:
            self._speaking.expect(source, due)
            return
        clock.latest = furthest(self._state.let_go_ahead, source, clock.latest)
        clock.latest += self._lateness_ms + 1
        clock.heard_at = NEVER
        self._take_due(source, FOR_EVER, gone)

    def _take_due(self, source: str, minute: int, gone: list[InteractionState]) -> None:
        """Take out interactions whose time by the clock of their source has come."""
        of_source = self._interactions.get(source)
        if of_source is None:
            return
        held = self._state.interactions
        for subject in of_source.due(minute):
            interaction = held.get(subject)
            if interaction is None:
                continue
            if interaction.due > minute:
                self._put_off(interaction, minute)
            else:
                del held[subject]
                gone.append(interaction)
