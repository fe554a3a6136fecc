"""Prometheus and Alertmanager for tests: Debian's programs, with short intervals."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn, Self, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from streams.child_process import ChildProcess

HOST: Final = "127.0.0.1"
ROOT: Final = Path(__file__).parents[2]
TEMPLATES: Final = Path("/usr/share/prometheus/alertmanager/default.tmpl")
"""Where Debian's Alertmanager looks for them, wherever the program itself is."""
DEADLINE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05
_LISTENS: Final = re.compile(r'msg="Listening on" address=(\S+)\n')


def tool(program: str) -> str:
    """Where a tool of Prometheus is; skips the test where it is not, and fails it in CI."""
    local = ROOT / "build/tools/usr/bin" / program
    found = str(local) if local.exists() else shutil.which(program)
    if found is None:
        _unavailable(program)
    return found


def _unavailable(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}: not installed; tests/support/tools.sh fetches it")
    pytest.skip(f"{what}: not installed; tests/support/tools.sh says how")


T = TypeVar("T")


def wait_until(found: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """What `found` returns as soon as it is something; fails by name after the deadline."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(POLL_SECONDS)
    return result


def _get(url: str, parameters: Mapping[str, str] | None = None) -> Any:
    query = f"?{urlencode(parameters)}" if parameters else ""
    with urlopen(url + query, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


class _Server:
    """A program that serves HTTP on a port of its own until the context ends.

    It takes a port that is free as it starts, and says which: one chosen for it might be somebody
    else's by then.
    """

    def __init__(self, name: str, arguments: Sequence[str], directory: Path) -> None:
        log = directory / f"{name}.log"
        self._said_before = len(log.read_text()) if log.exists() else 0
        chosen = (*arguments, f"--web.listen-address={HOST}:0")
        self._child = ChildProcess(chosen, log_path=log)
        try:
            self.address = wait_until(self._listens_at, f"{name} to listen")
            wait_until(self._ready, f"{name} to be ready")
        except Exception as error:
            said = self._child.log_tail()
            self._child.kill()
            raise RuntimeError(f"{name} did not start:\n{said}") from error

    def _listens_at(self) -> str:
        if not self._child.running:
            raise RuntimeError("it has ended")
        found = _LISTENS.search(self._child.log_path.read_text()[self._said_before :])
        return found[1] if found else ""

    def _ready(self) -> bool:
        with suppress(HTTPError), urlopen(f"http://{self.address}/-/ready", timeout=10):
            return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()


class Prometheus(_Server):
    """Scrapes `targets` as the job `switchboard`, and applies the rules of `rule_files`."""

    def __init__(
        self,
        directory: Path,
        targets: Sequence[str],
        *,
        rule_files: Sequence[Path] = (),
        alertmanager: str = "",
        interval: str = "200ms",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        configuration: dict[str, Any] = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(path) for path in rule_files],
            "scrape_configs": [
                {"job_name": "switchboard", "static_configs": [{"targets": list(targets)}]}
            ],
        }
        if alertmanager:
            configuration["alerting"] = {
                "alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]
            }
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(configuration))
        arguments = (
            tool("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / 'data'}",
            # An alert is over if nothing is heard of it for four times as long.
            "--rules.alert.resend-delay=5s",
        )
        super().__init__("prometheus", arguments, directory)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now."""
        answer = _get(f"http://{self.address}/api/v1/query", {"query": expression})
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def moments(self, expression: str, begin: float, end: float, step: float) -> list[float]:
        """At which moments, of those `step` seconds apart, an expression had a sample.

        Of one series: two would be counted as one.
        """
        asked = {"query": expression, "start": str(begin), "end": str(end), "step": str(step)}
        answer = _get(f"http://{self.address}/api/v1/query_range", asked)
        return sorted({at for series in answer["data"]["result"] for at, _ in series["values"]})

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts that are pending or firing."""
        result: list[dict[str, Any]] = _get(f"http://{self.address}/api/v1/alerts")["data"][
            "alerts"
        ]
        return result


class Alertmanager(_Server):
    """Routes what it is sent, as a configuration says."""

    def __init__(self, directory: Path, configuration: Mapping[str, Any]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        program = tool("prometheus-alertmanager")
        if Path(program).is_relative_to(ROOT) and not TEMPLATES.exists():
            _unavailable("the templates of Debian's prometheus-alertmanager")
        file = directory / "alertmanager.yml"
        file.write_text(yaml.safe_dump(dict(configuration)))
        arguments = (
            program,
            f"--config.file={file}",
            f"--storage.path={directory / 'alertmanager'}",
            "--cluster.listen-address=",
        )
        super().__init__("alertmanager", arguments, directory)

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts it knows, with the state in which it holds them."""
        result: list[dict[str, Any]] = _get(f"http://{self.address}/api/v2/alerts")
        return result
