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

from streams.fold.agents import AgentTimeline
from streams.fold.expiry import minute_of
from streams.fold.facts import Fact
from streams.fold.panes import Contribution, Pane, PaneKey

STATE_VERSION: Final = 1

NEVER: Final = -(1 << 62)
"""An event time before all others: nothing was seen yet."""

Subject = tuple[str, str]
"""tenant and interaction, or tenant and agent"""


class StateUnreadable(Exception):
    """A saved state that cannot be restored: damaged, or of a version that is not known here."""


class InteractionState(msgspec.Struct, array_like=True):
    """Everything the fold keeps of one interaction.

    `source` is the source of its first event: its clock decides when the interaction is let go.
    `contributions` are those now contained in panes.
    """

    tenant: str
    interaction_id: str
    source: str
    opened_at: int
    facts: dict[int, Fact]
    contributions: tuple[Contribution, ...] = ()
    expires_at: int = 0
    """Event time (milliseconds) of its source at which it may be let go."""
    changed: int = 0
    """Version under which its latest fact was taken in."""

    @property
    def due(self) -> int:
        """The minute of its source's event time at which it is let go."""
        return minute_of(self.expires_at) + 1


class AgentState(msgspec.Struct, array_like=True):
    """An agent's timeline, whose stretches are contained in panes."""

    timeline: AgentTimeline
    changed: int = 0
    """Version under which its latest change was taken in."""


class SourceClock(msgspec.Struct, array_like=True):
    """How far one source's event time has come.

    `latest` is the greatest event time seen of it; `heard_at` the partition's event time when it
    last spoke, or `NEVER` once it has been silent for so long that it was given up.
    """

    latest: int = NEVER
    heard_at: int = NEVER


class State:
    """All that a fold knows after `next_offset` records."""

    __slots__ = (
        "agents",
        "event_time",
        "interactions",
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


class _SavedPane(msgspec.Struct, array_like=True):
    key: tuple[Any, ...]
    generation: int
    references: int
    thresholds: tuple[int, ...]
    counts: list[int]
    bins: dict[int, int]


class _Saved(msgspec.Struct, array_like=True):
    next_offset: int
    event_time: int
    produced_at: int
    sources: dict[str, SourceClock]
    interactions: list[InteractionState]
    agents: list[AgentState]
    panes: list[_SavedPane]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Saved)

_UPGRADES: Final[dict[int, Callable[[bytes], bytes]]] = {}
"""Saved form of version n -> saved form of version n + 1."""


def snapshot(state: State) -> bytes:
    """The state as bytes. Equal states give equal bytes."""
    saved = _Saved(
        state.next_offset,
        state.event_time,
        state.produced_at,
        state.sources,
        list(state.interactions.values()),
        list(state.agents.values()),
        [
            _SavedPane(k, p.generation, p.references, p.thresholds, p.counts, p.bins)
            for k, p in state.panes.items()
        ],
    )
    return _encoder.encode(saved)


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
    state.next_offset = loaded.next_offset
    state.event_time = loaded.event_time
    state.produced_at = loaded.produced_at
    state.sources = loaded.sources
    for interaction in loaded.interactions:
        for key, fact in interaction.facts.items():
            interaction.facts[key] = (*fact[:7], _frozen(fact[7]))
        interaction.contributions = _frozen(interaction.contributions)
        state.interactions[interaction.tenant, interaction.interaction_id] = interaction
    for agent in loaded.agents:
        state.agents[agent.timeline.tenant, agent.timeline.agent] = agent
    for item in loaded.panes:
        pane = Pane(item.generation, item.thresholds, 0)
        pane.references = item.references
        pane.counts = item.counts
        pane.bins = item.bins
        state.panes[item.key] = pane
    return state


def _frozen(value: Any) -> Any:
    """Lists as tuples, all the way down: what was a tuple when it was saved."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(v) for v in value)
    return value
