"""Begins the folds of partitions that a worker was assigned and does not hold yet.

Runs on Faust's loop; what asks the store goes by its lane. Waits while the store is away.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import partial

from faust.types import TP

from streams.lanes import STORE, Lanes
from streams.takeover import Held, Takeover


async def begin_missing(
    held: dict[TP, Held],
    mine: Collection[TP],
    logs: Mapping[str, str],
    present: Collection[TP],
    *,
    takeover: Takeover,
    lanes: Lanes,
) -> None:
    """Begin the folds of my partitions that are not held yet, or of other `logs` (topic -> log).

    What is stored of all topics, of all partitions that are `present`, is asked for together. Then
    one begins after the other, and stays if this is cancelled: states may be large.

    Raises:
        CheckpointsUnreadable: none of a partition's checkpoints can be read.
    """

    def is_new(tp: TP) -> bool:
        known = held.get(tp)
        return known is None or known.fold.log != logs[tp.topic]

    wanted = _by_topic(filter(is_new, mine))
    if not wanted:
        return
    partitions = _by_topic(present)
    asked = {topic: logs[topic] for topic in sorted(wanted)}
    found = await lanes.patiently(STORE, lambda: takeover.look_up(asked, wanted, partitions))
    for topic in asked:
        begin = partial(takeover.begin, found.pop(topic))
        begun = await lanes.patiently(STORE, begin)
        held |= {TP(topic, partition): fold for partition, fold in begun.items()}


def _by_topic(tps: Iterable[TP]) -> dict[str, list[int]]:
    """Topic -> its partitions."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for tp in tps:
        found[tp.topic].append(tp.partition)
    return dict(found)
