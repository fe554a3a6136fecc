"""`make truth`: simulated days through broker, worker and views, every KPI beside its truth.

Each seed is a day of its own, with events out of order, repeated and late within the horizon; every
other one has sources that state durations as well, and some queues of messages close over night. A
day that was compared counts again as long as the sources that decide about it are the same, so what
was broken off goes on where it was. Prints a table by KPI, writes `build/truth.json`, and a short
form for the documentation to `build/truth.md`; ends with 1 where anything differs by more than is
promised, or a KPI of the catalogue is neither compared nor excused.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Final

from faust.types import TP
from rich.console import Console
from rich.table import Table

from gateway.publish import Publisher
from gateway.record import Record
from schemas.settings import Settings, load_settings
from simulator.presets import PRESETS
from simulator.run import Run
from simulator.settings import FaultModel
from sinks.kpis.catalogue import KPIS, SECTIONS
from sinks.metrics import Metrics
from sinks.store import EMBEDDED, Store, open_store
from streams.app import Pipeline
from streams.broker_admin import PLAINTEXT
from streams.embedded import EmbeddedBroker
from streams.garbage import tune_collector
from streams.parts import create_all_topics, migrate_all
from tests.faults.results import PROJECT, code_of
from tests.truth.compare import NOT_IN_TRUTH, Compared, everything
from tests.truth.hours import open_for, queue_settings
from tests.truth.rows import interactions, strangers

FAULTS: Final = FaultModel(shuffled_share=0.1, repeated_share=0.05, late_share=0.01)
RECORDS_AT_ONCE: Final = 20_000
PARTITIONS: Final = 4
NAMED: Final = 10
OUTPUT: Final = Path("build/truth.json")
SHORT: Final = Path("build/truth.md")
DAYS: Final = Path("build/truth")
DECIDING: Final = ("gateway", "schemas", "simulator", "sinks", "streams", "tests/truth")
PLACES: Final = "places"
out = Console(highlight=False)


@dataclass(slots=True)
class Line:
    """What was found of one KPI, over all places."""

    compared: int = 0
    differ: int = 0
    largest: float = 0.0

    def add(self, one: Compared) -> None:
        """Count one comparison."""
        self.compared += 1
        self.differ += not one.holds
        self.largest = max(self.largest, abs(one.difference or 0))

    def __add__(self, other: "Line") -> "Line":
        return Line(
            self.compared + other.compared,
            self.differ + other.differ,
            max(self.largest, other.largest),
        )


@dataclass(slots=True)
class Day:
    """What was found of one day: every KPI, single comparisons, columns of contacts that differ."""

    seed: int
    lines: dict[str, Line] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    events: int = 0

    @property
    def wrong(self) -> int:
        """How much differs."""
        return sum(line.differ for line in self.lines.values()) + len(self.contacts)

    def to_json(self) -> str:
        """As text, for `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Day":
        """What `to_json` wrote."""
        said = json.loads(text)
        return cls(**said | {"lines": {kpi: Line(**line) for kpi, line in said["lines"].items()}})


def main() -> int:
    """Run the days that are asked for; 0 if every KPI is as exact as it is promised to be."""
    arguments = _arguments()
    tune_collector()
    code = code_of([PROJECT / folder for folder in DECIDING])
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    days = [_known_or_run(arguments.preset, seed, code) for seed in seeds]
    kept = [one for day in days for one in day.kept]
    OUTPUT.write_text("[\n" + ",\n".join(map(json.dumps, kept)) + "\n]\n")
    lines = _together(days)
    _print(lines)
    SHORT.write_text(short_form(days, lines, f"python -m tests.truth --seeds {arguments.seeds}"))
    out.print(SHORT.read_text(), markup=False)
    missing = unaccounted(days)
    if missing:
        out.print(f"in the catalogue, but neither compared nor excused: {', '.join(missing)}")
    wrong = sum(day.wrong for day in days)
    out.print(f"{OUTPUT}: {len(kept)} comparisons; {wrong} differ")
    return 1 if wrong or missing else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make truth", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many days (default: 20)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--preset", choices=PRESETS, default="day")
    return parser.parse_args()


def _known_or_run(preset: str, seed: int, code: str) -> Day:
    file = DAYS / f"{preset}-{seed}-{code}.json"
    if file.exists():
        day = Day.from_json(file.read_text())
        out.print(f"seed {seed}: {day.events} events, compared before")
    else:
        with tempfile.TemporaryDirectory(prefix="switchboard-truth-") as directory:
            day = _day(preset, seed, Path(directory))
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".part")
        unfinished.write_text(day.to_json())
        unfinished.replace(file)
    _name(day)
    return day


def _day(preset: str, seed: int, directory: Path) -> Day:
    """One simulated day from nothing."""
    began = time.monotonic()
    run = Run(PRESETS[preset](seed=seed, states_durations=seed % 2 == 0, faults=FAULTS))
    store = open_store(EMBEDDED, path=directory / "clickhouse", database=f"truth_{seed}")
    with EmbeddedBroker(directory / "broker") as broker:
        settings = load_settings(
            None,
            {
                "data_dir": str(directory),
                "broker": {"url": broker.bootstrap, "partitions": PARTITIONS},
                "queues": queue_settings(run),
            },
        )
        migrate_all(store, settings)
        create_all_topics(settings, broker.bootstrap, PLAINTEXT)
        sent = asyncio.run(_process(run, settings, broker.bootstrap, store))
    day = Day(seed, events=sent)
    for one in everything(store, run, open_for=open_for(run)):
        day.lines.setdefault(one.kpi, Line()).add(one)
        if not one.holds or not any("half hour" in name for name in one.splits):
            day.kept.append(_document(one, seed))
    day.contacts = interactions(store, run) + strangers(store, run)
    store.close()
    out.print(f"seed {seed}: {sent} events in {time.monotonic() - began:.0f} s; {day.wrong} differ")
    return day


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


def _name(day: Day) -> None:
    """The first contacts that differ; they are many or none."""
    for one in day.contacts[:NAMED]:
        out.print(f"seed {day.seed}: {one}", markup=False)
    if len(day.contacts) > NAMED:
        out.print(f"seed {day.seed}: … and {len(day.contacts) - NAMED} more columns of contacts")


def unaccounted(days: Sequence[Day]) -> list[str]:
    """KPIs of the catalogue that were not compared, and have no reason not to be."""
    compared = {kpi for day in days for kpi in day.lines}
    return [kpi for kpi in KPIS if kpi not in compared and kpi not in NOT_IN_TRUTH]


def _together(days: Iterable[Day]) -> dict[str, Line]:
    """By KPI, in the order of the catalogue; places that only one side knows come last."""
    lines = {kpi: Line() for kpi in KPIS}
    for day in days:
        for kpi, line in day.lines.items():
            lines[kpi] = lines.get(kpi, Line()) + line
    return lines


def _print(lines: dict[str, Line]) -> None:
    table = Table("KPI", "compared", "differ", "largest difference")
    for kpi, line in lines.items():
        if line.compared:
            table.add_row(kpi, f"{line.compared}", f"{line.differ}", f"{line.largest:.9g}")
        else:
            table.add_row(kpi, "-", NOT_IN_TRUTH.get(kpi, "not in the truth"), "")
    out.print(table)


def short_form(days: Sequence[Day], lines: dict[str, Line], command: str) -> str:
    """What came of it by section of the catalogue, in Markdown, with what it came from."""
    events = sum(day.events for day in days)
    contacts = sum(len(day.contacts) for day in days)
    parts = ", ".join(f"{name} {version(name)}" for name in ("switchboard", "chdb-core"))
    rows = [
        "| KPIs | ids | compared | differ |",
        "|---|---|---|---|",
        *(
            f"| {title} | {len(kpis)} | {line.compared:,} | {line.differ:,} |"
            for title, kpis in SECTIONS.items()
            for line in [sum((lines[kpi.id] for kpi in kpis), Line())]
        ),
        f"| places that only one side knows | | | {lines.get(PLACES, Line()).differ:,} |",
        f"| columns of contacts | | | {contacts:,} |",
    ]
    today = datetime.now(UTC)
    when = f"{today.day} {today:%B %Y}"
    head = f"`{command}`, {when}, {parts}: {len(days)} days, {events:,} records."
    return "\n".join((head, "", *rows, ""))


if __name__ == "__main__":
    raise SystemExit(main())
