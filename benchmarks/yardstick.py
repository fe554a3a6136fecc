"""How fast this machine is just now: what a piece of work takes that never changes.

    python -m benchmarks.yardstick [--records 30000]

The cores of a virtual machine are threads of cores that others use too: one commit came to 24,700
and to 30,500 events a second within an hour, and one close to it to 13,800 on another day, with
nothing else to do at any time. So beside each figure stands what a record costs Faust as its
documentation has it, decoded and counted one by one: Python's objects, dictionaries and calls, and
not a line of ours. The records are 200 bytes of JSON in four partitions of the embedded broker.

I/O: an embedded broker, one child process on the worker's core.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.records import publish
from benchmarks.worker import beside
from gateway.record import Record
from schemas.settings import load_settings
from schemas.topics import EVENTS_CALL
from streams.broker_admin import PLAINTEXT
from streams.embedded import EmbeddedBroker
from streams.parts import create_all_topics

DIRECTORY: Final = Path("build") / "yardstick"
RECORDS: Final = 30_000
PARTITIONS: Final = 4
RECORD_BYTES: Final = 200
REFERENCE_US: Final = 126.0
"""Of processor time a record, on the machine and at the time at which the targets were set."""
DEADLINE_SECONDS: Final = 300


def slowness(core: int) -> float:
    """How much longer the machine takes now, on this core, than where the targets were set."""
    return record_us(core, RECORDS) / REFERENCE_US


def record_us(core: int, records: int) -> float:
    """Microseconds of processor time a record, in a process that has `core` to itself.

    Raises `SystemExit` where the process ends before it has counted them all, or takes minutes.
    """
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    settings = load_settings(
        None, {"data_dir": str(DIRECTORY), "broker": {"partitions": PARTITIONS}}
    )
    with EmbeddedBroker(DIRECTORY) as broker:
        create_all_topics(settings, broker.bootstrap, PLAINTEXT)
        publish(broker.bootstrap, _records(records))
        return _counted(broker.bootstrap, core, records)


def _counted(bootstrap: str, core: int, records: int) -> float:
    log = DIRECTORY / "log.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [
                *("taskset", "-c", str(core), sys.executable, "-m", "benchmarks.yardstick"),
                *("--count", bootstrap, "--records", str(records)),
                *("--directory", str(DIRECTORY)),
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            answer, _ = process.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{records} records took over {DEADLINE_SECONDS} s; {log}") from None
        finally:
            process.kill()
            process.wait()
    # Faust hides the cursor and shows it again before and after what the program prints.
    found = re.search(rb"counted in ([\d.]+) us", answer)
    if not found:
        ended = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise SystemExit(f"Faust ended before it had counted {records} records: {ended} ({log})")
    return float(found[1])


def _records(records: int) -> Iterator[Record]:
    for number in range(records):
        event = {"id": number, "queue": f"queue {number % 40}", "at": 1_767_600_000_000 + number}
        rest = RECORD_BYTES - len(json.dumps(event)) - len(', "text": ""')
        value = json.dumps(event | {"text": "x" * rest}).encode()
        yield Record(EVENTS_CALL, b"%d" % number, value, 0)


def _count(bootstrap: str, records: int, directory: Path) -> None:
    """The child: print what `records` took from the first on, and end."""
    import faust

    app = faust.App(
        "yardstick",
        broker=f"aiokafka://{bootstrap}",
        store="memory://",
        topic_partitions=PARTITIONS,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        datadir=str(directory / "faust"),
    )
    queues: dict[str, int] = {}

    async def count(stream: Any) -> None:
        seen, began = 0, 0.0
        async for event in stream:
            if not seen:
                began = time.process_time()
            queues[event["queue"]] = queues.get(event["queue"], 0) + 1
            seen += 1
            if seen == records:
                spent = time.process_time() - began
                print(f"counted in {spent / records * 1e6:.2f} us", flush=True)
                os._exit(0)  # nothing is left to be stored, and leaving a group takes seconds

    app.agent(app.topic(EVENTS_CALL, value_serializer="json"))(count)
    faust.Worker(
        app, loglevel="warning", quiet=True, redirect_stdouts=False
    ).execute_from_commandline()


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--records", type=int, default=RECORDS)
    arguments.add_argument("--count", metavar="BROKER", help=argparse.SUPPRESS)
    arguments.add_argument("--directory", type=Path, default=DIRECTORY, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.count:
        _count(asked.count, asked.records, asked.directory)
        return
    core = max(os.sched_getaffinity(0))
    with beside(core):
        found = record_us(core, asked.records)
    print(f"{found:.1f} CPU us a record for Faust as documented")
    print(f"{found / REFERENCE_US:.2f} x what it took where the targets were set")


if __name__ == "__main__":
    main()
