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

from streams.fold.agents import AgentTimeline, SavedTimeline, restored
from streams.fold.expiry import minute_of
from streams.fold.facts import Fact
from streams.fold.let_go import LetGo
from streams.fold.panes import Contribution, Pane, PaneKey

STATE_VERSION: Final = 1

NEVER: Final = -(1 << 62)
"""An event time before all others: nothing was seen yet."""

Subject = tuple[str, ...]
"""tenant and interaction, or tenant and agent: of fixed length to mypyc it would be made anew for
each look into a dictionary"""


class StateUnreadable(Exception):
    """A saved state that cannot be restored: damaged, or of a version that is not known here."""


class InteractionState:
    """Everything the fold keeps of one interaction.

    `source` is the source of its first event: its clock decides when the interaction is let go.
    `contributions` are those now contained in panes. `expires_at` is the event time (milliseconds)
    of its source at which it may be let go, `changed` the version under which its latest fact was
    taken in.
    """

    __slots__ = (
        "changed",
        "contributions",
        "expires_at",
        "facts",
        "interaction_id",
        "opened_at",
        "source",
        "tenant",
    )

    def __init__(
        self,
        tenant: str,
        interaction_id: str,
        source: str,
        opened_at: int,
        facts: dict[int, Fact],
    ) -> None:
        self.tenant = tenant
        self.interaction_id = interaction_id
        self.source = source
        self.opened_at = opened_at
        self.facts = facts
        self.contributions: list[Contribution] = []
        self.expires_at = 0
        self.changed = 0

    @property
    def due(self) -> int:
        """The minute of its source's event time at which it is let go."""
        return minute_of(self.expires_at) + 1


class AgentState:
    """An agent's timeline, whose stretches are contained in panes.

    `changed` is the version under which its latest change was taken in.
    """

    __slots__ = ("changed", "timeline")

    def __init__(self, timeline: AgentTimeline, changed: int = 0) -> None:
        self.timeline = timeline
        self.changed = changed


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


# Saved as tuples: compiled (deploy/compile_fold.py), a msgspec structure would be saved otherwise.
_SavedInteraction = tuple[
    str, str, str, int, list[tuple[Any, ...]], list[tuple[Any, ...]], int, int
]
"""tenant, interaction, source, opened_at, facts, contributions, expires_at, changed"""
_SavedPane = tuple[tuple[Any, ...], int, int, tuple[int, ...], list[int], dict[int, int]]
"""key, generation, references, thresholds, counts, bins"""
_Saved = tuple[
    int,
    int,
    int,
    dict[str, tuple[int, int]],
    list[_SavedInteraction],
    list[tuple[SavedTimeline, int]],
    list[_SavedPane],
    list[tuple[dict[str, int], list[int]]],
]
"""next_offset, event_time, produced_at, sources (latest, heard_at), interactions, agents (timeline,
changed), panes, let_go_ahead (clocks, subjects)"""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Saved)

_UPGRADES: Final[dict[int, Callable[[bytes], bytes]]] = {}
"""Saved form of version n -> saved form of version n + 1."""


def snapshot(state: State) -> bytes:
    """The state as bytes. Equal states give equal bytes."""
    saved = (
        state.next_offset,
        state.event_time,
        state.produced_at,
        {name: (clock.latest, clock.heard_at) for name, clock in state.sources.items()},
        [
            (
                i.tenant,
                i.interaction_id,
                i.source,
                i.opened_at,
                [fact.save() for fact in i.facts.values()],
                [contribution.save() for contribution in i.contributions],
                i.expires_at,
                i.changed,
            )
            for i in state.interactions.values()
        ],
        [(a.timeline.save(), a.changed) for a in state.agents.values()],
        [
            (k, p.generation, p.references, p.thresholds, p.counts, p.bins)
            for k, p in state.panes.items()
        ],
        [(f.clocks, sorted(f.subjects)) for f in state.let_go_ahead],
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
    state.next_offset, state.event_time, state.produced_at = loaded[:3]
    sources, interactions, agents, panes, ahead = loaded[3:]
    for source, (latest, heard_at) in sources.items():
        state.sources[source] = SourceClock(latest, heard_at)
    for timeline, changed in agents:
        agent = AgentState(restored(timeline), changed)
        state.agents[agent.timeline.tenant, agent.timeline.agent] = agent
    for key, generation, references, thresholds, counts, bins in panes:
        pane = Pane(key, generation, thresholds, 0)
        pane.references = references
        pane.counts = counts
        pane.bins = bins
        state.panes[key] = pane
    for tenant, interaction_id, source, opened_at, facts, contributions, *rest in interactions:
        by_key = {fact[2]: Fact(*_frozen(fact)) for fact in facts}
        interaction = InteractionState(tenant, interaction_id, source, opened_at, by_key)
        for saved_contribution in contributions:
            contribution = Contribution(*_frozen(saved_contribution))
            contribution.pane = state.panes.get(contribution.key)
            interaction.contributions.append(contribution)
        interaction.expires_at, interaction.changed = rest
        state.interactions[tenant, interaction_id] = interaction
    state.let_go_ahead = [LetGo(clocks, set(subjects)) for clocks, subjects in ahead]
    return state


def _frozen(value: Any) -> Any:
    """Lists as tuples, all the way down: what was a tuple when it was saved."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(v) for v in value)
    return value
