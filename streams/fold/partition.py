"""The fold of one source partition: records in, state forward, rows out. Pure.

`apply` takes consecutive records; `drain` hands over the rows that have changed since the last time,
each with its current absolute value under a version. Both may be called in any rhythm: the state
after record n, and the set of rows ever touched up to it, depend on the log alone. That is why every
event is settled by itself and not once a batch, why what is let go goes at ticks of event time and
not of a clock, and why rows that were touched and went back to zero are still written.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from schemas.decode import Event, Rejected, decode
from schemas.rows import (
    VERSION_OFFSET_BITS,
    AgentPaneRow,
    CustomerInteractionRow,
    DeadLetterRow,
    EventRow,
    InteractionRow,
    KpiPaneRow,
    LateEventRow,
    Row,
    WatermarkRow,
)
from schemas.topics import CHANNEL_OF, EVENTS_AGENT, EVENTS_CUSTOMER
from streams.fold.agents import AgentTimeline
from streams.fold.customers import customer_key, strongest
from streams.fold.expiry import Expiry, minute_of
from streams.fold.facts import FACT_PARTS, Fact, fact_of, key_of
from streams.fold.interaction import Interaction, interaction_of
from streams.fold.output import Output, interaction_row
from streams.fold.panes import (
    Contribution,
    Pane,
    PaneKey,
    contributions_of,
    empty_pane,
    is_of_queue,
    pane_row,
    state_contributions,
)
from streams.fold.rules import FoldRules
from streams.fold.state import NEVER, AgentState, InteractionState, State, Subject, snapshot

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Record(Protocol):
    """A record as the broker gives it; `timestamp` in milliseconds."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


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
        self._rules = rules
        self._channel = CHANNEL_OF.get(topic, "")
        self._version_base = epoch << VERSION_OFFSET_BITS
        self._output = Output()
        self._dirty_interactions: dict[Subject, Interaction] = {}
        self._dirty_panes: dict[PaneKey, Pane] = {}
        self._marked_at = self.state.next_offset
        self._interaction_expiry = Expiry[Subject]()
        self._pane_expiry = Expiry[PaneKey]()
        for subject, interaction in self.state.interactions.items():
            self._interaction_expiry.expect(
                interaction.source, subject, minute_of(interaction.expires_at)
            )
        for key in self.state.panes:
            self._pane_expiry.expect("", key, self._pane_due(key))

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
        waiting = sum(len(rows) for rows in self._output.rows.values())
        return waiting + len(self._dirty_interactions) + len(self._dirty_panes)

    def skip_to(self, offset: int) -> None:
        """Go on at `offset`, because the broker does not have the records before it any more."""
        self.state.next_offset = max(self.state.next_offset, offset)

    def apply(self, records: Sequence[Record], *, gap_is_the_logs: bool = False) -> None:
        """Apply consecutive records; those below the next offset were applied before and are skipped.

        Raises:
            OffsetGap: the first record that is not skipped lies beyond the next offset. The state
                is as it was. `gap_is_the_logs` says that the broker holds nothing in between
                (markers of transactions, compaction).
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
            state.produced_at = max(state.produced_at, record.timestamp)
            decoded = decode(record.value, record.headers)
            if isinstance(decoded, Rejected):
                self._refuse(record, decoded.reason, decoded.path, decoded.message)
            else:
                self._accept(record, decoded)

    def drain(self) -> Output:
        """The rows that changed since the last call, as they are now, and what was counted."""
        for subject, known in self._dirty_interactions.items():
            self._write_interaction(subject, known)
        self._dirty_interactions.clear()
        for key, pane in self._dirty_panes.items():
            self._write_pane(key, pane)
        self._dirty_panes.clear()
        state = self.state
        if state.next_offset != self._marked_at and state.event_time != NEVER:
            self._marked_at = state.next_offset
            self._row(
                WatermarkRow,
                (
                    self.topic,
                    self.partition,
                    self.log,
                    state.event_time,
                    self._rules.lateness_ms,
                    state.produced_at,
                    self.version,
                ),
            )
        output, self._output = self._output, Output()
        return output

    def snapshot(self) -> bytes:
        """The state, serialised; the rows up to it must have been drained and stored before."""
        return snapshot(self.state)

    def _accept(self, record: Record, event: Event) -> None:
        happened_at = (event.time - _EPOCH) // _MILLISECOND
        at = happened_at
        if at > record.timestamp + self._rules.max_skew_ms:
            at = record.timestamp + self._rules.max_skew_ms
            self._output.counts["skewed", event.source] += 1
        kind = event.type
        if self._channel:
            if kind not in FACT_PARTS:
                self._wrong_topic(record, kind)
                return
            self._apply_to_interaction(record, event, at)
        elif self.topic == EVENTS_AGENT:
            if kind == "agent.state_changed":
                self._apply_to_agent(record, event, at)
            elif kind != "agent.scheduled":
                self._wrong_topic(record, kind)
                return
        elif self.topic == EVENTS_CUSTOMER and (kind in FACT_PARTS or kind in _AGENT_TYPES):
            self._wrong_topic(record, kind)
            return
        version = self.version
        self._row(
            EventRow,
            (
                event.tenant,
                event.subject,
                happened_at,
                event.source,
                event.id,
                kind,
                self.topic,
                record.value,
                record.timestamp,
                self.log,
                self.partition,
                record.offset,
                version,
            ),
        )
        self._output.counts["event", "stored"] += 1
        self._advance(event.source, at)

    def _apply_to_interaction(self, record: Record, event: Event, at: int) -> None:
        subject = (event.tenant, event.subject)
        known = self.state.interactions.get(subject)
        if self._is_late(event.source, at):
            self._note_late(record, event, at, applied=known is not None)
            if known is None:
                return
        key = key_of(event.source, event.id)
        fact = fact_of(event.type, event.data, at, key)
        if known is None:
            known = InteractionState(event.tenant, event.subject, event.source, at, {key: fact})
            self.state.interactions[subject] = known
        else:
            before = known.facts.get(key)
            if before is not None:
                self._output.counts["repeated", ""] += 1
                if _order(before) <= _order(fact):
                    return
            known.facts[key] = fact
        self._settle(subject, known)

    def _settle(self, subject: Subject, state: InteractionState) -> None:
        """Bring panes and rows in line with the interaction's facts."""
        known = interaction_of(state.facts.values())
        contributions = contributions_of(known, state.tenant, self._channel)
        if contributions != state.contributions:
            self._exchange(state.contributions, contributions, references=1)
            state.contributions = contributions
        if known.has_beginning:
            self._dirty_interactions[subject] = known
        rules = self._rules
        keep = rules.horizons_ms[self._channel]
        if known.status == "open":
            keep = max(keep, rules.forget_open_ms)
        state.expires_at = known.last_event_at + keep + rules.lateness_ms
        self._interaction_expiry.expect(state.source, subject, minute_of(state.expires_at))

    def _apply_to_agent(self, record: Record, event: Event, at: int) -> None:
        subject = (event.tenant, event.subject)
        agent = self.state.agents.get(subject)
        if self._is_late(event.source, at):
            settled_at = None if agent is None else agent.timeline.settled_at
            applied = agent is not None and (settled_at is None or at >= settled_at)
            self._note_late(record, event, at, applied=applied)
            if not applied:
                return
        if agent is None:
            agent = AgentState(AgentTimeline(event.tenant, event.subject))
            self.state.agents[subject] = agent
        timeline = agent.timeline
        key = key_of(event.source, event.id)
        if key in timeline.changes:
            self._output.counts["repeated", ""] += 1
        change = (at, key, event.data.queue, event.data.state)
        timeline.changes[key] = min(change, timeline.changes.get(key, change))
        stretches = timeline.stretches()
        gone = [s for s in agent.contributed if s not in stretches]
        come = [s for s in stretches if s not in agent.contributed]
        self._exchange(
            tuple(state_contributions(*subject, gone)),
            tuple(state_contributions(*subject, come)),
            references=0,
        )
        seen = max(self.state.sources.get(event.source, NEVER), at)
        timeline.settle(seen - self._rules.lateness_ms)
        agent.contributed = timeline.stretches()

    def _exchange(
        self,
        old: tuple[Contribution, ...],
        new: tuple[Contribution, ...],
        *,
        references: int,
    ) -> None:
        """Take back what is only in `old` and add what is only in `new`, each as often as it is."""
        gone = list(old)
        for contribution in new:
            if contribution in gone:
                gone.remove(contribution)
                continue
            pane = self._pane(contribution[0])
            pane.add(contribution, 1)
            pane.references += references
        for contribution in gone:
            pane = self._pane(contribution[0])
            pane.add(contribution, -1)
            self._release(contribution[0], pane, references)

    def _release(self, key: PaneKey, pane: Pane, references: int) -> None:
        pane.references -= references
        if pane.references == 0:
            self._pane_expiry.expect("", key, self._pane_due(key))

    def _pane(self, key: PaneKey) -> Pane:
        """The pane, about to change."""
        pane = self.state.panes.get(key)
        if pane is None:
            pane = empty_pane(key, self.state.next_offset - 1, self._rules)
            self.state.panes[key] = pane
            self._pane_expiry.expect("", key, self._pane_due(key))
        self._dirty_panes[key] = pane
        return pane

    def _pane_due(self, key: PaneKey) -> int:
        """The minute of the partition's event time at which an unreferenced pane is let go."""
        return minute_of(key[-1] * 1000 + self._rules.lateness_ms) + 1

    def _is_late(self, source: str, at: int) -> bool:
        return at < self.state.sources.get(source, NEVER) - self._rules.lateness_ms

    def _advance(self, source: str, at: int) -> None:
        """Let event time come to `at`, and let go what is due at the ticks in between."""
        state = self.state
        before = state.sources.get(source, NEVER)
        if at <= before:
            return
        state.sources[source] = at
        if minute_of(at) != minute_of(before):
            for subject in self._interaction_expiry.due(source, minute_of(at)):
                self._let_go_interaction(subject, minute_of(at))
        if at > state.event_time:
            passed = minute_of(at) != minute_of(state.event_time)
            state.event_time = at
            if passed:
                for key in self._pane_expiry.due("", minute_of(at)):
                    self._let_go_pane(key)

    def _let_go_interaction(self, subject: Subject, minute: int) -> None:
        interaction = self.state.interactions[subject]
        due = minute_of(interaction.expires_at)
        if due > minute:
            self._interaction_expiry.expect(interaction.source, subject, due)
            return
        known = self._dirty_interactions.pop(subject, None)
        if known is not None:
            self._write_interaction(subject, known)
        del self.state.interactions[subject]
        for contribution in interaction.contributions:
            self._release(contribution[0], self.state.panes[contribution[0]], 1)

    def _let_go_pane(self, key: PaneKey) -> None:
        pane = self.state.panes[key]
        if pane.references:
            return
        if self._dirty_panes.pop(key, None) is not None:
            self._write_pane(key, pane)
        del self.state.panes[key]

    def _write_interaction(self, subject: Subject, known: Interaction) -> None:
        state = self.state.interactions[subject]
        best = strongest(known.identifiers)
        customer = customer_key(state.tenant, best)
        position, version = (self.log, self.partition), self.version
        self._row(
            InteractionRow,
            interaction_row(state, known, self._channel, customer, position, version),
        )
        for identifier in known.identifiers:
            # Every identifier but the strongest is written as deleted, whether or not it ever was
            # the strongest: which of them was so when a row was written is not the log's affair.
            self._row(
                CustomerInteractionRow,
                (
                    state.tenant,
                    customer_key(state.tenant, identifier),
                    state.interaction_id,
                    known.started_at,
                    self._channel,
                    version,
                    int(identifier != best),
                ),
            )

    def _write_pane(self, key: PaneKey, pane: Pane) -> None:
        table: type[Row] = KpiPaneRow if is_of_queue(key) else AgentPaneRow
        self._row(table, pane_row(key, pane, (self.log, self.partition), self.version))

    def _note_late(self, record: Record, event: Event, at: int, *, applied: bool) -> None:
        self._output.counts["late", "applied" if applied else "unknown"] += 1
        watermark = self.state.sources[event.source] - self._rules.lateness_ms
        self._row(
            LateEventRow,
            (
                self.topic,
                self.partition,
                record.offset,
                self.log,
                event.tenant,
                event.subject,
                event.type,
                at,
                watermark,
                int(applied),
                self.version,
            ),
        )

    def _wrong_topic(self, record: Record, event_type: str) -> None:
        self._refuse(record, "wrong_topic", "type", f"{event_type} does not belong on {self.topic}")

    def _refuse(self, record: Record, reason: str, path: str, message: str) -> None:
        self._output.counts["event", "dead_letter"] += 1
        self._output.counts["dead_letter", reason] += 1
        self._row(
            DeadLetterRow,
            (
                self.topic,
                self.partition,
                record.offset,
                self.log,
                reason,
                path,
                message,
                record.key or b"",
                record.value or b"",
                list(record.headers),
                record.timestamp,
                self.version,
            ),
        )

    def _row(self, table: type[Row], row: tuple[Any, ...]) -> None:
        rows = self._output.rows.get(table)
        if rows is None:
            self._output.rows[table] = [row]
        else:
            rows.append(row)


_AGENT_TYPES: Final = frozenset({"agent.state_changed", "agent.scheduled"})


def _order(fact: Fact) -> tuple[Any, ...]:
    """A total order of facts under one key: two events of one identity that differ are a fault of
    their source, and the lesser is kept, whichever came first.
    """
    return (*fact[:7], repr(fact[7]))
