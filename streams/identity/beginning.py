"""How a fold of `identity.links` begins: from a checkpoint, or from the links that are stored.

A new log of the topic (it was made anew, or an embedded broker forgot it) holds nothing of what the
old one said. Every link is stored in `identity_links`, so a first beginning hears them all again;
the state of the old log is not needed. Reads the store it is given; blocks.
"""

from collections.abc import Iterator
from typing import Any, Final

from schemas.topics import IDENTITY_LINKS
from sinks.checkpoints import Checkpoint
from sinks.store import Store
from streams.identity.edges import edge
from streams.identity.erased import Erased
from streams.identity.fold import LinksFold
from streams.identity.guards import Limits
from streams.identity.messages import Message, of_edge
from streams.identity.normalise import kind_of

PAGE: Final = 20_000

_STORED: Final = """
SELECT tenant, customer_key, other_key, identifier, other_identifier, rule, evidence,
    toUnixTimestamp64Milli(happened_at) AS at
FROM identity_links FINAL
WHERE customer_key < other_key
    -- As the producer spreads keys over partitions.
    AND bitAnd(kafkaMurmurHash(customer_key), 0x7fffffff) % {partitions:UInt32} = {partition:UInt32}
    AND (tenant, customer_key, other_key, rule, evidence) > {after:Tuple(String, String, String,
        String, String)}
ORDER BY tenant, customer_key, other_key, rule, evidence
LIMIT {page:UInt32}
"""


class LinksBeginning:
    """Begins folds of `identity.links`."""

    topic: Final = IDENTITY_LINKS

    def __init__(self, store: Store, limits: Limits, erased: Erased) -> None:
        self._store = store
        self._limits = limits
        self._erased = erased

    def restored(self, partition: int, log: str, epoch: int, saved: Checkpoint) -> LinksFold:
        """The fold as its checkpoint left it.

        Raises:
            StateUnreadable: the checkpoint cannot be read.
        """
        state = (saved.state, saved.state_version)
        rules = (self._limits, self._erased)
        return LinksFold(self.topic, partition, log, epoch, *rules, state)

    def first(self, partition: int, partitions: int, log: str, epoch: int) -> LinksFold:
        """The fold of a log of which no checkpoint was ever written. Raises `StoreError`."""
        fold = LinksFold(self.topic, partition, log, epoch, self._limits, self._erased)
        fold.hear(self._stored(partition, partitions))
        return fold

    def _stored(self, partition: int, partitions: int) -> Iterator[Message]:
        after = ("",) * 5
        while True:
            rows = self._store.query(
                _STORED,
                {"partition": partition, "partitions": partitions, "after": after, "page": PAGE},
            )
            yield from map(_message, rows)
            if len(rows) < PAGE:
                return
            names = ("tenant", "customer_key", "other_key", "rule", "evidence")
            after = tuple(rows[-1][name] for name in names)


def _message(row: dict[str, Any]) -> Message:
    said = edge(
        (row["customer_key"], kind_of(row["identifier"])),
        (row["other_key"], kind_of(row["other_identifier"])),
        at=row["at"],
        rule=row["rule"],
        evidence=row["evidence"],
    )
    return of_edge(row["tenant"], said)
