"""The fold of one partition of `identity.links`: messages in, nodes forward, rows and messages out.

Pure. What its nodes say to others is published before any checkpoint vouches for it: at once by
whoever calls `take_messages`, or with the rows that `drain` gives.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from schemas.identity_rows import (
    IdentityEdgeRow,
    IdentityMapRow,
    IdentityMemberRow,
    IdentityMessage,
)
from streams.derived_fold import DerivedFold
from streams.fold.heard import Record
from streams.fold.output import Output, RowTuple
from streams.identity import state
from streams.identity.edges import Edge, Pair
from streams.identity.erased import Erased
from streams.identity.guards import Limits, Verdict
from streams.identity.messages import Message, read, rendered
from streams.identity.resolver import Nodes
from streams.identity.roots import Root


class LinksFold(DerivedFold):
    """Nodes and pending rows of one partition of `identity.links`.

    Args:
        topic, partition, log, epoch: as `DerivedFold` takes them.
        limits: what one customer may have.
        erased: what must not come back.
        saved: state and its version, as a checkpoint held them; None for a first beginning.
    """

    state_version: Final = state.STATE_VERSION
    reason = "invalid_message"

    def __init__(
        self,
        topic: str,
        partition: int,
        log: str,
        epoch: int,
        limits: Limits,
        erased: Erased,
        saved: tuple[bytes, int] | None = None,
    ) -> None:
        super().__init__(topic, partition, log, epoch)
        self.nodes = Nodes(limits)
        if saved is not None:
            self.nodes, self.next_offset = state.restore(*saved, limits)
        self._erased = erased

    @property
    def pending(self) -> int:
        """How many rows `drain` would give, about."""
        return self.nodes.pending

    def _hear(self, record: Record) -> None:
        self.nodes.hear(self._without_erased(read(record.value)))

    def hear(self, messages: Iterable[Message]) -> None:
        """Take in what is known before the first record: links that are stored."""
        for message in messages:
            self.nodes.hear(self._without_erased(message))

    def take_messages(self) -> list[Message]:
        """What is to be published, since the last call or `drain`."""
        return self.nodes.take_messages()

    def put_back(self, messages: Iterable[Message]) -> None:
        """These could not be published: `drain` gives them."""
        self.nodes.put_back(messages)

    def erase(self) -> int:
        """Forget the identifiers of erased customers, and their edges; how many edges."""
        if not self._erased:
            return 0

        def gone(tenant: str, edge: Edge) -> bool:
            return any(self._erased.has(tenant, "key", key, _told_at(edge)) for key in edge.pair)

        return self.nodes.forget(gone)

    def drain(self) -> Output:
        """The rows that changed since the last call, and what is to be published before them."""
        pending = self._pending
        for message in self.nodes.take_messages():
            pending.add(IdentityMessage, tuple(rendered(message)))
        for root, (customers, verdicts) in self.nodes.take_resolved():
            version = self._version_base + root.version
            for key, customer in customers.items():
                own = int(key == customer)
                pending.add(IdentityMemberRow, (root.tenant, customer, key, version))
                pending.add(IdentityMapRow, (root.tenant, key, customer, version, own))
            for pair, verdict in verdicts.items():
                for row in _edge_rows(root, root.edges[pair], verdict, version):
                    pending.add(IdentityEdgeRow, row)
            self._count_apart(root, verdicts)
        return pending.take()

    def _count_apart(self, root: Root, verdicts: Mapping[Pair, Verdict]) -> None:
        """Count the edges that are quarantined from now on.

        Which were before is no part of the state: after a restart those of customers that change
        count once more.
        """
        apart = {pair: v.reason for pair, v in verdicts.items() if v.state == "quarantined"}
        for pair in apart.keys() - root.apart:
            self._pending.counts["quarantined", apart[pair]] += 1
        if apart or root.apart:
            root.apart = (root.apart - verdicts.keys()) | apart.keys()

    def snapshot(self) -> bytes:
        """The state, serialised; rows and messages must have been drained and stored before."""
        return state.snapshot(self.nodes, self.next_offset)

    def _without_erased(self, message: Message) -> Message:
        erased, tenant = self._erased, message.tenant
        if not erased or not message.edges:
            return message
        left = tuple(
            edge
            for edge in message.edges
            if not any(erased.has(tenant, "key", key, _told_at(edge)) for key in edge.pair)
        )
        return msgspec.structs.replace(message, edges=left)


def _told_at(edge: Edge) -> int:
    """When the latest was said about an edge."""
    return max(edge.seen_at if edge.seen else 0, edge.linked_at, edge.unlinked_at)


def _edge_rows(root: Root, edge: Edge, verdict: Verdict, version: int) -> tuple[RowTuple, RowTuple]:
    """The rows of an edge, one from either end."""
    what = (verdict.state, verdict.reason, edge.seen_at, edge.rule, edge.evidence)
    rest = (*what, edge.unlinked_at or None, version)
    return (root.tenant, edge.a, edge.b, *rest), (root.tenant, edge.b, edge.a, *rest)
