"""What open contacts cost one fold: memory, a checkpoint, and beginning with it again.

    python -m benchmarks.state 100000

Prints one line of JSON. The contacts are calls: told of, in a queue, answered, not ended. Memory is
what the process grows by: while they are told, with no checkpoint between, and as a fold begins
with them from a checkpoint, which is how it keeps them once they rest.
"""

import argparse
import gc
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import zstandard

from schemas.settings import Settings
from streams.fold.partition import PartitionFold
from streams.fold.state import restore
from streams.rules import rules_of

BEGAN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
AT_ONCE: Final = 5_000
EVENTS_A_CONTACT: Final = 3


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it lies in a topic."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[()] = ()


def open_contact(number: int, source: str = "pbx") -> list[bytes]:
    """The events of a call that goes on; a hundred begin each second."""
    began = BEGAN + timedelta(milliseconds=10 * number)
    kinds = (
        (
            "interaction.started",
            f'"customer":{{"identifiers":[{{"kind":"phone","value":"+1555{number:07}"}}]}}',
        ),
        ("queue.entered", f'"queue":"queue {number % 40}"'),
        ("agent.connected", f'"agent":"agent-{number % 200:04}","queue":"queue {number % 40}"'),
    )
    return [
        (
            f'{{"specversion":"1.0","id":"open-{number}-{step}","source":"{source}",'
            f'"type":"{kind}","time":"{began.isoformat()}","subject":"open-{number}",'
            f'"data":{{{data}}}}}'
        ).encode()
        for step, (kind, data) in enumerate(kinds)
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("contacts", type=int)
    contacts = arguments.parse_args().contacts
    rules = rules_of(Settings())
    fold = PartitionFold("events.call", 0, "log", 1, rules)
    _tell(fold, range(1_000))  # what is made once for all is there
    before = _resident()
    _tell(fold, range(1_000, 1_000 + contacts))
    grown = _resident() - before
    began = time.process_time()
    state = fold.snapshot()
    serialised = time.process_time()
    packed = zstandard.compress(state)
    compressed = time.process_time()
    state_bytes = len(state)
    del state
    told_bytes = _resident()
    reading = time.process_time()
    begun = PartitionFold("events.call", 0, "log", 1, rules, restore(zstandard.decompress(packed)))
    begun.take_partials()
    read = time.process_time()
    gc.collect()
    told = {
        "open_contacts": contacts,
        "bytes_an_open_contact": grown / contacts,
        "bytes_at_rest": (_resident() - told_bytes) / contacts,
        "snapshot_seconds": serialised - began,
        "compress_seconds": compressed - serialised,
        "begin_seconds": read - reading,
        "state_bytes": state_bytes,
        "checkpoint_bytes": len(packed),
    }
    print(json.dumps(told))


def _tell(fold: PartitionFold, numbers: range) -> None:
    """Apply what is told of these contacts, and let go of the rows."""
    for first in range(numbers.start, numbers.stop, AT_ONCE):
        of_part = range(first, min(first + AT_ONCE, numbers.stop))
        values = [value for number in of_part for value in open_contact(number)]
        offset = fold.next_offset
        fold.apply([Stored(offset + n, -1, b"", value) for n, value in enumerate(values)])
        fold.drain()
    gc.collect()


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


if __name__ == "__main__":
    main()
