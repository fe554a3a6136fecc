"""What an event costs several builds, or one over several loads, in turns: only such runs compare.

    python -m benchmarks.turns BUILD [BUILD …] [--events 500000 …] [--queues 0 …] [--rounds 3]
                               [--source simulator|queue-log]

The speed of a virtual machine changes within minutes by more than most changes to the code do. So
the builds (directories like `build/compiled`, each with all packages) run one after the other,
round by round, over the same topics; between two runs the data goes, and what workers told each
other. Where several numbers of events or of queues are named (0: as the simulator has them), each
build goes over each load, which lies in a broker of its own. Prints microseconds of processor time
an event for every run, and medians by stage (`fold` with decoding in it). What is stored is not
compared: `python -m benchmarks` does that.
"""

import argparse
import os
import shutil
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Final, get_args

from benchmarks.pipeline import DIRECTORY, fresh, preload, settings_for, span
from benchmarks.records import Load, Source
from benchmarks.worker import MeasuredWorker, beside, stages
from schemas.settings import Settings
from schemas.topics import DERIVED_TOPICS
from streams.broker_admin import PLAINTEXT, admin_client
from streams.parts import create_all_topics

TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Laid:
    """A load that lies in a broker: where its partitions end, and the settings of who reads it."""

    load: Load
    bootstrap: str
    settings: Settings
    ends: dict[tuple[str, int], int]

    def __str__(self) -> str:
        queues = f", {self.load.queues:,} queues" if self.load.queues else ""
        return f"{self.load.events:,} events{queues}"


def one_turn(build: Path, laid: Laid, core: int) -> dict[str, float]:
    """Microseconds of processor time an event, by stage, of a worker that is begun anew."""
    settings, bootstrap = laid.settings, laid.bootstrap
    shutil.rmtree(settings.data_dir, ignore_errors=True)
    with admin_client(bootstrap, PLAINTEXT, TIMEOUT_SECONDS) as admin:
        admin.delete_topics(list(DERIVED_TOPICS))
    create_all_topics(settings, bootstrap, PLAINTEXT)
    with MeasuredWorker(
        *(bootstrap, settings.data_dir),
        compiled=False,
        core=core,
        settings={"PYTHONPATH": str(build.resolve())},
    ) as worker:
        first, last = span(worker, laid.ends)
    return stages(first, last, laid.load.events, 0.0)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("builds", nargs="+", type=Path, metavar="BUILD")
    arguments.add_argument("--events", type=int, nargs="+", default=[500_000])
    arguments.add_argument("--queues", type=int, nargs="+", default=[0])
    arguments.add_argument("--partitions", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--source", choices=get_args(Source), default="simulator")
    asked = arguments.parse_args()
    for build in asked.builds:
        if not (build / "streams").is_dir():
            raise SystemExit(f"{build} has no packages: `make build/compiled/.built` makes one.")
    core = max(os.sched_getaffinity(0))
    found: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    loads = [Load(n, asked.source, queues=q) for n in asked.events for q in asked.queues]
    with beside(core), ExitStack() as brokers:
        laid = [_laid(brokers, number, load, asked.partitions) for number, load in enumerate(loads)]
        for turn, of_load, build in product(range(asked.rounds), laid, asked.builds):
            by_stage = one_turn(build, of_load, core)
            found[f"{build}, {of_load}"].append(by_stage)
            print(f"{turn + 1} {build}, {of_load}: {sum(by_stage.values()):.1f} us", flush=True)
    for name, turns in found.items():
        shown = " ".join(
            f"{stage} {median(turn[stage] for turn in turns):.1f}"
            for stage in turns[0]
            if stage != "decode"
        )
        whole = median(sum(turn.values()) for turn in turns)
        print(f"{name}: median {whole:.1f} us ({shown})")


def _laid(brokers: ExitStack, number: int, load: Load, partitions: int) -> Laid:
    directory = DIRECTORY / f"load-{number}"
    bootstrap = brokers.enter_context(fresh(directory))
    settings = settings_for(directory / "data", partitions)
    ends, _ = preload(settings, bootstrap, load)
    return Laid(load, bootstrap, settings, ends)


if __name__ == "__main__":
    main()
