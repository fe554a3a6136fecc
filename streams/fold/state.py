"""A fold's state between two events, and its serialised form. Pure.

`snapshot` and `restore` are inverses: a restored fold continues exactly as the one that was saved.
What can be made again from the rest (heaps of what expires when) is not saved.

`STATE_VERSION` names the format. A format that changes keeps a function in `_UPGRADES` that turns
the saved form of one version into that of the next, so every checkpoint ever written stays
readable.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw
from mypy_extensions import i64, mypyc_attr

from streams.fold.agents import AgentTimeline, SavedTimeline, restored
from streams.fold.expiry import minute_of
from streams.fold.facts import Fact, SavedFact
from streams.fold.let_go import LetGo
from streams.fold.panes import Contribution, Pane, PaneKey, SavedContribution, SavedHead

STATE_VERSION: Final = 1

NEVER: Final = -(1 << 62)
"""An event time before all others: nothing was seen yet."""

Subject = tuple[str, ...]
"""tenant and interaction, or tenant and agent: of fixed length to mypyc it would be made anew for
each look into a dictionary"""


class StateUnreadable(Exception):
    """A saved state that cannot be restored: damaged, or of a version that is not known here."""


_NO_FACTS: Final[dict[int, Fact]] = {}
_NO_CONTRIBUTIONS: Final[list[Contribution]] = []
"""In place of those of packed contacts, which are made anew before anybody sees them: each packed
contact with empty ones of its own was 120 bytes and two objects for the collector to count."""


@mypyc_attr(acyclic=True)
class InteractionState:
    """Everything the fold keeps of one interaction.

    `source` is the source of its first event: its clock decides when the interaction is let go.
    `contributions` are those now contained in panes. `expires_at` is the event time (milliseconds)
    of its source at which it may be let go, `changed` the version under which its latest fact was
    taken in. `put_off` is not saved: `streams.fold.clocks` says what it is.

    There are as many as contacts are held: `subject` is the key under which they are, and that all
    else has of them, and numbers are kept in place.

    Contacts are held for hours after their last event, as objects that a checkpoint would go
    through and the collector, too. So the saved form is kept until something changes, and once it
    went into a checkpoint and is due for the next, or came out of one, it is all that is kept:
    facts and contributions are made again of it when they are asked for. Facts are added by `add`
    alone.
    """

    __slots__ = (
        "_changed",
        "_contributions",
        "_expires_at",
        "_facts",
        "_packed",
        "_saved",
        "is_gone",
        "opened_at",
        "put_off",
        "source",
        "subject",
    )

    def __init__(
        self, subject: Subject, source: str, opened_at: int, facts: dict[int, Fact]
    ) -> None:
        self.subject: Final = subject
        self.source = source
        self.opened_at: i64 = opened_at
        self._facts = facts
        self._contributions: list[Contribution] = []
        self._expires_at: i64 = 0
        self._changed: i64 = 0
        self._saved = b""
        self._packed = False
        self.is_gone = False
        self.put_off = False

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.subject[0]

    @property
    def interaction_id(self) -> str:
        """Its name in its source."""
        return self.subject[1]

    @property
    def facts(self) -> dict[int, Fact]:
        """By key."""
        if self._packed:
            self._unpack()
        return self._facts

    def add(self, fact: Fact) -> None:
        """Keep a fact."""
        self.facts[fact.key] = fact
        self._saved = b""

    @property
    def contributions(self) -> list[Contribution]:
        """Those now contained in panes; one that was packed meanwhile does not know in which."""
        if self._packed:
            self._unpack()
        return self._contributions

    @contributions.setter
    def contributions(self, contributions: list[Contribution]) -> None:
        if self._packed:
            self._unpack()
        self._contributions = contributions
        self._saved = b""

    @property
    def expires_at(self) -> int:
        """When it may be let go."""
        return self._expires_at

    @expires_at.setter
    def expires_at(self, expires_at: int) -> None:
        if self._packed:
            self._unpack()
        self._expires_at = expires_at
        self._saved = b""

    @property
    def changed(self) -> int:
        """The version under which its latest fact was taken in."""
        return self._changed

    @changed.setter
    def changed(self, changed: int) -> None:
        if self._packed:
            self._unpack()
        self._changed = changed
        self._saved = b""

    @property
    def due(self) -> int:
        """The minute of its source's event time at which it is let go."""
        return minute_of(self._expires_at) + 1

    @property
    def is_saved(self) -> bool:
        """Whether its saved form is kept, because nothing changed since."""
        return bool(self._saved)

    def save(self) -> bytes:
        """The saved form."""
        if not self._saved:
            self._saved = _encoder.encode(
                (
                    *self.subject,
                    self.source,
                    self.opened_at,
                    [fact.save() for fact in self._facts.values()],
                    [contribution.save() for contribution in self._contributions],
                    self._expires_at,
                    self._changed,
                )
            )
        return self._saved

    def restored(self, saved: bytes, expires_at: int, changed: int) -> None:
        """Nothing is known of it but this saved form."""
        self._expires_at = expires_at
        self._changed = changed
        self._saved = saved
        self.pack()

    def pack(self) -> None:
        """Keep the saved form alone, if it is kept at all."""
        if self._saved and not self._packed:
            self._packed = True
            self._facts = _NO_FACTS
            self._contributions = _NO_CONTRIBUTIONS

    def let_go(self) -> list[Contribution]:
        """It is not held any more; its contributions, but for what they count if it was packed.

        What lists it still, until the next checkpoint, keeps nothing of it: who works off a backlog
        lets go of many times the contacts that it holds.
        """
        held = self._contributions
        if self._packed:
            # Most are packed by then, and only their panes are asked for.
            held = [Contribution(key, ()) for key in self.pane_keys]
        self.is_gone = True
        self._facts = _NO_FACTS
        self._contributions = _NO_CONTRIBUTIONS
        self._saved = b""
        self._packed = False
        return held

    @property
    def pane_keys(self) -> list[PaneKey]:
        """Of its contributions; of one that is packed without making those anew."""
        if not self._packed:
            return [contribution.key for contribution in self._contributions]
        return [key for key, _, _ in _keys_decoder.decode(self._saved)[5]]

    def _unpack(self) -> None:
        saved: _SavedInteraction = _interaction_decoder.decode(self._saved)
        self._facts = _facts_of(saved[4])
        self._contributions = [Contribution(key, counts, waits) for key, counts, waits in saved[5]]
        self._packed = False


