"""What figures stand beside: the same piece of work each time, done to its end."""

import os
import shutil
from pathlib import Path

import pytest

from benchmarks import yardstick
from tests.conftest import unavailable


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A core to measure on, into a directory of the test's."""
    if shutil.which("taskset") is None:
        unavailable("benchmarks need Linux and taskset (Debian: util-linux)")
    monkeypatch.setattr(yardstick, "DIRECTORY", tmp_path / "yardstick")
    return max(os.sched_getaffinity(0))


def test_records_are_of_one_length() -> None:
    lengths = {len(record.value) for record in yardstick._records(1_000)}

    assert lengths == {yardstick.RECORD_BYTES}


def test_faust_counts_every_record(core: int) -> None:
    assert yardstick.record_us(core, 300) > 0


def test_one_that_ends_before_it_has_counted_them_says_so(core: int) -> None:
    yardstick.DIRECTORY.mkdir()

    with pytest.raises(SystemExit, match=r"ended before it had counted 1 records: .*port"):
        yardstick._counted("127.0.0.1:port", core, 1)
