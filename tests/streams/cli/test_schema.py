"""`switchboard schema` and `switchboard config` print what the code defines."""

import json
from pathlib import Path

from typer.testing import CliRunner

from schemas.jsonschema import schemas
from schemas.reference import render_configuration
from streams.cli.main import app


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_what_is_written_is_current_until_it_is_changed(tmp_path: Path) -> None:
    directory = tmp_path / "schemas"
    assert run("schema", "write", directory)[0] == 0
    assert {path.name for path in directory.iterdir()} == {name for name, _ in schemas()}
    assert run("schema", "check", directory)[0] == 0
    (directory / "queue_settings.json").write_text("{}")
    code, said = run("schema", "check", directory)
    assert code == 1
    assert "queue_settings.json differs" in said.replace("\n", "")


def test_a_directory_with_other_json_files_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "package.json"
    other.write_text("{}")
    assert run("schema", "write", tmp_path)[0] == 2
    assert list(tmp_path.iterdir()) == [other]


def test_settings_are_shown_without_passwords(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[clickhouse]\npassword = 'hush'\n[broker]\npartitions = 7\n")
    code, said = run("config", "show", "--config", config, "--format", "json")
    assert code == 0
    assert json.loads(said)["broker"]["partitions"] == 7
    assert "hush" not in said


def test_the_reference_is_the_generated_one() -> None:
    assert run("config", "reference") == (0, render_configuration())
