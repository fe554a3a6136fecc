"""The fold of one source partition: records in, state forward, rows out. Pure.

`apply` takes consecutive records; `drain` hands over the rows that have changed since the last
time, each with its current absolute value under a version. Both may be called in any rhythm: the
state after record n, and the set of rows ever touched up to it, depend on the log alone. That is
why every event is settled by itself and not once a batch, why what is let go goes at ticks of event
time and not of a clock, why facts are only ever added, and why rows that were touched and went back
to zero are still written.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.cloudevents import is_binary
from schemas.decode import Headers, Rejected, decode
from schemas.events import EVENT_DATA
from schemas.fact_rows import AgentStateRow, EventFactRow
from schemas.identity_rows import IdentityLinkRow
from schemas.live import PartialRecord
from schemas.rows import (
    LAST_OFFSET,
    VERSION_OFFSET_BITS,
    CustomerInteractionRow,
    DeadLetterRow,
    EventRow,
    InteractionRow,
    LateEventRow,
    WatermarkRow,
)
from schemas.topics import CHANNEL_OF, EVENTS_AGENT
from streams.fold.agents import AgentTimeline
from streams.fold.clocks import FOR_EVER, Clocks, Due
from streams.fold.contributions import QUIET, contributions_of, state_contributions
from streams.fold.customers import strongest
from streams.fold.erasing import erased_subjects
from streams.fold.facts import FACT_PARTS, fact_of, key_of
from streams.fold.heard import Heard, Record
from streams.fold.interaction import interaction_of, told_more
from streams.fold.interaction_state import InteractionState, Subject
from streams.fold.known import Interaction
from streams.fold.ledger import PaneLedger
from streams.fold.links import LINKING, event_links, interaction_links
from streams.fold.live import LivePart
from streams.fold.output import (
    Output,
    Pending,
    Place,
    RowTuple,
    customer_rows,
    dead_letter_row,
    event_row,
    interaction_row,
    late_event_row,
)
from streams.fold.panes import Pane, pane_row, table_of
from streams.fold.rules import FoldRules
from streams.fold.saving import Saving
from streams.fold.state import NEVER, STATE_VERSION, AgentState, State, snapshot
from streams.fold.told import TOLD, agent_state_row, fact_row

MOST_FACTS: Final = 2_000
MOST_CHANGES: Final = 1_000
"""What one contact or one agent can give rise to: a source that names them all alike gets no
further, because what is known of one is worked out anew with every event."""
AGENT_STATE: Final = "agent.state_changed"
_AGENT_TYPES: Final = frozenset({AGENT_STATE, "agent.scheduled"})
_to_json: Final = msgspec.json.Encoder().encode


class OffsetGap(Exception):
    """A record arrived beyond the one that is due: something in between was not delivered."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"offset {expected} was due and {found} came")
        self.expected = expected
        self.found = found


