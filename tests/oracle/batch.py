"""The oracle's reading of whole logs: every table that the fold writes, in one go.

`tables_of(logs, rules)` takes all records of all source partitions. Nothing is incremental but what
the contract itself makes depend on the order of a log: how far a source's event time has come when
a record arrives (is it late?), whether its interaction had been let go by then, and whether the
source had been silent for so long that all it spoke of was let go. How much may be told of one
subject is not bounded here: no log given to it may hold one that is told of thousands of times.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from schemas.decode import Event, Rejected, decode
from schemas.events import EVENT_DATA
from schemas.topics import CHANNEL_OF, EVENTS_AGENT
from tests.oracle.agent import AgentLife
from tests.oracle.contact import Contact, customer_key, identifier_text
from tests.oracle.facts import fact_of, state_of
from tests.oracle.identity import STATING, Evidence, stated_in
from tests.oracle.panes import agent_contact_counts, conversation_counts, queue_counts
from tests.oracle.stay import Told

Key = tuple[Any, ...]
Counts = Counter[Any]
Log = Mapping[tuple[str, int], Sequence["StoredRecord"]]
"""(topic, partition) -> records in the order of their offsets"""


class StoredRecord(Protocol):
    """A record of a topic."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True)
class OracleRules:
    """What the pipeline is configured to; durations in milliseconds."""

    lateness_ms: int
    horizons_ms: Mapping[str, int]
    forget_open_ms: int
    max_skew_ms: int
    thresholds_ms: Mapping[str, Sequence[int]]


@dataclass
class Tables:
    """What must be stored. Panes are summed over their partials and hold no zeroes."""

    interactions: dict[Key, dict[str, Any]] = field(default_factory=dict)
    customer_interactions: dict[Key, tuple[int, str]] = field(default_factory=dict)
    kpi_panes: defaultdict[Key, Counts] = field(default_factory=lambda: defaultdict(Counter))
    agent_panes: defaultdict[Key, Counts] = field(default_factory=lambda: defaultdict(Counter))
    conversation_panes: defaultdict[Key, Counts] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    events: dict[Key, tuple[str, int, int]] = field(default_factory=dict)
    event_facts: dict[Key, dict[str, Any]] = field(default_factory=dict)
    agent_states: dict[Key, dict[str, Any]] = field(default_factory=dict)
    dead_letters: dict[tuple[str, int, int], str] = field(default_factory=dict)
    late_events: dict[tuple[str, int, int], bool] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence, compare=False)
    """What is known of identifiers: no table, but what those of customers follow from."""

    def add(self, panes: defaultdict[Key, Counts], added: Iterable[tuple[Key, Counts]]) -> None:
        for key, counts in added:
            panes[key].update(counts)

    def without_zeroes(self) -> None:
        for panes in (self.kpi_panes, self.agent_panes, self.conversation_panes):
            for key, counts in list(panes.items()):
                panes[key] = Counter({name: n for name, n in counts.items() if n})
                if not panes[key]:
                    del panes[key]


def tables_of(logs: Log, rules: OracleRules) -> Tables:
    """All tables after all records of all source partitions."""
    tables = Tables()
    for (topic, partition), records in logs.items():
        _Partition(topic, partition, rules, tables).read(records)
    tables.without_zeroes()
    return tables


@dataclass
class _Life:
    """One life of an interaction: from its first event until it is let go."""

    source: str
    told: dict[tuple[str, str], Told] = field(default_factory=dict)
    opened_at: int = 0
    clock_before_last: int | None = None
    """Minute of its source's clock just before the last event that told something new."""
    given_up: bool = False
    """Its source fell silent."""


