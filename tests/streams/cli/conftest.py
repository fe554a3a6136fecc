"""One processed data directory for all tests of commands, made by the command itself."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import switchboard

SAMPLE = Path(__file__).parents[3] / "samples" / "queue_log.txt"

Json = Callable[..., Any]


@pytest.fixture(scope="session")
def sample() -> Path:
    """The queue_log that the project ships."""
    return SAMPLE


@pytest.fixture(scope="session")
def processed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, processed; not to be changed."""
    data = tmp_path_factory.mktemp("cli") / "data"
    done = switchboard("process", "asterisk-queue-log", SAMPLE, "--data", data, cwd=data.parent)
    assert done.returncode == 0, done.stderr
    return data


@pytest.fixture
def processed(processed_once: Path, tmp_path: Path) -> Path:
    """A copy of it, of the test's own."""
    return Path(shutil.copytree(processed_once, tmp_path / "data", symlinks=True))


@pytest.fixture
def answer(processed_once: Path, tmp_path: Path) -> Json:
    """Runs a command on the processed sample with `--format json`; what it said, decoded."""

    def ask(*arguments: str | Path) -> Any:
        done = switchboard(*arguments, "--format", "json", "--data", processed_once, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask
