"""How much of a run's logs is stored, asked of the tables as rarely as that can be known."""

from collections.abc import Callable, Mapping
from typing import Final

from schemas.rows import VERSION_OFFSET_BITS
from schemas.topics import IDENTITY_LINKS
from sinks.errors import StoreError
from sinks.store import Store
from streams.broker_admin import TopicAdminError
from streams.topic_admin import end_offsets
from tests.faults.publish import Partition
from tests.support.clickhouse import ClickHouseServer

_OFFSET_MASK: Final = (1 << VERSION_OFFSET_BITS) - 1


class Coverage:
    """What is stored, and what checkpoints cover, of the present `logs`.

    `bootstrap` is asked each time: a broker that is started again may be at another address.
    """

    def __init__(
        self, store: Store, clickhouse: ClickHouseServer, bootstrap: Callable[[], str]
    ) -> None:
        self.logs: list[str] = []
        self._store = store
        self._clickhouse = clickhouse
        self._bootstrap = bootstrap
        self._stored: dict[Partition, int] = {}
        self._checkpointed: dict[Partition, int] = {}
        self._looked: dict[str, tuple[int, list[str]]] = {}
        self._links_heard: dict[Partition, int] | None = None

    def stored(self) -> dict[Partition, int]:
        """The next offset after what is stored, by source partition; what was last seen while
        ClickHouse does not answer."""
        self._stored = self._greatest(
            "watermarks", f"bitAnd(version, {_OFFSET_MASK})", self._stored
        )
        return self._stored

    def covers(self, ends: Mapping[Partition, int]) -> bool:
        """Whether stored checkpoints cover all before `ends`, and every message about identifiers
        that came of it."""
        if self._are_checkpointed(ends):
            return self._links_are_quiet()
        self._links_heard = None
        return False

    def _are_checkpointed(self, ends: Mapping[Partition, int]) -> bool:
        self._checkpointed = self._greatest("checkpoints", "next_offset", self._checkpointed)
        return all(self._checkpointed.get(at, 0) >= end for at, end in ends.items())

    def _links_are_quiet(self) -> bool:
        """Whether every message was heard, and nobody said anything while that was seen.

        A message's answers are published before a checkpoint vouches for it: where all up to an end
        are checkpointed, and the end is still the same afterwards, no more will come.
        """
        before = self._links_heard
        try:
            ends = end_offsets(self._bootstrap(), [IDENTITY_LINKS])
        except TopicAdminError:
            return False
        self._links_heard = ends if self._are_checkpointed(ends) else None
        return ends == before

    def _greatest(self, table: str, value: str, seen: dict[Partition, int]) -> dict[Partition, int]:
        """The greatest value of each source partition in the present logs; `seen` while nothing was
        inserted since: a question to the engine costs 20 times one to the server's counters."""
        look = (self._clickhouse.inserts().get(table, 0), self.logs)
        if self._looked.get(table) == look:
            return seen
        try:
            rows = self._store.query(
                f"SELECT topic, source_partition AS p, max({value}) AS n FROM {table}"
                " WHERE log IN {logs:Array(String)} GROUP BY topic, p",
                {"logs": self.logs},
            )
        except StoreError:
            return seen
        self._looked[table] = look
        return {(row["topic"], row["p"]): row["n"] for row in rows}
