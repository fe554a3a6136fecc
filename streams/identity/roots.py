"""What a root keeps: the edges of all identifiers that follow it, and what they come to. Pure.

What is new since the last time is resolved by itself: identifiers that are not connected with it,
shared ones left out, keep what they have. So a new edge costs as much as its customer is large, and
not as much as a shared identifier has neighbours.
"""

from collections.abc import Collection, Set
from typing import Final

from streams.identity.edges import Edge, Pair
from streams.identity.guards import Limits, Resolution, resolve

SMALL: Final = 64
"""Edges up to which a root's neighbourhood is made anew when it is needed, to save memory."""

Around = dict[str, dict[str, Edge]]
"""Identifier -> neighbour -> their edge."""


class News:
    """What a root heard since it was last resolved: edges, and the identifiers it may concern."""

    __slots__ = ("edges", "keys")

    def __init__(self) -> None:
        self.edges: dict[Pair, Edge] = {}
        self.keys: set[str] = set()


class Root:
    """The edges that a root keeps.

    Attributes:
        version: grows with all that is heard, and beyond that of whoever hands edges over.
        shared: identifiers with too many neighbours.
        apart: the edges that were quarantined when they were last looked at.
    """

    __slots__ = ("_around", "apart", "edges", "shared", "tenant", "version")

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.edges: dict[Pair, Edge] = {}
        self.version = 0
        self.shared: Collection[str] = ()
        self.apart: Set[Pair] = frozenset()
        self._around: Around | None = None

    def knows(self, key: str) -> bool:
        """Whether some edge is of this identifier."""
        if self._around is None and len(self.edges) <= SMALL:
            return any(key in pair for pair in self.edges)
        return key in self._neighbours()

    def take(self, edge: Edge, limits: Limits, news: News, *, again: bool = False) -> bool:
        """Take an edge in, and note what it may concern; `again`, also if it says nothing new.

        Whether anything was noted.
        """
        known = self.edges.get(edge.pair)
        more = edge if known is None else known.joined(edge)
        if more != known:
            self.edges[edge.pair] = more
            if self._around is not None:
                self._around.setdefault(edge.a, {})[edge.b] = more
                self._around.setdefault(edge.b, {})[edge.a] = more
            if more.seen and not (known and known.seen):
                self._watch_neighbours(more, limits, news)
        elif not again:
            return False
        news.edges[edge.pair] = more
        news.keys |= {edge.a, edge.b}
        return True

    def drop(self, edge: Edge, news: News | None) -> None:
        """Forget an edge, also among what is new."""
        del self.edges[edge.pair]
        self._around = None
        if news is not None:
            news.edges.pop(edge.pair, None)
            news.keys -= {end for end in edge.pair if not self.knows(end)}

    def resolved(self, limits: Limits, news: News) -> Resolution:
        """What becomes of all identifiers and edges that `news` may concern."""
        around = self._neighbours()
        concerned = dict(news.edges)
        reached = {key for key in news.keys if key not in self.shared}
        waiting = list(reached)
        while waiting:
            key = waiting.pop()
            for other, edge in around[key].items():
                concerned[edge.pair] = edge
                if other not in reached and other not in self.shared:
                    reached.add(other)
                    waiting.append(other)
        if len(self.edges) <= SMALL:
            self._around = None
        customers, verdicts = resolve(concerned.values(), self.shared, limits)
        reached |= news.keys
        return Resolution({key: customers[key] for key in reached}, verdicts)

    def _watch_neighbours(self, edge: Edge, limits: Limits, news: News) -> None:
        """See whether an end of a new edge has too many neighbours now; that concerns them all."""
        if not limits.is_shared(len(self.edges)):
            return
        around = self._neighbours()
        for key in edge.pair:
            if key in self.shared or not limits.is_shared(len(around[key])):
                continue
            if limits.is_shared(sum(e.seen for e in around[key].values())):
                self.shared = {*self.shared, key}
                news.keys |= {key, *around[key]}
                # An edge of two that become shared at once is found from neither end.
                news.edges |= {e.pair: e for e in around[key].values()}

    def _neighbours(self) -> Around:
        if self._around is None:
            self._around = {}
            for edge in self.edges.values():
                self._around.setdefault(edge.a, {})[edge.b] = edge
                self._around.setdefault(edge.b, {})[edge.a] = edge
        return self._around