class PartitionFold:
    """State and pending rows of one source partition.

    Args:
        topic: the topic; it decides which family of events is expected.
        partition: number of the partition.
        log: identity of this incarnation of the topic, `epoch` its number in their order (from 1).
        rules: lateness, horizons and thresholds.
        state: what a checkpoint held; empty for a partition that was never read.
    """

    state_version: Final = STATE_VERSION

    def __init__(
        self,
        topic: str,
        partition: int,
        log: str,
        epoch: int,
        rules: FoldRules,
        state: State | None = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.log = log
        self.state = State() if state is None else state
        self._place = Place(topic, partition, log)
        self._rules = rules
        # Read once: the rules' own class is not compiled to attributes.
        self._lateness_ms = rules.lateness_ms
        self._forget_open_ms = rules.forget_open_ms
        self._max_skew_ms = rules.max_skew_ms
        self._erased = rules.erased
        self._identifiers = rules.identifiers
        self._channel = CHANNEL_OF.get(topic, "")
        self._horizon_ms = rules.horizons_ms[self._channel] if self._channel else 0
        self._clocks = Clocks(self.state, rules.lateness_ms, self._horizon_ms, rules.forget_open_ms)
        self._types = _types_of(topic)
        self._version_base = epoch << VERSION_OFFSET_BITS
        self._pending = Pending()
        self._marked_at = self.state.next_offset
        # By the interaction's state itself, which is found by its address.
        self._changed: dict[InteractionState, Interaction] = {}
        self._unseen: dict[InteractionState, Interaction] = {}
        self._saving = Saving(self.state.interactions.values())
        self._panes = PaneLedger(self.state.panes, rules)
        self._live = LivePart(
            *(self._place, epoch, self._version_base, self.state, rules, self._channel)
        )

    @property
    def next_offset(self) -> int:
        """The offset of the record that is due."""
        return self.state.next_offset

    @property
    def version(self) -> int:
        """The version under which rows are written now."""
        return self._version_base + self.state.next_offset

    @property
    def pending(self) -> int:
        """How many rows `drain` would give, about."""
        return len(self._pending) + len(self._changed) + self._panes.changed

    def skip_to(self, offset: int) -> None:
        """Go on at `offset`, because the broker does not have the records before it any more."""
        self.state.next_offset = max(self.state.next_offset, offset)

    def apply(self, records: Sequence[Record], *, gap_is_the_logs: bool = False) -> None:
        """Apply consecutive records; those below the next offset were applied and are skipped.

        Raises:
            OffsetGap: a record lies beyond the next offset. Those before it are applied.
                `gap_is_the_logs` says that the broker holds nothing in between (markers of
                transactions, compaction).
        """
        state = self.state
        for record in records:
            offset = record.offset
            if offset != state.next_offset:
                if offset < state.next_offset:
                    continue
                if not gap_is_the_logs:
                    raise OffsetGap(state.next_offset, offset)
            state.next_offset = offset + 1
            produced_at = record.timestamp
            state.produced_at = max(state.produced_at, produced_at)
            value, headers = record.value, record.headers
            decoded = decode(value, headers)
            if isinstance(decoded, Rejected):
                self._refuse(record, decoded.reason, decoded.path, decoded.message)
            else:
                heard = Heard(record, offset, produced_at, decoded, self._max_skew_ms)
                self._accept(heard, value or b"", headers)

    def drain(self, *, partials: bool = True) -> Output:
        """The rows that changed since the last call, as they are now, and what was counted.

        Without `partials`, what stage 2 is to be told is left to `take_partials`.
        """
        for interaction, known in self._changed.items():
            self._write_interaction(interaction, known)
        self._changed.clear()
        for pane in self._panes.take_changed():
            self._write_pane(pane)
        if partials:
            for row in self.take_partials():
                self._pending.add(PartialRecord, row)
        state = self.state
        if state.next_offset != self._marked_at and state.event_time != NEVER:
            self._marked_at = state.next_offset
            row = (
                *self._place,
                state.event_time,
                self._lateness_ms,
                state.produced_at,
                self.version,
            )
            self._pending.add(WatermarkRow, row)
        return self._pending.take()

    def take_partials(self) -> list[RowTuple]:
        """What stage 2 is to be told since the last call or `drain`: rows of `PartialRecord`."""
        live = self._live
        for interaction, known in self._unseen.items():
            live.seen(interaction.subject, known)
        self._unseen.clear()
        for pane in self._panes.take_untold():
            live.pane_changed(pane)
        return live.take(self.version)

    def put_back(self, partials: Sequence[RowTuple]) -> None:
        """These could not be published: the next call gives them."""
        self._live.put_back(partials)

    def erase(self) -> int:
        """Forget the contacts of erased customers; how many. What they counted for stays."""
        subjects = erased_subjects(self.state.interactions, self._rules)
        for subject in subjects:
            interaction = self.state.interactions.pop(subject)
            self._changed.pop(interaction, None)
            self._unseen.pop(interaction, None)
            self._live.gone(subject)
            self._panes.release(interaction.let_go())
        return len(subjects)

    def prepare(self, most: int) -> int:
        """Serialise ahead, of so many contacts at most, what `snapshot` will give; how many are
        left.
        """
        return self._saving.prepare(most)

    def snapshot(self) -> bytes:
        """The state, serialised; the rows up to it must have been drained and stored before."""
        self._saving.saved()
        return snapshot(self.state)

    def _accept(self, heard: Heard, payload: bytes, headers: Headers) -> None:
        identifiers, event = self._identifiers, heard.event
        if heard.at != heard.happened_at:
            self._pending.counts["skewed", heard.source] += 1
        if self._erased and self._erased.covers(
            heard.tenant, heard.subject, heard.data, heard.at, identifiers
        ):
            self._pending.counts["event", "erased"] += 1
            return
        kind = heard.type
        if kind not in self._types:
            message = f"{kind} does not belong on {self.topic}"
            self._refuse(heard.record, "wrong_topic", "type", message)
            return
        if self._channel:
            if not self._apply_to_interaction(heard):
                return
        elif kind == AGENT_STATE:
            self._apply_to_agent(heard)
        elif kind in LINKING:
            links = event_links(event, heard.at, identifiers, self._place, self.version)
            for row in links:
                self._pending.add(IdentityLinkRow, row)
        if headers and is_binary(headers):
            # Its attributes lay in headers: what is stored is the whole event.
            payload = _to_json(event)
        first_wins = self._version_base + LAST_OFFSET - heard.offset
        pending = self._pending
        pending.add(EventRow, event_row(self._place, heard, payload, first_wins))
        if heard.happened_at > pending.latest.get(heard.source, NEVER):
            pending.latest[heard.source] = heard.happened_at
        if kind in TOLD:
            told = fact_row(event, heard.happened_at, heard.at, identifiers, first_wins)
            if told is not None:
                self._pending.add(EventFactRow, told)
        elif kind == AGENT_STATE:
            row = agent_state_row(event, heard.happened_at, heard.at, first_wins)
            self._pending.add(AgentStateRow, row)
        if (due := self._clocks.advance(heard.source, heard.at)) is not None:
            self._let_go(due)

    def _apply_to_interaction(self, heard: Heard) -> bool:
        """Take the event in, as far as it counts; False where it was refused."""
        subject: Subject = (heard.tenant, heard.subject)
        at = heard.at
        state = self.state.interactions.get(subject)
        if state is None:
            watermark = self._clocks.watermark_of_new(heard.source, subject)
        else:
            watermark = self._clocks.watermark(heard.source)
        if at < watermark:
            self._note_late(heard, watermark, applied=state is not None)
            if state is None:
                return True
        key = key_of(heard.source, heard.id)
        if state is None:
            subject = (self.state.named(heard.tenant), heard.subject)
            state = InteractionState(subject, self.state.named(heard.source), at, {})
            self.state.interactions[subject] = state
        elif key in state.facts:
            self._pending.counts["repeated", ""] += 1
            return True
        elif len(state.facts) >= MOST_FACTS:
            message = (
                f"{heard.subject!r} has {MOST_FACTS} events already; the subject of an event must"
                " be the id of one contact, not a name that many share"
            )
            self._refuse(heard.record, "interaction_too_large", "subject", message)
            return False
        fact = fact_of(heard.type, heard.data, at, key)
        self._saving.changes(state)
        state.add(fact)
        state.changed = self.version
        known = self._changed.get(state)
        if known is not None and told_more(known, fact):
            contributes = fact.kind not in QUIET
        else:
            known = interaction_of(state.facts.values())
            contributes = True
            if known.has_beginning:
                self._changed[state] = known
        if contributes:
            contributions = contributions_of(known, state.tenant, self._channel)
            self._panes.exchange(state.contributions, contributions, heard.offset, held=True)
            state.contributions = contributions
        if known.visits:
            self._unseen[state] = known
        self._keep(state, known)
        return True

    def _keep(self, state: InteractionState, known: Interaction) -> None:
        """Put off when the interaction is let go."""
        keep = self._horizon_ms
        if known.status == "open":
            keep = max(keep, self._forget_open_ms)
        before = state.expires_at
        state.expires_at = known.last_event_at + keep + self._lateness_ms
        # One that is to go later than it was comes up at the old time, and is put off then.
        if not before:
            self._clocks.expect(state, known.last_event_at)
        elif state.expires_at < before:
            self._clocks.sooner(state)

    def _apply_to_agent(self, heard: Heard) -> None:
        subject: Subject = (heard.tenant, heard.subject)
        at, source = heard.at, heard.source
        agent = self.state.agents.get(subject)
        watermark = self._clocks.watermark(source)
        settled = agent is not None and agent.timeline.is_settled(at)
        if at < watermark or settled:
            applied = agent is not None and not settled
            if agent is not None and agent.timeline.settled_at is not None:
                watermark = max(watermark, agent.timeline.settled_at)
            self._note_late(heard, watermark, applied=applied)
            if not applied:
                return
        if agent is None:
            agent = AgentState(AgentTimeline(heard.tenant, heard.subject))
            self.state.agents[subject] = agent
        timeline = agent.timeline
        key = key_of(source, heard.id)
        if key in timeline.changes:
            self._pending.counts["repeated", ""] += 1
            return
        agent.changed = self.version
        if source not in timeline.sources:
            timeline.sources.append(source)
        gone, come = timeline.take((at, key, heard.data.queue, heard.data.state))
        self._panes.exchange(
            state_contributions(heard.tenant, heard.subject, gone),
            state_contributions(heard.tenant, heard.subject, come),
            heard.offset,
            held=False,
        )
        self._live.agent_changed(timeline)
        crowded = len(timeline.changes) > MOST_CHANGES
        timeline.settle(FOR_EVER if crowded else self._clocks.slowest(timeline.sources, source))

    def _let_go(self, due: Due) -> None:
        for interaction in due.interactions:
            known = self._changed.pop(interaction, None)
            if known is not None:
                self._write_interaction(interaction, known)
            self._unseen.pop(interaction, None)
            self._live.gone(interaction.subject)
            self._panes.release(interaction.let_go())
        if due.minute is not None:
            for pane in self._panes.let_go_due(due.minute):
                self._write_pane(pane)

    def _write_interaction(self, state: InteractionState, known: Interaction) -> None:
        pending, channel, version = self._pending, self._channel, self.version
        shown = self._identifiers.of(state.tenant, known.identifiers)
        best = strongest(shown)
        row = interaction_row(state, known, shown, best, channel, self._place, version)
        pending.add(InteractionRow, row)
        for row in customer_rows(state, known, shown, best, channel, version):
            pending.add(CustomerInteractionRow, row)
        if len(shown) > 1:
            whose = (state.tenant, state.interaction_id, shown, known.started_at)
            for row in interaction_links(*whose, self._place, version):
                pending.add(IdentityLinkRow, row)

    def _write_pane(self, pane: Pane) -> None:
        row = pane_row(pane, (self.log, self.partition), self.version)
        self._pending.add(table_of(pane.key), row)

    def _note_late(self, heard: Heard, watermark: int, *, applied: bool) -> None:
        self._pending.counts["late", "applied" if applied else "unknown"] += 1
        row = late_event_row(self._place, heard, watermark, applied=applied, version=self.version)
        self._pending.add(LateEventRow, row)

    def _refuse(self, record: Record, reason: str, path: str, message: str) -> None:
        self._pending.counts["event", "dead_letter"] += 1
        self._pending.counts["dead_letter", reason] += 1
        row = dead_letter_row(self._place, record, reason, path, message, self.version)
        self._pending.add(DeadLetterRow, row)


def _types_of(topic: str) -> frozenset[str]:
    """The event types that belong on a topic."""
    if topic in CHANNEL_OF:
        return frozenset(FACT_PARTS)
    if topic == EVENTS_AGENT:
        return _AGENT_TYPES
    return frozenset(EVENT_DATA) - frozenset(FACT_PARTS) - _AGENT_TYPES