@mypyc_attr(acyclic=True)
class AgentState:
    """An agent's timeline, whose stretches are contained in panes.

    `changed` is the version under which its latest change was taken in.
    """

    __slots__ = ("changed", "timeline")

    def __init__(self, timeline: AgentTimeline, changed: int = 0) -> None:
        self.timeline = timeline
        self.changed = changed


@mypyc_attr(acyclic=True)
class SourceClock:
    """How far one source's event time has come.

    `latest` is the greatest event time seen of it; `heard_at` the partition's event time when it
    last spoke, or `NEVER` once it has been silent for so long that it was given up.
    """

    __slots__ = ("heard_at", "latest")

    def __init__(self, latest: int = NEVER, heard_at: int = NEVER) -> None:
        self.latest = latest
        self.heard_at = heard_at


class State:
    """All that a fold knows after `next_offset` records."""

    __slots__ = (
        "agents",
        "event_time",
        "interactions",
        "let_go_ahead",
        "names",
        "next_offset",
        "panes",
        "produced_at",
        "sources",
    )

    def __init__(self) -> None:
        self.next_offset = 0
        self.event_time = NEVER
        self.produced_at = NEVER
        self.sources: dict[str, SourceClock] = {}
        self.interactions: dict[Subject, InteractionState] = {}
        self.agents: dict[Subject, AgentState] = {}
        self.panes: dict[PaneKey, Pane] = {}
        self.let_go_ahead: list[LetGo] = []
        self.names: dict[str, str] = {}

    def named(self, name: str) -> str:
        """The name of a source, a tenant or a queue as all have it: each event and each saved form
        tells it anew, and there are few.
        """
        return self.names.setdefault(name, name)


# Saved as tuples: compiled (deploy/compile_fold.py), a msgspec structure would be saved otherwise.
_SavedInteraction = tuple[str, str, str, int, list[SavedFact], list[SavedContribution], int, int]
"""tenant, interaction, source, opened_at, facts, contributions, expires_at, changed"""
_Saved = tuple[
    int,
    int,
    int,
    dict[str, tuple[int, int]],
    list[Raw],
    list[tuple[SavedTimeline, int]],
    list[Raw],
    list[tuple[dict[str, int], list[int]]],
]
"""next_offset, event_time, produced_at, sources (latest, heard_at), interactions (each a
`_SavedInteraction`), agents (timeline, changed), panes (each a `SavedPane`), let_go_ahead (clocks,
subjects)"""
_PARTS: Final = 8


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Saved)
_interaction_decoder: Final = msgspec.msgpack.Decoder(_SavedInteraction)
_head_decoder: Final = msgspec.msgpack.Decoder(tuple[str, str, str, int, Raw, Raw, int, int])
"""Of an interaction, all but its facts and contributions."""
_keys_decoder: Final = msgspec.msgpack.Decoder(
    tuple[Raw, Raw, Raw, Raw, Raw, list[tuple[PaneKey, Raw, Raw]], Raw, Raw]
)
"""Of an interaction, which panes it contributes to: the rest is passed over."""
_pane_decoder: Final = msgspec.msgpack.Decoder(SavedHead)

