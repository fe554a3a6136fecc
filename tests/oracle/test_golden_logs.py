"""The fold and the oracle read real logs alike, row by row."""

from pathlib import Path

import pytest

from gateway.asterisk_queue_log import Parsed, events_of_line
from streams.fold.rules import FoldRules
from tests.oracle.batch import tables_of
from tests.support.fold import LATER_MS, Log, Record, differences, folded, oracle_rules

ROOT = Path(__file__).parents[2]
RULES = FoldRules(thresholds_ms={"": (5_000, 20_000), "IT": (30_000, 60_000)})


def published(path: Path, partitions: int) -> Log:
    """A queue_log's events as the gateway publishes them."""
    log: Log = {}
    position = 0
    for line in path.read_bytes().splitlines(keepends=True):
        read = events_of_line(line.rstrip(b"\n"), position)
        position += len(line)
        if isinstance(read, Parsed):
            for record in read.records:
                place = (record.topic, sum(record.key) % partitions)
                of_place = log.setdefault(place, [])
                of_place.append(Record(len(of_place), LATER_MS, record.key, record.value))
    return log


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize(
    "path",
    [
        ROOT / "samples/queue_log.txt",
        pytest.param(ROOT.parent / "shared/data/asterisk_queue_log.txt", marks=pytest.mark.shared),
    ],
    ids=lambda path: path.stem,
)
def test_fold_and_oracle_agree_on_every_row(path: Path, partitions: int) -> None:
    log = published(path, partitions)
    expected = tables_of(log, oracle_rules(RULES))
    assert len(expected.interactions) > 200
    assert len(expected.kpi_panes) > 200
    assert len(expected.agent_panes) > 500
    assert differences(folded(log, RULES).as_tables(), expected) == []
