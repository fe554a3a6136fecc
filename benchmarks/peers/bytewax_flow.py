"""bytewax, as documented: a dataflow of keyed, stateful steps between a Kafka source and a sink."""

import sys
from typing import Any, NamedTuple

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from benchmarks.peers.job import CHANNELS, TOPICS, Delta, Event, Job, Join, Sink, added, joined

broker, clickhouse = sys.argv[1:3]
job = Job()
BATCH = 10_000

Pane = tuple[str, str, int, list[int]]


class Read(NamedTuple):
    """A record."""

    topic: str
    event: Event
    text: bytes


def decoded(message: KafkaSourceMessage[Any, Any]) -> Read:
    """The event of a record."""
    return Read(message.topic or "", job.decode(message.value), message.value)


def join(visits: Join | None, read: Read) -> tuple[Join | None, list[Delta]]:
    """The join by interaction."""
    visits = visits or []
    deltas = joined(visits, CHANNELS[read[0]], read[1])
    return visits or None, deltas


def count(total: list[int] | None, delta: Delta) -> tuple[list[int], Pane]:
    """The pane's counts."""
    counts = added(total, delta)
    return counts, (delta[0], delta[1], delta[2], counts)


class _Partition(StatelessSinkPartition[Any]):
    """Collects rows into blocks, which costs less than a step that does."""

    def __init__(self) -> None:
        self._sink = Sink(clickhouse)

    def write_batch(self, items: list[Any]) -> None:
        for item in items:
            if isinstance(item, Read):
                self._sink.event(*item)
            else:
                self._sink.pane(*item)
        if self._sink.full:
            self._sink.flush()

    def close(self) -> None:
        self._sink.flush()


class ClickHouse(DynamicSink[Any]):
    """Timeline rows and panes."""

    def build(self, *_: object) -> _Partition:
        return _Partition()


flow = Dataflow("peer-bytewax")
source = KafkaSource([broker], list(TOPICS), tail=False, batch_size=BATCH)
reads = op.map("decode", op.input("records", flow, source), decoded)
contacts = op.filter("contacts", reads, lambda read: read[0] in CHANNELS)
by_contact = op.key_on("by contact", contacts, lambda read: read[1].subject)
changes = op.key_rm("changes", op.stateful_flat_map("join", by_contact, join))
by_pane = op.key_on("by pane", changes, lambda delta: f"{delta[0]}|{delta[1]}|{delta[2]}")
panes = op.key_rm("panes", op.stateful_map("count", by_pane, count))
op.output("store", op.merge("rows", reads, panes), ClickHouse())

if __name__ == "__main__":
    cli_main(flow)
