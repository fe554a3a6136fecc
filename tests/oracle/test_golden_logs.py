"""The fold and the oracle read real logs alike, row by row."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from gateway.asterisk_queue_log import Parsed, events_of_line
from gateway.record import Record as Published
from streams.fold.rules import FoldRules
from tests.oracle.batch import tables_of
from tests.support.fold import LATER_MS, Log, Record, differences, folded, oracle_rules

ROOT = Path(__file__).parents[2]
RULES = FoldRules(thresholds_ms={"": (5_000, 20_000), "IT": (30_000, 60_000)})


def published(path: Path) -> list[Published]:
    """A queue_log's events as the gateway publishes them."""
    records: list[Published] = []
    position = 0
    for line in path.read_bytes().splitlines(keepends=True):
        read = events_of_line(line.rstrip(b"\n"), position)
        position += len(line)
        if isinstance(read, Parsed):
            records += read.records
    return records


def spread(records: Iterable[Published], partitions: int) -> Log:
    """The records in their topics, by key over so many partitions."""
    log: Log = {}
    for record in records:
        of_place = log.setdefault((record.topic, sum(record.key) % partitions), [])
        of_place.append(Record(len(of_place), LATER_MS, record.key, record.value))
    return log


logs = pytest.mark.parametrize(
    "path",
    [
        ROOT / "samples/queue_log.txt",
        pytest.param(ROOT.parent / "shared/data/asterisk_queue_log.txt", marks=pytest.mark.shared),
    ],
    ids=lambda path: path.stem,
)


@logs
@pytest.mark.parametrize("partitions", [1, 4])
def test_fold_and_oracle_agree_on_every_row(path: Path, partitions: int) -> None:
    log = spread(published(path), partitions)
    expected = tables_of(log, oracle_rules(RULES))
    assert len(expected.interactions) > 200
    assert len(expected.kpi_panes) > 200
    assert len(expected.agent_panes) > 500
    assert differences(folded(log, RULES).as_tables(), expected) == []


@logs
@pytest.mark.parametrize("partitions", [1, 4, 16])
def test_any_order_with_repetitions_gives_the_same_tables(path: Path, partitions: int) -> None:
    rules = replace(RULES, lateness_ms=90 * 86_400_000)
    records = published(path)
    chance = Random(partitions)  # noqa: S311 - which order is of no matter
    shuffled = records + chance.sample(records, len(records) // 5)
    chance.shuffle(shuffled)
    expected = folded(spread(records, 1), rules).what_happened()
    assert folded(spread(shuffled, partitions), rules).what_happened() == expected
