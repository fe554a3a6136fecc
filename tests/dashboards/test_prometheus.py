"""Prometheus and Alertmanager load what is shipped, and every rule fires when it should."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sinks.metrics import Metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "dashboards/prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULES: list[dict[str, Any]] = [
    rule
    for file in RULE_FILES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]


def run(program: str, *arguments: str) -> None:
    """Run a tool of Prometheus, from the PATH or from where tests/support/tools.sh puts it."""
    local = ROOT / "build/tools/usr/bin" / program
    found = shutil.which(program) or (str(local) if local.exists() else None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{program} is not installed: tests/support/tools.sh fetches it")
        pytest.skip(f"{program} is not installed: tests/support/tools.sh says how")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_loads_its_configuration() -> None:
    run("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))


def test_alertmanager_loads_its_configuration() -> None:
    run("amtool", "check-config", str(ROOT / "dashboards/alertmanager/alertmanager.yml"))


def test_rules_fire_when_they_should_and_only_then() -> None:
    run("promtool", "test", "rules", str(Path(__file__).parent / "pipeline_rules_test.yml"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_rule_tells_a_person_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Switchboard")
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_rule_is_tested_firing_and_not(rule: dict[str, Any]) -> None:
    cases = yaml.safe_load((Path(__file__).parent / "pipeline_rules_test.yml").read_text())["tests"]
    checks = [c for t in cases for c in t["alert_rule_test"] if c["alertname"] == rule["alert"]]
    assert any(check["exp_alerts"] for check in checks)
    assert any(not check["exp_alerts"] for check in checks)


def test_rules_ask_only_for_metrics_that_exist() -> None:
    asked = {name for rule in RULES for name in re.findall(r"switchboard_\w+", rule["expr"])}
    exported = {
        f"{family.name}{'_total' if family.type == 'counter' else ''}"
        for family in Metrics().registry.collect()
    }
    assert asked
    assert asked <= exported
