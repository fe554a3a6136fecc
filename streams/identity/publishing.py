"""Which links are new, and what is published of them. Pure.

An interaction shows the same links with each of its events, and so does the customer's next one. A
bounded cache of those that are known to be published spares the broker and the resolver nearly all
of them; what it has forgotten is published again, and changes nothing there.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from streams.identity.edges import IDENTIFIED, SHOWN, Edge, edge
from streams.identity.messages import Message, of_edge
from streams.identity.normalise import kind_of

REMEMBERED: Final = 1 << 17
"""Links that are known to be published; about 200 bytes each."""

Link = tuple[str, str]


class PublishedLinks:
    """The links that were published lately, by (smaller key, larger key)."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._seen_at: OrderedDict[Link, int] = OrderedDict()

    def new(self, rows: Iterable[tuple[Any, ...]]) -> dict[Link, list[Message]]:
        """What is to be published of rows of `IdentityLinkRow`."""
        fresh: dict[Link, list[Message]] = {}
        for row in rows:
            tenant, key, other_key, identifier, other, rule, _, evidence, at, *_ = row
            if key > other_key:
                continue  # the same from the other end
            if rule in (SHOWN, IDENTIFIED) and at >= self._seen_at.get((key, other_key), at + 1):
                continue
            said = edge(
                (key, kind_of(identifier)),
                (other_key, kind_of(other)),
                at=at,
                rule=rule,
                evidence=evidence,
            )
            fresh.setdefault(said.pair, []).append(of_edge(tenant, said))
        return fresh

    def published(self, links: Iterable[list[Message]]) -> None:
        """These are acknowledged."""
        for messages in links:
            for message in messages:
                self._remember(message.edges[0])

    def _remember(self, said: Edge) -> None:
        before = self._seen_at.pop(said.pair, said.seen_at)
        self._seen_at[said.pair] = min(before, said.seen_at)
        if len(self._seen_at) > self._remembered:
            self._seen_at.popitem(last=False)
