"""Every command explains itself; mistakes are named; errors reach people whole."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from schemas.settings import SettingsError
from streams.cli.errors import FORESEEN
from streams.cli.main import app
from tests.support.command_line import switchboard


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    context = typer.Context(command)
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from commands(command.get_command(context, name), (*path, name))


EVERY = sorted(commands(typer.main.get_command(app)))


def test_the_commands_of_the_issue_are_there() -> None:
    assert {path[0] for path in EVERY if path} >= {
        "process", "run", "ingest", "kpis", "interaction", "topics", "migrate", "doctor",
    }  # fmt: skip


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    assert "Usage:" in done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_the_installed_command_tells_its_version(tmp_path: Path) -> None:
    done = switchboard("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"switchboard {version('switchboard')}\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["kpis", "--from", "yesterday"], "--from"),
        (["kpis", "--cohort", "answered"], "--cohort"),
        (["kpis", "--target", "-1"], "--target"),
        (["kpis", "--format", "xml"], "--format"),
        (["interaction"], "ID"),
        (["process", "asterisk-queue-log"], "FILE"),
        (["topics", "list"], "--broker"),
        (["nonsense"], "nonsense"),
    ],
)
def test_a_bad_argument_is_named(arguments: list[str], named: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert named in done.output


def test_an_error_about_a_bracketed_place_is_not_taken_for_markup(tmp_path: Path) -> None:
    (tmp_path / "switchboard.toml").write_text("[clickhouse]\nurl = '[bold]'\n")
    done = switchboard("kpis", cwd=tmp_path)
    assert done.returncode == 1
    assert "[bold]" in done.stderr
    assert "Traceback" not in done.stderr


def test_foreseen_errors_are_no_general_ones() -> None:
    assert SettingsError in FORESEEN
    assert not {Exception, OSError, ValueError, RuntimeError, LookupError} & set(FORESEEN)