_UPGRADES: Final[dict[int, Callable[[bytes], bytes]]] = {}
"""Saved form of version n -> saved form of version n + 1."""


def snapshot(state: State) -> bytes:
    """The state as bytes. Equal states give equal bytes.

    What did not change since the last time is not serialised anew: contacts and panes are held for
    hours, and few of them change between two checkpoints.
    """
    encode = _encoder.encode
    parts = [
        _array_of(_PARTS),
        encode(state.next_offset),
        encode(state.event_time),
        encode(state.produced_at),
        encode({name: (clock.latest, clock.heard_at) for name, clock in state.sources.items()}),
        _array_of(len(state.interactions)),
    ]
    parts += [interaction.save() for interaction in state.interactions.values()]
    parts.append(encode([(a.timeline.save(), a.changed) for a in state.agents.values()]))
    parts.append(_array_of(len(state.panes)))
    for pane in state.panes.values():
        if pane.saved:
            pane.pack()  # as it was for the last one: it rests
        else:
            pane.saved = encode(pane.save())
        parts.append(pane.saved)
    parts.append(encode([(f.clocks, sorted(f.subjects)) for f in state.let_go_ahead]))
    return b"".join(parts)


def _array_of(items: int) -> bytes:
    """How an array of so many items begins in MessagePack; they follow."""
    if items < 1 << 4:
        return bytes((0x90 | items,))
    if items < 1 << 16:
        return b"\xdc" + items.to_bytes(2, "big")
    return b"\xdd" + items.to_bytes(4, "big")


def restore(saved: bytes, version: int = STATE_VERSION) -> State:
    """The state that was saved.

    Raises:
        StateUnreadable: the bytes are damaged, or of a version that cannot be upgraded from here.
    """
    while version != STATE_VERSION:
        upgrade = _UPGRADES.get(version)
        if upgrade is None:
            raise StateUnreadable(
                f"state of version {version}; this release reads version {STATE_VERSION}"
                " and what it knows to upgrade"
            )
        saved, version = upgrade(saved), version + 1
    try:
        loaded = _decoder.decode(saved)
    except (msgspec.DecodeError, msgspec.ValidationError) as damage:
        raise StateUnreadable(f"state is damaged: {damage}") from damage
    state = State()
    state.next_offset, state.event_time, state.produced_at = loaded[:3]
    sources, interactions, agents, panes, ahead = loaded[3:]
    for source, (latest, heard_at) in sources.items():
        state.sources[source] = SourceClock(latest, heard_at)
    for timeline, changed in agents:
        agent = AgentState(restored(timeline), changed)
        state.agents[agent.timeline.tenant, agent.timeline.agent] = agent
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    for raw in panes:
        pane = _restored_pane(state, bytes(raw), shared)
        state.panes[pane.key] = pane
    for raw in interactions:
        interaction = _restored(state, bytes(raw))
        state.interactions[interaction.subject] = interaction
    state.let_go_ahead = [LetGo(clocks, set(subjects)) for clocks, subjects in ahead]
    return state


def _restored(state: State, saved: bytes) -> InteractionState:
    """An interaction as it is kept at rest: most will not be asked for anything."""
    try:
        head = _head_decoder.decode(saved)
    except msgspec.MsgspecError as damage:
        raise StateUnreadable(f"state is damaged: {damage}") from damage
    tenant, interaction_id, source, opened_at, _, _, expires_at, changed = head
    subject = (state.named(tenant), interaction_id)
    interaction = InteractionState(subject, state.named(source), opened_at, _NO_FACTS)
    interaction.restored(saved, expires_at, changed)
    return interaction


def _restored_pane(
    state: State, saved: bytes, shared: dict[tuple[int, ...], tuple[int, ...]]
) -> Pane:
    """A pane at rest. Panes have few names and few `shared` thresholds: each is kept once."""
    try:
        key, generation, references, thresholds, _, _ = _pane_decoder.decode(saved)
    except msgspec.MsgspecError as damage:
        raise StateUnreadable(f"state is damaged: {damage}") from damage
    names = [state.named(part) if isinstance(part, str) else part for part in key]
    pane = Pane(tuple(names), generation, shared.setdefault(thresholds, thresholds), 0)
    pane.restored(saved, references)
    return pane


def _facts_of(saved: list[SavedFact]) -> dict[int, Fact]:
    """Facts that were saved, by key."""
    facts: dict[int, Fact] = {}
    for at, rank, key, kind, queue, agent, measured_ms, detail in saved:
        facts[key] = Fact(at, rank, key, kind, queue, agent, measured_ms, _frozen(detail))
    return facts


def _frozen(value: Any) -> Any:
    """Lists as tuples, all the way down: what was a tuple when it was saved."""
    if isinstance(value, list):
        return tuple([_frozen(v) for v in value])
    return value
