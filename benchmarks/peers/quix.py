"""Quix Streams, as documented: streaming data frames, stateful functions, `group_by`, sinks."""

import sys
from collections.abc import Callable
from typing import Any

from quixstreams import Application, State
from quixstreams.sinks import BatchingSink, SinkBatch

from benchmarks.peers.job import CHANNELS, TOPICS, Delta, Event, Job, Sink, added, joined

broker, clickhouse, _, directory = sys.argv[1:5]
job = Job()
store = Sink(clickhouse)
app = Application(
    broker_address=broker,
    consumer_group="peer-quix",
    auto_offset_reset="earliest",
    state_dir=directory,
    loglevel="WARNING",
)


class Rows(BatchingSink):
    """Takes what comes between two checkpoints, of all partitions, and stores it at once."""

    def __init__(self, take: Callable[..., None]) -> None:
        super().__init__()
        self._take = take

    def write(self, batch: SinkBatch) -> None:
        for item in batch:
            self._take(*item.value)

    def flush(self) -> None:
        super().flush()
        store.flush()


def joining(channel: str) -> Any:
    """The join by interaction; its state is kept under the record's key, the interaction."""

    def join(row: tuple[str, Event, bytes], state: State) -> list[Delta]:
        visits = state.get("visits", [])
        before = [list(visit) for visit in visits]
        deltas = joined(visits, channel, row[1])
        if visits != before:
            state.set("visits", visits)
        return deltas

    return join


def counted(delta: Delta, state: State) -> tuple[str, str, int, list[int]]:
    """The pane's counts; their state is kept under the queue."""
    key = f"{delta[1]}|{delta[2]}"
    counts = added(state.get(key), delta)
    state.set(key, counts)
    return delta[0], delta[1], delta[2], counts


events, panes = Rows(store.event), Rows(store.pane)
changes = []
for name in TOPICS:
    topic = app.topic(name, value_deserializer="bytes", key_deserializer="str")
    rows = app.dataframe(topic).apply(lambda value, name=name: (name, job.decode(value), value))
    if name in CHANNELS:
        changes.append(rows.apply(joining(CHANNELS[name]), stateful=True, expand=True))
    rows.sink(events)
for of_channel in changes:
    grouped = of_channel.group_by(lambda delta: delta[0], name="queue")
    grouped.apply(counted, stateful=True).sink(panes)

if __name__ == "__main__":
    app.run()
