"""A fold's state between two events, and its serialised form. Pure.

`snapshot` and `restore` are inverses: a restored fold continues exactly as the one that was saved.
What can be made again from the rest (heaps of what expires when) is not saved.

`STATE_VERSION` names the format. A format that changes keeps a function in `_UPGRADES` that turns
the saved form of one version into that of the next, so every checkpoint ever written stays
readable.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw
from mypy_extensions import mypyc_attr

from streams.fold.agents import AgentTimeline, SavedTimeline, restored
from streams.fold.interaction_state import InteractionState, Subject, at_rest
from streams.fold.let_go import LetGo
from streams.fold.panes import Pane, PaneKey, SavedHead

STATE_VERSION: Final = 1

NEVER: Final = -(1 << 62)
"""An event time before all others: nothing was seen yet."""


class StateUnreadable(Exception):
    """A saved state that cannot be restored: damaged, or of a version that is not known here."""


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
saved interaction), agents (timeline, changed), panes (each a `SavedPane`), let_go_ahead (clocks,
subjects)"""
_PARTS: Final = 8


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Saved)
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
        return _loaded(saved)
    except msgspec.MsgspecError as damage:
        raise StateUnreadable(f"state is damaged: {damage}") from damage


def _loaded(saved: bytes) -> State:
    loaded = _decoder.decode(saved)
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
        interaction = at_rest(bytes(raw), state.named)
        state.interactions[interaction.subject] = interaction
    state.let_go_ahead = [LetGo(clocks, set(subjects)) for clocks, subjects in ahead]
    return state


def _restored_pane(
    state: State, saved: bytes, shared: dict[tuple[int, ...], tuple[int, ...]]
) -> Pane:
    """A pane at rest. Panes have few names and few `shared` thresholds: each is kept once."""
    key, generation, references, thresholds, _, _ = _pane_decoder.decode(saved)
    names = [state.named(part) if isinstance(part, str) else part for part in key]
    pane = Pane(tuple(names), generation, shared.setdefault(thresholds, thresholds), 0)
    pane.restored(saved, references)
    return pane
