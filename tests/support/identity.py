"""A resolver of several partitions without a broker: records wait in queues, in an order given."""

from collections.abc import Callable, Iterable
from zlib import crc32

from streams.identity.guards import Limits, Verdict
from streams.identity.messages import Message, read, rendered
from streams.identity.resolver import Nodes


class Partitions:
    """Partitions of a resolver, what waits for each, and the tables that they write.

    `choose(n)` picks one of n: which partition goes on next. Messages travel as they do on a topic.
    """

    def __init__(self, count: int, limits: Limits, choose: Callable[[int], int]) -> None:
        self.nodes = [Nodes(limits) for _ in range(count)]
        self.waiting: list[list[bytes]] = [[] for _ in range(count)]
        self.messages = 0
        self._choose = choose
        self.customers: dict[str, tuple[int, str]] = {}
        self.verdicts: dict[tuple[str, str], tuple[int, Verdict]] = {}

    def send(self, messages: Iterable[Message]) -> None:
        """Put messages on the partitions that they are for."""
        for message in messages:
            self.messages += 1
            record = rendered(message)
            self.waiting[crc32(record.key) % len(self.nodes)].append(record.value)

    def run(self, *, drain_every: int = 1, twice: Callable[[], bool] = lambda: False) -> None:
        """Let partitions take turns until nothing waits. `twice`: deliver this record again."""
        while busy := [n for n, queue in enumerate(self.waiting) if queue]:
            partition = busy[self._choose(len(busy))]
            for _ in range(min(drain_every, len(self.waiting[partition]))):
                value = self.waiting[partition].pop(0)
                self.nodes[partition].hear(read(value))
                if twice():
                    self.waiting[partition].append(value)
            self.drain(partition)

    def drain(self, partition: int) -> None:
        """Write and send what a partition has to say."""
        nodes = self.nodes[partition]
        for root, (customers, verdicts) in nodes.take_resolved():
            for key, customer in customers.items():
                old = self.customers.get(key, (0, ""))
                self.customers[key] = max(old, (root.version, customer), key=lambda row: row[0])
            for pair, verdict in verdicts.items():
                known = self.verdicts.get(pair)
                if known is None or root.version >= known[0]:
                    self.verdicts[pair] = (root.version, verdict)
        self.send(nodes.take_messages())

    def customer_of(self) -> dict[str, str]:
        """Every identifier's customer, as the tables say."""
        return {key: customer for key, (_, customer) in self.customers.items()}

    def states(self) -> dict[tuple[str, str], str]:
        """Every edge's state, as the tables say."""
        return {pair: verdict.state for pair, (_, verdict) in self.verdicts.items()}
