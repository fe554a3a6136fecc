"""`switchboard api` serves what is stored to those who have a token, which it makes as well."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from schemas.settings import load_settings
from streams.api.tokens import digest_of
from tests.support.command_line import SWITCHBOARD, environment, switchboard


def test_a_new_token_is_shown_once_with_the_lines_that_make_it_known(tmp_path: Path) -> None:
    done = switchboard("api", "token", "--tenant", "acme", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip()
    assert token not in done.stderr
    (tmp_path / "first.toml").write_text(done.stderr[done.stderr.index("[api]") :])
    settings = load_settings(tmp_path / "first.toml")
    assert settings.api.tokens == {digest_of(token): "acme"}
    # A second one keeps the first.
    arguments = ("api", "token", "--tenant", "globex", "--config", tmp_path / "first.toml")
    again = switchboard(*arguments, cwd=tmp_path)
    (tmp_path / "second.toml").write_text(again.stderr[again.stderr.index("[api]") :])
    tokens = load_settings(tmp_path / "second.toml").api.tokens
    assert tokens == {digest_of(token): "acme", digest_of(again.stdout.strip()): "globex"}


def test_without_a_token_nothing_is_served(processed_once: Path, tmp_path: Path) -> None:
    done = switchboard("api", "--data", processed_once, cwd=tmp_path)
    assert done.returncode == 2
    assert "switchboard api token" in done.stderr


@contextmanager
def served(data: Path, cwd: Path, token: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command, serving on a free port; its address."""
    settings = {
        "SWITCHBOARD_API__PORT": "0",
        "SWITCHBOARD_API__TOKENS": json.dumps({digest_of(token): "default"}),
    }
    process = subprocess.Popen(
        [SWITCHBOARD, "api", "--data", data],
        cwd=cwd,
        env=environment(settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        address = None
        for line in process.stderr:
            if address := re.search(r"API at (http://\S+)", line):
                break
        assert address is not None, f"it ended with {process.wait(30)}"
        yield address[1], process
    finally:
        process.kill()
        process.wait(30)


def test_it_serves_what_is_stored_until_it_is_told_to_stop(
    processed_once: Path, tmp_path: Path, sample: Path
) -> None:
    lines = (line.split("|") for line in sample.read_text().splitlines())
    caller = next(f[6] for f in lines if f[4] == "ENTERQUEUE" and f[6].isdigit())
    with served(processed_once, tmp_path, "secret") as (address, process):
        url = f"{address}/customers/{caller}"
        with urlopen(Request(url, headers={"Authorization": "Bearer secret"})) as answer:  # noqa: S310
            assert json.load(answer)["identifiers"] == [f"phone:{caller}"]
        with pytest.raises(HTTPError, match="401"):
            urlopen(url)  # noqa: S310
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
