"""The resolver: identifiers follow the smallest one that they are connected with. Pure.

Every identifier is a node. A node that follows nobody is a *root*, and keeps the edges of all that
follow it; any other passes on what it is told. A root that hears of a smaller one follows it and
hands its edges over. So all edges of what is connected end up with one root, the smallest
identifier, whatever the order of messages, their repetition, and the partition that each node lives
in; the root alone decides what the edges come to (`streams.identity.guards`).

Only three things ever change: a node follows a smaller one, a root's edges grow, and what is known
of one edge grows. All go one way, so messages that come late or again do no harm. An unlink is one
more thing known of an edge. It does not change who follows whom, only what the root makes of its
edges: what was connected once keeps one root, and that root tells the customers apart.

What several roots said of one identifier, before they knew of each other, is told apart by their
versions. A root that takes edges over goes beyond the version of the one that had them, and says
anew all that one may have said: so what the last root says holds, whoever is written last.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from streams.identity.edges import Edge
from streams.identity.guards import Limits, Resolution
from streams.identity.messages import EVERYONE, MOST_EDGES, Message
from streams.identity.roots import News, Root


class Nodes:
    """The identifiers of one partition; what they say to others is handed out as messages.

    Attributes:
        following: identifier -> the smaller one that it follows.
        roots: those that follow nobody and have edges. One that is in neither is a root without.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.following: dict[str, str] = {}
        self.roots: dict[str, Root] = {}
        self._said: list[Message] = []
        self._news: dict[str, News] = {}

    def __len__(self) -> int:
        """How many identifiers are known here."""
        return len(self.following) + len(self.roots)

    @property
    def pending(self) -> int:
        """How many messages and roots wait to be taken."""
        return len(self._said) + len(self._news)

    def hear(self, message: Message) -> None:
        """Take in what is said to one of these identifiers."""
        if message.root:
            self._hear_of_root(message.tenant, message.to, message.root)
        if message.edges:
            self._hear_of_edges(message)

    def take_messages(self) -> list[Message]:
        """What these identifiers say to others, since the last call."""
        said, self._said = self._said, []
        return said

    def put_back(self, messages: Iterable[Message]) -> None:
        """Say these first, when messages are taken again."""
        self._said[:0] = messages

    def forget(self, gone: Callable[[str, Edge], bool]) -> int:
        """Forget edges, and the identifiers that have none left here; how many edges.

        Nobody else is told: it is for what every partition forgets by itself.
        """
        count = 0
        for key, root in list(self.roots.items()):
            dropped = [edge for edge in root.edges.values() if gone(root.tenant, edge)]
            for edge in dropped:
                root.drop(edge, self._news.get(key))
            count += len(dropped)
            for end in {end for edge in dropped for end in edge.pair} - {key}:
                if not root.knows(end):
                    self.following.pop(end, None)
            if not root.edges:
                del self.roots[key]
                self._news.pop(key, None)
        return count

    def take_resolved(self) -> Iterator[tuple[Root, Resolution]]:
        """What became of those who are concerned by what was heard since the last call."""
        changed, self._news = self._news, {}
        for key, news in changed.items():
            root = self.roots[key]
            yield root, root.resolved(self._limits, news)

    def _hear_of_root(self, tenant: str, key: str, root: str) -> None:
        """`key` is connected with `root`: of their two roots, the larger follows the smaller."""
        followed = self.following.get(key)
        mine = key if followed is None else followed
        if root == mine:
            return
        if root > mine:
            self._said.append(Message(tenant, root, root=mine))
        elif followed is None:
            self._follow(tenant, key, root)
        else:
            self.following[key] = root
            self._said.append(Message(tenant, followed, root=root))

    def _hear_of_edges(self, message: Message) -> None:
        tenant, key, told = message.tenant, message.to, message.told
        followed = self.following.get(key)
        if followed is not None:
            self._said.append(msgspec.structs.replace(message, to=followed))
            return
        root = self.roots.get(key)
        if root is None:
            root = self.roots[key] = Root(tenant)
        news = self._news.get(key) or News()
        strangers: dict[str, None] = {}
        noted = False
        for edge in message.edges:
            if told != EVERYONE:
                strangers |= {end: None for end in edge.pair if not root.knows(end)}
            noted |= root.take(edge, self._limits, news, again=told == EVERYONE)
        # By what this message says, never by what waits to be taken: a replay stores its rows at
        # other places, and must come to the same versions.
        if noted:
            self._news[key] = news
            root.version = max(root.version, message.version) + 1
        smallest = min((key, *strangers))
        for stranger in strangers:
            if stranger not in (key, smallest, told):
                self._said.append(Message(tenant, stranger, root=smallest))
        if smallest != key:
            self._follow(tenant, key, smallest)

    def _follow(self, tenant: str, key: str, root: str) -> None:
        """Follow a smaller one from now on, and hand over the edges."""
        self.following[key] = root
        self._news.pop(key, None)
        mine = self.roots.pop(key, None)
        if mine is None:
            return
        edges = tuple(mine.edges.values())
        for begin in range(0, len(edges), MOST_EDGES):
            part = edges[begin : begin + MOST_EDGES]
            self._said.append(Message(tenant, root, part, EVERYONE, mine.version))
