"""`make truth`: simulated days through broker, worker and views, every KPI beside its truth.

Each seed is a day of its own, with events out of order, repeated and late within the horizon; every
other one has sources that state durations as well. Prints a table by KPI and writes
`build/truth.json`; ends with 1 where anything differs by more than is promised.
"""

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from faust.types import TP
from rich.console import Console
from rich.table import Table

from gateway.publish import Publisher
from gateway.record import Record
from schemas.settings import Settings, load_settings
from simulator.presets import PRESETS
from simulator.run import Run
from simulator.settings import FaultModel
from sinks.kpis.catalogue import KPIS
from sinks.metrics import Metrics
from sinks.store import EMBEDDED, Store, open_store
from streams.app import Pipeline
from streams.broker_admin import PLAINTEXT
from streams.embedded import EmbeddedBroker
from streams.garbage import tune_collector
from streams.parts import create_all_topics, migrate_all
from tests.truth.compare import Compared, everything, interactions

FAULTS = FaultModel(shuffled_share=0.1, repeated_share=0.05, late_share=0.01)
RECORDS_AT_ONCE = 20_000
PARTITIONS = 4
NAMED = 10
OUTPUT = Path("build/truth.json")
out = Console(highlight=False)


@dataclass(slots=True)
class Line:
    """What was found of one KPI, over all seeds and places."""

    compared: int = 0
    differ: int = 0
    largest: float = 0.0

    def add(self, one: Compared) -> None:
        """Count one comparison."""
        self.compared += 1
        self.differ += not one.holds
        self.largest = max(self.largest, abs(one.difference or 0))


def main() -> int:
    """Run the days that are asked for; 0 if every KPI is as exact as it is promised to be."""
    arguments = _arguments()
    tune_collector()
    lines = {kpi: Line() for kpi in KPIS}
    kept: list[dict[str, Any]] = []
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="switchboard-truth-") as directory:
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            day = _day(arguments.preset, seed, Path(directory))
            for one in day.compared:
                lines.setdefault(one.kpi, Line()).add(one)
                wrong += not one.holds
                if not one.holds or not any("half hour" in name for name in one.splits):
                    kept.append(_document(one, seed))
            wrong += len(day.contacts)
            _name(seed, day.contacts)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text("[\n" + ",\n".join(map(json.dumps, kept)) + "\n]\n")
    _print(lines)
    out.print(f"{OUTPUT}: {len(kept)} comparisons; {wrong} differ")
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make truth", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many days (default: 20)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--preset", choices=PRESETS, default="day")
    return parser.parse_args()


class Day(NamedTuple):
    """What was found of one day: every KPI, and the columns of contacts that differ."""

    compared: list[Compared]
    contacts: list[str]


def _day(preset: str, seed: int, directory: Path) -> Day:
    """One simulated day from nothing."""
    began = time.monotonic()
    run = Run(PRESETS[preset](seed=seed, states_durations=seed % 2 == 0, faults=FAULTS))
    database = f"truth_{seed}"
    store = open_store(EMBEDDED, path=directory / "clickhouse", database=database)
    with EmbeddedBroker(directory / f"broker-{seed}") as broker:
        settings = load_settings(
            None,
            {
                "data_dir": str(directory),
                "broker": {"url": broker.bootstrap, "partitions": PARTITIONS},
            },
        )
        migrate_all(store, settings)
        create_all_topics(settings, broker.bootstrap, PLAINTEXT)
        sent = asyncio.run(_process(run, settings, broker.bootstrap, store))
    out.print(f"seed {seed}: {sent} events in {time.monotonic() - began:.0f} s")
    day = Day(list(everything(store, run)), interactions(store, run))
    store.command(f"DROP DATABASE {database} SYNC", use_database=False)
    store.close()
    return day


def _name(seed: int, contacts: list[str]) -> None:
    """The first contacts that differ; they are many or none."""
    for one in contacts[:NAMED]:
        out.print(f"seed {seed}: {one}", markup=False)
    if len(contacts) > NAMED:
        out.print(f"seed {seed}: … and {len(contacts) - NAMED} more columns of contacts")


async def _process(run: Run, settings: Settings, bootstrap: str, store: Store) -> int:
    sent = 0
    records = (Record(e.topic, e.subject.encode(), e.value, 0) for e in run.deliveries())
    async with Publisher(bootstrap, idempotent=False) as publisher:
        while batch := list(islice(records, RECORDS_AT_ONCE)):
            await publisher.publish(batch)
            sent += len(batch)
    ends = {TP(*place): end for place, end in publisher.ends.items()}
    await Pipeline(settings, bootstrap, store, Metrics()).run_until(ends)
    return sent


def _document(one: Compared, seed: int) -> dict[str, Any]:
    return {
        "kpi": one.kpi,
        "splits": {"seed": seed, **one.splits},
        "truth": one.truth,
        "measured": one.measured,
        "difference": one.difference,
    }


def _print(lines: dict[str, Line]) -> None:
    table = Table("KPI", "compared", "differ", "largest difference")
    for kpi, line in lines.items():
        if not line.compared:
            table.add_row(kpi, "-", "not in the truth", "")
            continue
        table.add_row(kpi, f"{line.compared}", f"{line.differ}", f"{line.largest:.9g}")
    out.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
