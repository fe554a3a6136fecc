"""The nodes of a partition of `identity.links` in serialised form. Pure.

`snapshot` and `restore` are inverses, apart from what waits to be taken: that is taken before.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from streams.fold.state import StateUnreadable
from streams.identity.edges import Edge
from streams.identity.guards import Limits
from streams.identity.resolver import Nodes
from streams.identity.roots import News, Root

STATE_VERSION: Final = 1


class _SavedRoot(msgspec.Struct, array_like=True):
    key: str
    tenant: str
    version: int
    edges: list[Edge]


class _Saved(msgspec.Struct, array_like=True):
    next_offset: int
    followers: dict[str, list[str]]
    roots: list[_SavedRoot]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Saved)
_UPGRADES: Final[dict[int, Callable[[bytes], bytes]]] = {}
"""Saved form of version n -> saved form of version n + 1."""


def snapshot(nodes: Nodes, next_offset: int) -> bytes:
    """Nodes as bytes, with the offset of the record that is due."""
    followers: dict[str, list[str]] = {}
    for key, root in nodes.following.items():
        followers.setdefault(root, []).append(key)
    roots = [
        _SavedRoot(key, root.tenant, root.version, list(root.edges.values()))
        for key, root in nodes.roots.items()
    ]
    return _encoder.encode(_Saved(next_offset, followers, roots))


def restore(saved: bytes, version: int, limits: Limits) -> tuple[Nodes, int]:
    """The nodes that were saved, and the offset of the record that is due.

    Raises:
        StateUnreadable: the bytes are damaged, or of a version that cannot be upgraded from here.
    """
    while version != STATE_VERSION:
        upgrade = _UPGRADES.get(version)
        if upgrade is None:
            raise StateUnreadable(
                f"identity state of version {version}; this release reads version {STATE_VERSION}"
            )
        saved, version = upgrade(saved), version + 1
    try:
        loaded = _decoder.decode(saved)
    except (msgspec.DecodeError, msgspec.ValidationError) as damage:
        raise StateUnreadable(f"identity state is damaged: {damage}") from damage
    nodes = Nodes(limits)
    for followed, keys in loaded.followers.items():
        nodes.following |= dict.fromkeys(keys, followed)
    known = News()
    for item in loaded.roots:
        root = nodes.roots[item.key] = Root(item.tenant)
        root.version = item.version
        for edge in item.edges:
            root.take(edge, limits, known)
    return nodes, loaded.next_offset
