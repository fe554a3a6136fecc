"""Faust, as documented: an agent that takes event by event, tables, and a topic between the two."""

import sys
from collections.abc import AsyncIterable
from typing import Any

import faust

from benchmarks.peers.job import CHANNELS, TOPICS, Delta, Job, Sink, added, joined

broker, clickhouse, partitions = sys.argv[1:4]
job = Job()
sink = Sink(clickhouse)
app = faust.App(
    "peer-faust",
    broker=f"aiokafka://{broker}",
    store="memory://",
    topic_partitions=int(partitions),
    consumer_auto_offset_reset="earliest",
    broker_session_timeout=6,
    broker_heartbeat_interval=2,
    web_enabled=False,
    datadir=sys.argv[4],
)
events = app.topic(*TOPICS, key_serializer="raw", value_serializer="raw")
changes = app.topic(
    "peer-faust-changes",
    key_type=str,
    value_serializer="json",
    partitions=int(partitions),
    internal=True,
)
visits = app.Table("visits", default=list, key_type=str, value_type=list)
panes = app.Table("panes", key_type=str, value_type=list)


@app.agent(events)
async def join(stream: faust.StreamT[bytes]) -> None:
    """Timeline rows, and what each interaction changes in its queue."""
    async for message in stream.events():
        topic, value = message.message.topic, message.value
        event = job.decode(value)
        sink.event(topic, event, value)
        if topic not in CHANNELS:
            continue
        visiting = visits[event.subject]
        before = [list(visit) for visit in visiting]
        deltas = joined(visiting, CHANNELS[topic], event)
        if visiting and visiting != before:
            visits[event.subject] = visiting
        elif before and not visiting:
            del visits[event.subject]
        for delta in deltas:
            await changes.send(key=delta[0], value=delta)


@app.agent(changes)
async def count(stream: AsyncIterable[Delta]) -> None:
    """Counts by queue and pane."""
    async for delta in stream:
        key = f"{delta[0]}|{delta[1]}|{delta[2]}"
        panes[key] = counts = added(panes.get(key), delta)
        sink.pane(delta[0], delta[1], delta[2], counts)


@app.timer(interval=1.0)
async def flush(*_: Any) -> None:
    """Store what is new."""
    await app.loop.run_in_executor(None, sink.flush)


if __name__ == "__main__":
    faust.Worker(
        app, loglevel="warning", quiet=True, redirect_stdouts=False
    ).execute_from_commandline()
