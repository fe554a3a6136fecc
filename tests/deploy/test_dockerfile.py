"""The image runs without rights, from locked requirements, and knows whether it is well."""

import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def arguments(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for instruction, rest in instructions if instruction == name]


def test_the_base_is_pinned_to_a_patch(instructions: list[tuple[str, str]]) -> None:
    stages = arguments(instructions, "FROM")
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+ AS base", stages[0])
    assert len(stages) == 3
    assert all(stage.split()[0] == "base" for stage in stages[1:])


def test_it_does_not_run_as_root(instructions: list[tuple[str, str]]) -> None:
    last_stage = max(i for i, (name, _) in enumerate(instructions) if name == "FROM")
    users = [rest for name, rest in instructions[last_stage:] if name == "USER"]
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0])
    after = instructions.index(("USER", users[0]))
    assert not [name for name, _ in instructions[after:] if name in {"RUN", "COPY", "ADD"}]


def test_only_locked_requirements_are_installed(instructions: list[tuple[str, str]]) -> None:
    commands = [part for run in arguments(instructions, "RUN") for part in run.split("&&")]
    installs = [command for command in commands if "pip" in command]
    assert len(installs) == 5
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command, command


def test_it_tells_whether_it_is_well(instructions: list[tuple[str, str]]) -> None:
    assert len(arguments(instructions, "HEALTHCHECK")) == 1
    assert arguments(instructions, "ENTRYPOINT") == ['["switchboard"]']


def test_all_that_is_copied_exists_and_is_let_through(instructions: list[tuple[str, str]]) -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copies = [rest.split() for rest in arguments(instructions, "COPY") if "--from" not in rest]
    sources = {source for copy in copies for source in copy[:-1]}
    assert sources == allowed
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_the_health_check_says_what_the_worker_says(status: int | None, code: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/healthz"
            assert status is not None
            self.send_response(status)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False) as server:
        server.server_bind()
        port = server.server_port
        if status is not None:  # a port that nobody listens at is not anybody else's either
            server.server_activate()
            threading.Thread(target=server.serve_forever, daemon=True).start()
        done = subprocess.run(
            [sys.executable, str(ROOT / "deploy/healthcheck.py")],
            env={**os.environ, "SWITCHBOARD_HTTP__PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )
        if status is not None:
            server.shutdown()
    assert done.returncode == code
    assert (str(port) in done.stderr) == (code != 0)
