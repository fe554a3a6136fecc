"""What an event costs several builds, in turns over the same topics: only such runs compare.

    python -m benchmarks.turns BUILD BUILD [--events 500000] [--rounds 3] [--source queue-log]

The speed of a virtual machine changes within minutes by more than most changes to the code do. So
the builds (directories like `build/compiled`, each with all packages) run one after the other,
round by round, over one broker's topics; between two runs the data goes, and what workers told each
other. Prints microseconds of processor time an event for every run, and each build's medians by
stage (`fold` with decoding in it). What is stored is not compared: `python -m benchmarks` does
that.
"""

import argparse
import os
import shutil
from collections import defaultdict
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


def one_turn(
    build: Path, settings: Settings, bootstrap: str, ends: dict[tuple[str, int], int], core: int
) -> dict[str, float]:
    """Microseconds of processor time an event, by stage, of a worker that is begun anew."""
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
        first, last = span(worker, ends)
    return stages(first, last, sum(ends.values()), 0.0)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("builds", nargs="+", type=Path, metavar="BUILD")
    arguments.add_argument("--events", type=int, default=500_000)
    arguments.add_argument("--partitions", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--source", choices=get_args(Source), default="simulator")
    asked = arguments.parse_args()
    for build in asked.builds:
        if not (build / "streams").is_dir():
            raise SystemExit(f"{build} has no packages: `make build/compiled/.built` makes one.")
    core = max(os.sched_getaffinity(0))
    found: defaultdict[Path, list[dict[str, float]]] = defaultdict(list)
    with beside(core), fresh(DIRECTORY) as bootstrap:
        settings = settings_for(DIRECTORY / "data", asked.partitions)
        ends, _ = preload(settings, bootstrap, Load(asked.events, asked.source))
        for turn in range(asked.rounds):
            for build in asked.builds:
                by_stage = one_turn(build, settings, bootstrap, ends, core)
                found[build].append(by_stage)
                print(f"{turn + 1} {build} {sum(by_stage.values()):.1f} us", flush=True)
    for build, turns in found.items():
        shown = " ".join(
            f"{stage} {median(turn[stage] for turn in turns):.1f}"
            for stage in turns[0]
            if stage != "decode"
        )
        whole = median(sum(turn.values()) for turn in turns)
        print(f"{build}: median {whole:.1f} us ({shown})")


if __name__ == "__main__":
    main()
