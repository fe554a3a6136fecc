"""Cases for `promtool test rules` on the rules about queues. Writes them, and runs the tool.

Series are written by segments of seconds.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.prometheus import tool

ROOT = Path(__file__).parents[2]
RULES = ROOT / "dashboards/prometheus/rules/queues.yml"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
STEP = 5
WHERE = {"tenant": "acme", "queue": "support"}
Segments = Sequence[tuple[int, float | None]]
"""(seconds, value), one after the other; None: the series is not there."""


def samples(segments: Segments, since_now: bool = False) -> str:
    """Promtool's notation; with `since_now` the values are how long ago an instant was."""
    told: list[str] = []
    for seconds, value in segments:
        for _ in range(seconds // STEP):
            if value is None:
                told.append("_" if told and told[-1] in ("_", "stale") else "stale")
            else:
                told.append(f"{len(told) * STEP - value if since_now else value:g}")
    return " ".join(told)


def series(
    name: str, segments: Segments, since_now: bool = False, /, **labels: str
) -> dict[str, str]:
    """One series of the queue."""
    named = ", ".join(f"{key}={json.dumps(value)}" for key, value in (WHERE | labels).items())
    return {"series": f"switchboard_{name}{{{named}}}", "values": samples(segments, since_now)}


def queue(segments: Segments, current: float = 1, is_open: float = 1) -> list[dict[str, str]]:
    """What is known of the queue itself, wherever `segments` have a value."""
    there = [(seconds, None if value is None else current) for seconds, value in segments]
    hours = [(seconds, None if value is None else is_open) for seconds, value in segments]
    return [series("queue_current", there), series("queue_open", hours)]


def fired(alert: str, labels: Mapping[str, str], summary: str, description: str) -> dict[str, Any]:
    return {
        "exp_labels": {**WHERE, "scope": "queue", **labels},
        "exp_annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": f"docs/runbook.md#{alert.lower()}",
        },
    }


def check(alert: str, second: int, *expected: dict[str, Any]) -> dict[str, Any]:
    return {"eval_time": f"{second}s", "alertname": alert, "exp_alerts": list(expected)}


def case(
    name: str, given: Sequence[dict[str, str]], *checks: dict[str, Any], step: str = f"{STEP}s"
) -> dict[str, Any]:
    return {
        "name": name,
        "interval": step,
        "input_series": list(given),
        "alert_rule_test": list(checks),
    }


def promtool(directory: Path, cases: Sequence[dict[str, Any]], every: str = f"{STEP}s") -> None:
    """Run the cases; every rule is evaluated in all of them."""
    file = directory / "rules_test.yml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": every, "tests": list(cases)}
    file.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [tool("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
