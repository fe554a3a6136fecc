"""Publishes dead letters again, as they came, after what was wrong with them is mended.

Harmless at any time: an event that is stored already replaces itself, by source and id. A record
that is refused again becomes a dead letter of its own at its new offset, which carries the header
`x-replay-of`, and is counted there as a failed replay; such a one is not replayed unless asked.
May touch: the store it reads, the publisher it is given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.publish import Publisher
from gateway.record import Record
from schemas.decode import Event, decode
from schemas.derived import X_REPLAY_OF
from sinks.dead_letters import DeadLetter, Original, originals, stored_events
from sinks.store import Store


@dataclass(slots=True)
class ReplayReport:
    """What became of the dead letters that were selected, in records."""

    replayed: int = 0
    already_stored: int = 0
    """Their events are in `events`: an earlier replay, or their source, brought them."""
    still_refused: int = 0
    """This program cannot read them either."""
    refused_before: int = 0
    """A replay of them was refused."""
    rows_of_tables: int = 0
    """Rows that the store refused: they are computed anew from their events, not replayed."""


async def replay(
    store: Store,
    letters: Sequence[DeadLetter],
    publisher: Publisher | None,
    logs: Mapping[str, str],
    *,
    again: bool = False,
    progress: Callable[[ReplayReport], None] = lambda _: None,
) -> ReplayReport:
    """Publish the letters' records that can do better now; returns when they are acknowledged.

    Args:
        store: where they, and the events that got through, are stored.
        letters: those selected; the older first keeps the order of an interaction's records.
        publisher: None publishes nothing, and counts what would be.
        logs: topic -> identity of its present log. In the log that it lay in a record goes to the
            partition that it lay on, whatever its producer's partitioner; in a new log by its key.
        again: also publish what this program still refuses and what a replay was refused for.
        progress: called after each part.

    Raises:
        PublishError: not everything was acknowledged; doing all again is right.
        StoreError: the store could not be read.
    """
    report = ReplayReport()
    records = [letter for letter in letters if letter.is_record]
    report.rows_of_tables = len(letters) - len(records)
    if not again:
        untried = [letter for letter in records if not letter.replays]
        report.refused_before = len(records) - len(untried)
        records = untried
    for part in originals(store, records):
        chosen = _chosen(store, part, report, again=again)
        if publisher is not None:
            await publisher.publish(_record(letter, found, logs) for letter, found in chosen)
        report.replayed += len(chosen)
        progress(report)
    return report


def _chosen(
    store: Store,
    part: Sequence[tuple[DeadLetter, Original]],
    report: ReplayReport,
    *,
    again: bool,
) -> list[tuple[DeadLetter, Original]]:
    read = [decode(original.value, original.headers) for _, original in part]
    stored = stored_events(store, (event for event in read if isinstance(event, Event)))
    chosen = []
    for pair, event in zip(part, read, strict=True):
        if not isinstance(event, Event):
            if not again:
                report.still_refused += 1
                continue
        elif (event.source, event.id) in stored:
            report.already_stored += 1
            continue
        chosen.append(pair)
    return chosen


def _record(letter: DeadLetter, original: Original, logs: Mapping[str, str]) -> Record:
    place = letter.place
    headers = original.headers
    if all(name != X_REPLAY_OF for name, _ in headers):
        headers = [*headers, (X_REPLAY_OF, place.name.encode())]
    partition = place.partition if logs[place.topic] == place.log else None
    at = int(letter.produced_at.timestamp())
    return Record(place.topic, letter.key, original.value, at, headers, partition)
