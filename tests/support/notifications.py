"""The shipped rules and routes with nothing to wait for, and a webhook that they reach."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "dashboards/prometheus"
SOON = "1s"


class Receiver:
    """A webhook that people would be told by; keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.at: list[float] = []
        """When each came, by `time.time`."""
        kept, at = self.sent, self.at

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                at.append(time.time())
                kept.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of(self, alertname: str, status: str) -> list[dict[str, Any]]:
        """Notifications of that status with an alert of that name."""
        return [
            n
            for n in self.sent
            if n["status"] == status
            and alertname in {alert["labels"]["alertname"] for alert in n["alerts"]}
        ]

    def courses(self) -> dict[tuple[str, str], list[str]]:
        """What was told of each alert, by its name and severity: its statuses, repeats left out."""
        found: dict[tuple[str, str], list[str]] = {}
        for alert in (alert for n in self.sent for alert in n["alerts"]):
            labels = alert["labels"]
            course = found.setdefault((labels["alertname"], labels["severity"]), [])
            if course[-1:] != [alert["status"]]:
                course.append(alert["status"])
        return found

    def all_over(self) -> bool:
        """Whether the end was told of every alert that was told."""
        return all(course[-1] == "resolved" for course in self.courses().values())


def hurried(directory: Path) -> list[Path]:
    """The shipped rules, with nothing to wait for."""
    written = []
    for file in sorted((PROMETHEUS / "rules").glob("*.yml")):
        rules = yaml.safe_load(file.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                rule |= {key: SOON for key in ("for", "keep_firing_for") if key in rule}
        copy = directory / file.name
        copy.write_text(yaml.safe_dump(rules))
        written.append(copy)
    return written


def as_shipped() -> tuple[list[Path], str]:
    """The shipped rules, and how often Prometheus scrapes and judges."""
    intervals = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]
    assert intervals["scrape_interval"] == intervals["evaluation_interval"]
    return sorted((PROMETHEUS / "rules").glob("*.yml")), intervals["scrape_interval"]


def routed_to(
    receiver: Receiver, *, at_once: bool = True, group_interval: str = SOON
) -> dict[str, Any]:
    """The shipped routes to one webhook; at once, or when they say.

    What joins a group that was told of already waits for `group_interval`.
    """
    shipped = ROOT / "dashboards/alertmanager/alertmanager.yml"
    configuration: dict[str, Any] = yaml.safe_load(shipped.read_text())
    if at_once:
        configuration["route"] |= {"group_wait": SOON, "group_interval": group_interval}
    for one in configuration["receivers"]:
        one["webhook_configs"] = [{"url": receiver.url, "send_resolved": True}]
    return configuration
