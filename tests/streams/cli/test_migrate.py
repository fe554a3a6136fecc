"""`switchboard migrate` takes configured settings over, once."""

import json
from pathlib import Path

from tests.support.command_line import switchboard


def test_again_there_is_nothing_to_do(processed: Path, tmp_path: Path) -> None:
    done = switchboard("migrate", "--data", processed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout


def test_a_new_target_reaches_the_store_once(processed: Path, tmp_path: Path) -> None:
    (tmp_path / "switchboard.toml").write_text("[queues.sales]\ntarget_seconds = 30\n")
    command = ("migrate", "--format", "json", "--data", processed)
    first, second = (switchboard(*command, cwd=tmp_path) for _ in range(2))
    assert json.loads(first.stdout)["changed"] == ["settings of queue sales"]
    assert json.loads(second.stdout)["changed"] == []


def test_an_empty_directory_becomes_a_store(tmp_path: Path) -> None:
    done = switchboard("migrate", "--data", "new", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "migration 0001_tables" in json.loads(done.stdout)["changed"]
