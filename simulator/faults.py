"""What goes wrong between the centre and the broker, on request and seeded. Pure.

Nothing is lost: the events that come out are those that went in, some of them twice, some later
than others, and garbage beside them. A skewed source writes its own wrong time into its events.
"""

import heapq
from collections.abc import Iterable, Iterator
from typing import Final

from simulator.dice import Dice
from simulator.settings import FaultModel
from simulator.telling import Encoded, Encoder, Told

GARBAGE: Final[tuple[bytes, ...]] = (
    b"",
    b"{",
    b"\xff\xfe",
    b'{"specversion":"1.0"}',
    b'{"specversion":"1.0","id":"1","source":"s","type":"no.such","subject":"x","data":{}}',
    b"<xml/>",
)
"""What no reader can make an event of."""


def deliveries(
    told: Iterable[Told], encoder: Encoder, faults: FaultModel, seed: int
) -> Iterator[Encoded]:
    """The events as they reach the broker, ordered by when they do."""
    if faults == FaultModel():
        for one in told:
            yield encoder.encode(one)
        return
    dice = Dice(seed, "faults")
    skew_ms = round(faults.skew_seconds * 1000)
    on_the_way: list[tuple[int, int, Encoded]] = []
    serial = 0
    for one in told:
        while on_the_way and on_the_way[0][0] <= one.at:
            yield heapq.heappop(on_the_way)[2]
        source = encoder.source_of(one.topic)
        event = encoder.encode(one, skew_ms if source in faults.skewed_sources else 0)
        for sent in _sent(event, faults, dice):
            serial += 1
            heapq.heappush(on_the_way, (sent.due_at, serial, sent))
    while on_the_way:
        yield heapq.heappop(on_the_way)[2]


def _sent(event: Encoded, faults: FaultModel, dice: Dice) -> Iterator[Encoded]:
    """The event as often as it is sent, each time when it arrives, and what garbage comes with."""
    yield _delayed(event, faults, dice)
    if dice.chance(faults.repeated_share):
        yield _delayed(event, faults, dice)
    if dice.chance(faults.malformed_share):
        yield event._replace(value=dice.pick(GARBAGE))


def _delayed(event: Encoded, faults: FaultModel, dice: Dice) -> Encoded:
    delay_ms = 0
    if dice.chance(faults.late_share):
        delay_ms = dice.within(faults.late_seconds / 2, faults.late_seconds)
    elif dice.chance(faults.shuffled_share):
        delay_ms = dice.within(0, faults.shuffled_seconds)
    return event._replace(due_at=event.due_at + delay_ms) if delay_ms else event