class _Partition:
    def __init__(self, topic: str, partition: int, rules: OracleRules, tables: Tables) -> None:
        self._topic, self._partition, self._rules, self._tables = topic, partition, rules, tables
        self._channel = CHANNEL_OF.get(topic, "")
        self._clocks: dict[str, int] = {}
        self._heard_at: dict[str, int | None] = {}
        """The partition's event time when a source last spoke; None once it is given up."""
        self._event_time: int | None = None
        self._lives: dict[tuple[str, str], list[_Life]] = defaultdict(list)
        self._agents: dict[tuple[str, str], AgentLife] = {}

    def read(self, records: Sequence[StoredRecord]) -> None:
        for record in records:
            event = decode(record.value, record.headers)
            where = (self._topic, self._partition, record.offset)
            if isinstance(event, Rejected):
                self._tables.dead_letters[where] = event.reason
            elif not _belongs(event.type, self._topic):
                self._tables.dead_letters[where] = "wrong_topic"
            else:
                self._hear(record, event)
        for subject, lives in self._lives.items():
            for life in lives:
                self._settle(subject, life)
        for agent in self._agents.values():
            self._tables.add(self._tables.agent_panes, agent.counts())

    def _hear(self, record: StoredRecord, event: Event) -> None:
        happened = _milliseconds(event.time)
        at = happened
        if record.timestamp >= 0:
            at = min(happened, record.timestamp + self._rules.max_skew_ms)
        clock = self._clocks.get(event.source)
        late = clock is not None and at < clock - self._rules.lateness_ms
        where = (self._topic, self._partition, record.offset)
        if self._channel:
            known = self._tell_interaction(event, at, late)
        elif event.type == "agent.state_changed":
            late, known = self._tell_agent(event, at, late)
        else:
            late = known = False
            if event.type in STATING:
                named = {identifier_text(i): i.kind for i in stated_in(event)}
                keys = {customer_key(event.tenant, text): kind for text, kind in named.items()}
                self._tables.evidence.state(event, keys, at)
        if late:
            self._tables.late_events[where] = known
        key = (event.tenant, event.subject, happened, event.source, event.id)
        self._tables.events.setdefault(key, where)
        told_as = (event.tenant, event.type, event.subject, event.source, event.id)
        if fact := fact_of(event):
            times = {"occurred_at": happened, "counted_at": at}
            self._tables.event_facts.setdefault(told_as, times | fact)
        if event.type == "agent.state_changed":
            times = {"occurred_at": happened, "counted_at": at}
            of_agent = (event.tenant, event.subject, event.source, event.id)
            self._tables.agent_states.setdefault(of_agent, times | state_of(event))
        self._clocks[event.source] = at if clock is None else max(at, clock)
        before, self._event_time = self._event_time, max(at, self._event_time or at)
        self._heard_at[event.source] = self._event_time
        if before is None or self._event_time // 60_000 > before // 60_000:
            self._give_up_the_silent(self._event_time // 60_000)

    def _give_up_the_silent(self, minute: int) -> None:
        """Sources not heard of for long: what they spoke of is let go, what they said is late."""
        for source, heard_at in self._heard_at.items():
            if heard_at is None or _minute_after(heard_at + self._rules.forget_open_ms) > minute:
                continue
            self._heard_at[source] = None
            self._clocks[source] += self._rules.lateness_ms + 1
            for lives in self._lives.values():
                for life in lives:
                    life.given_up = life.given_up or life.source == source

    def _tell_interaction(self, event: Event, at: int, late: bool) -> bool:
        """Whether the interaction was known, or is now."""
        subject = (event.tenant, event.subject)
        lives = self._lives[subject]
        if not lives or self._let_go(lives[-1]):
            if late:
                return False
            lives.append(_Life(event.source, opened_at=at))
        told = lives[-1].told
        if (event.source, event.id) not in told:
            told[event.source, event.id] = Told(at, event)
            before = self._clocks.get(lives[-1].source)
            lives[-1].clock_before_last = None if before is None else before // 60_000
        return True

    def _let_go(self, life: _Life) -> bool:
        """Whether the clock of its source has passed the time for which it is kept."""
        if life.given_up:
            return True
        clock = self._clocks[life.source] // 60_000
        if life.clock_before_last is not None and clock <= life.clock_before_last:
            return False
        last = max(told.at for told in life.told.values())
        keep = self._rules.horizons_ms[self._channel]
        if _minute_after(last + keep + self._rules.lateness_ms) > clock:
            return False
        if Contact(life.told.values()).status == "open":
            keep = max(keep, self._rules.forget_open_ms)
        return _minute_after(last + keep + self._rules.lateness_ms) <= clock

    def _tell_agent(self, event: Event, at: int, late: bool) -> tuple[bool, bool]:
        """Whether the change is late, and whether it counts nevertheless."""
        subject = (event.tenant, event.subject)
        known = subject in self._agents
        agent = self._agents.get(subject) or AgentLife(*subject)
        settled = agent.is_settled(at)
        if settled or (late and not known):
            return True, False
        if not agent.tell(at, event):
            return late, True
        self._agents[subject] = agent
        watermarks = [
            self._clocks[source] - self._rules.lateness_ms if source in self._clocks else None
            for source in agent.sources
            if source == event.source or self._heard_at[source] is not None
        ]
        if None not in watermarks:
            agent.settle(min(w for w in watermarks if w is not None))
        return late, True

    def _settle(self, subject: tuple[str, str], life: _Life) -> None:
        """Put one life of an interaction into the tables; a later one replaces its row."""
        tenant, interaction = subject
        contact = Contact(life.told.values())
        tables, thresholds = self._tables, self._rules.thresholds_ms
        tables.add(tables.kpi_panes, queue_counts(contact, tenant, self._channel, thresholds))
        tables.add(tables.agent_panes, agent_contact_counts(contact, tenant))
        written = conversation_counts(contact, tenant, self._channel)
        tables.add(tables.conversation_panes, written)
        if not contact.shown:
            return
        shown = {customer_key(tenant, i): i.partition(":")[0] for i in contact.identifiers}
        tables.evidence.show(tenant, interaction, shown, contact.started_at)
        row = contact.row(tenant, self._channel)
        row |= {"opened_at": life.opened_at, "source_partition": self._partition}
        tables.interactions[subject] = row
        for identifier in contact.identifiers:
            key = (tenant, customer_key(tenant, identifier), interaction)
            tables.customer_interactions.pop(key, None)
        if contact.customer:
            key = (tenant, customer_key(tenant, contact.customer), interaction)
            tables.customer_interactions[key] = (contact.started_at, self._channel)


def _belongs(event_type: str, topic: str) -> bool:
    family = event_type.partition(".")[0]
    of_agents = event_type in ("agent.state_changed", "agent.scheduled")
    of_customers = family in ("selfservice", "campaign", "customer")
    if event_type not in EVENT_DATA:
        return False
    if topic in CHANNEL_OF:
        return not of_agents and not of_customers
    return of_agents if topic == EVENTS_AGENT else of_customers


def _milliseconds(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def _minute_after(at: int) -> int:
    return at // 60_000 + 1
