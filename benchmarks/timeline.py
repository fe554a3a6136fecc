"""How fast a customer's page is: `python -m benchmarks.timeline [--events N] [--customers N]`.

Fills an embedded store with a tenth of the events, then one with all of them, and asks each for
customers drawn by their contacts: who calls often is asked for often. Prints how long an answer
takes and how many rows the engine read for it, which must not grow with the table.
"""

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.timeline_store import TENANT, fill
from sinks.kpis.views import views
from sinks.migrate import migrate
from sinks.store import EMBEDDED, Store, open_store
from streams.identity.normalise import Identifiers
from streams.timeline.reader import TimelineReader

SEED: Final = 4
WARM_UP: Final = 25
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
A_PAGE: Final = 20
FEW: Final = 10
"""Contacts of an ordinary customer: the largest have the more of them the larger the table is."""
MEDIAN_MS: Final = 50
P99_MS: Final = 150


@dataclass(frozen=True, slots=True)
class Asked:
    """What questions took: milliseconds of wall clock and of processor, and rows read."""

    wall_ms: list[float]
    cpu_ms: list[float]
    read_rows: list[int]
    contacts: list[int]

    def __str__(self) -> str:
        wall, cpu, rows = (sorted(values) for values in (self.wall_ms, self.cpu_ms, self.read_rows))
        few = sorted(
            n for n, have in zip(self.read_rows, self.contacts, strict=True) if have <= FEW
        )
        verdict = "met" if _at(wall, 0.5) < MEDIAN_MS and _at(wall, 0.99) < P99_MS else "missed"
        return (
            f"median {_at(wall, 0.5):6.1f} ms  p99 {_at(wall, 0.99):6.1f} ms"
            f"  ({MEDIAN_MS} and {P99_MS} ms: {verdict})"
            f"  processor {_at(cpu, 0.5):5.1f} and {_at(cpu, 0.99):5.1f} ms"
            f"  rows read: median {_at(rows, 0.5):,.0f}, p99 {_at(rows, 0.99):,.0f};"
            f" p99 of customers with at most {FEW} contacts {_at(few, 0.99):,.0f}"
        )


def _at(ordered: list[Any], share: float) -> float:
    return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))]) if ordered else 0.0


def _ask(store: Store, question: Callable[[str], int], who: list[str]) -> Asked:
    """Ask about each; `question` answers with how many contacts there are."""
    asked = Asked([], [], [], [])
    for number, identifier in enumerate(who):
        before = _selected_rows(store)
        wall, cpu = time.perf_counter(), time.process_time()
        contacts = question(identifier)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if number >= WARM_UP:
            asked.wall_ms.append(1000 * wall)
            asked.cpu_ms.append(1000 * cpu)
            asked.read_rows.append(_selected_rows(store) - before)
            asked.contacts.append(contacts)
    return asked


def _selected_rows(store: Store) -> int:
    """Rows that all queries of this process have read so far."""
    rows = store.query("SELECT value FROM system.events WHERE event = 'SelectedRows'")
    return int(rows[0]["value"]) if rows else 0


def _drawn(store: Store, many: int) -> list[str]:
    """Identifiers of the customers of random contacts."""
    rows = store.query(
        "SELECT identifiers[1] AS identifier FROM interactions"
        " ORDER BY cityHash64(interaction_id, {seed:UInt32}) LIMIT {many:UInt32}",
        {"seed": SEED, "many": many + WARM_UP},
    )
    who = [row["identifier"] for row in rows]
    random.Random(SEED).shuffle(who)  # noqa: S311 -- the order of questions
    return who


def _measure(path: Path, events: int, customers: int) -> None:
    with open_store(EMBEDDED, path=path) as store:
        migrate(store, views=views())
        if not store.query("SELECT 1 FROM events LIMIT 1"):
            began = time.monotonic()
            fill(store, events)
            print(f"filled in {time.monotonic() - began:.0f} s")
        (size,) = store.query(
            "SELECT (SELECT count() FROM events) AS events,"
            " (SELECT count() FROM interactions) AS contacts,"
            " (SELECT uniqExact(customer_key) FROM customer_interactions) AS keys,"
            " (SELECT count() FROM system.parts WHERE active AND table = 'events'"
            "  AND database = currentDatabase()) AS parts"
        )
        print(
            f"{size['events']:,} events in {size['parts']} parts, {size['contacts']:,} contacts"
            f" under {size['keys']:,} keys"
        )
        who = _drawn(store, 2 * customers + WARM_UP)
        # Others for each question: what was read for one is remembered for a while.
        first, second = who[: customers + WARM_UP], who[customers + WARM_UP :]
        reader = TimelineReader(store, Identifiers())
        print(
            " who ", _ask(store, lambda i: reader.customer(TENANT, i, NOW).summary.contacts, first)
        )
        asked = _ask(store, lambda i: len(reader.page(TENANT, i, limit=A_PAGE).contacts), second)
        print(" page", asked, flush=True)


def main() -> None:
    """Measure at two sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, default=500, help="how many are asked for")
    parser.add_argument("--keep", type=Path, help="keep the stores here, and use them if there")
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    directory = asked.keep or Path(tempfile.mkdtemp(prefix="switchboard-timeline-"))
    try:
        for events in (asked.events // 10, asked.events):
            _measure(directory / str(events), events, asked.customers)
    finally:
        if asked.keep is None:
            shutil.rmtree(directory)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
