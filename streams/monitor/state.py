"""The queues of a partition of `kpi.panes` in serialised form. Pure.

`snapshot` and `restore` are inverses; windows are added up anew, and so need no saving.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from streams.fold.state import StateUnreadable
from streams.monitor.breaches import Watch
from streams.monitor.causes import Causes
from streams.monitor.foresight import Foresight
from streams.monitor.listed import restored as restored_listed
from streams.monitor.messages import Missed, Serving, Waiting
from streams.monitor.queue import Agents, Part, PartKey, Queue, Source
from streams.monitor.vectors import Vector

STATE_VERSION: Final = 4


class Saved(msgspec.Struct, array_like=True):
    """What is kept of a partition; `current` has when a source was last read to its end."""

    next_offset: int
    now: int
    ticked_at: int
    current: list[tuple[tuple[str, int], int]]
    queues: list["SavedQueue"]


# In full, so that what is read has tuples where it had them: what is compiled insists on that.
SavedOpen = tuple[list[Waiting], list[Serving]]
SavedListed = tuple[int, dict[str, int], SavedOpen, SavedOpen]
SavedPart = tuple[Source, int, int, Vector, dict[int, int], SavedListed]
SavedAgents = tuple[int, int, dict[str, int], dict[str, str]]


class SavedQueue(msgspec.Struct, array_like=True):
    """What is kept of a queue."""

    name: tuple[str, str]
    parts: list[tuple[int, PartKey, SavedPart]]
    agents: list[tuple[Source, SavedAgents]]
    epochs: dict[str, int]
    heard: dict[str, list[str]]
    totals: list[int]
    shown: list[int]
    forgotten: list[tuple[tuple[str, int], int]]
    watches: dict[str, Watch]
    foresight: Foresight = msgspec.field(default_factory=Foresight)
    missed: list[Missed] = msgspec.field(default_factory=list)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Saved)


def _named_whole(saved: bytes) -> bytes:
    """Until version 2 a partial named everyone who was open, and nobody needed to be remembered."""
    state = msgspec.msgpack.decode(saved)
    for queue in state[_QUEUES]:
        for _, _, part in queue[_PARTS]:
            *_, version, _, _, own, carried = part
            part[-2:] = [[version, {}, own, carried]]
    return _encoder.encode(state)


_QUEUES: Final = Saved.__struct_fields__.index("queues")
_PARTS: Final = SavedQueue.__struct_fields__.index("parts")
_UPGRADES: Final[dict[int, Callable[[bytes], bytes]]] = {
    1: lambda saved: saved,  # its queues end before `foresight`, and so have none
    2: _named_whole,
    3: lambda saved: saved,  # its queues end before `missed`
}
"""Saved form of version n -> saved form of version n + 1."""


def saved_queue(queue: Queue, watches: dict[str, Watch], foresight: Foresight) -> SavedQueue:
    """What is kept of a queue."""
    return SavedQueue(
        queue.name,
        [
            (pane_at, key, part.save())
            for pane_at, parts in queue.parts.items()
            for key, part in parts.items()
        ],
        [(source, agents.save()) for source, agents in queue.agents.items()],
        queue.epochs,
        {topic: sorted(names) for topic, names in queue.heard.items()},
        queue.totals,
        queue.shown,
        list(queue.forgotten.items()),
        watches,
        foresight,
        queue.causes.save(),
    )


def restored_queue(saved: SavedQueue, now: int, timezone: str) -> Queue:
    """The queue that was saved."""
    queue = Queue(saved.name, now)
    for pane_at, key, part in saved.parts:
        source, epoch, version, vector, bins, listed = part
        queue.parts.setdefault(pane_at, {})[key] = Part(
            source, epoch, version, vector, bins, restored_listed(listed)
        )
    queue.agents = {source: Agents(*agents) for source, agents in saved.agents}
    queue.epochs = saved.epochs
    queue.heard = {topic: set(names) for topic, names in saved.heard.items()}
    queue.totals, queue.shown = saved.totals, saved.shown
    queue.forgotten = dict(saved.forgotten)
    queue.causes = Causes(saved.missed)
    queue.begin_windows(timezone)
    return queue


def snapshot(saved: Saved) -> bytes:
    """What is kept, as bytes."""
    return _encoder.encode(saved)


def restore(saved: bytes, version: int) -> Saved:
    """What was kept.

    Raises:
        StateUnreadable: the bytes are damaged, or of a version that cannot be upgraded from here.
    """
    while version != STATE_VERSION:
        upgrade = _UPGRADES.get(version)
        if upgrade is None:
            raise StateUnreadable(
                f"monitor state of version {version}; this release reads version {STATE_VERSION}"
            )
        saved, version = upgrade(saved), version + 1
    try:
        return _decoder.decode(saved)
    except (msgspec.DecodeError, msgspec.ValidationError) as damage:
        raise StateUnreadable(f"monitor state is damaged: {damage}") from damage
