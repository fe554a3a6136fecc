"""Prometheus and Alertmanager load what is shipped, and every rule fires when it should."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sinks.metrics import Metrics
from sinks.queue_metrics import QueueCollector
from tests.support.prometheus import tool

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs/runbook.md"
PROMETHEUS = ROOT / "dashboards/prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULES: list[dict[str, Any]] = [
    rule
    for file in RULE_FILES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
]
EXPRESSIONS: list[str] = [
    rule["expr"]
    for file in RULE_FILES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
ALERTMANAGER = ROOT / "dashboards/alertmanager"


PIPELINE_RULES: list[dict[str, Any]] = [
    rule for rule in RULES if rule["labels"]["scope"] == "pipeline"
]


def run(program: str, *arguments: str) -> str:
    """Run a tool of Prometheus, from the PATH or from where tests/support/tools.sh puts it."""
    done = subprocess.run([tool(program), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_loads_its_configuration() -> None:
    run("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))


@pytest.mark.parametrize("name", ["alertmanager.yml", "samples.yml"])
def test_alertmanager_loads_its_configuration_and_the_samples(name: str) -> None:
    run("amtool", "check-config", str(ALERTMANAGER / name))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=SwitchboardLongWait scope=queue severity=critical queue=a", "people"),
        ("alertname=SwitchboardAbsent scope=pipeline severity=critical", "people"),
        ("alertname=SwitchboardServiceLevelMissed scope=queue severity=info queue=a", "tickets"),
    ],
)
def test_alerts_reach_their_receiver(labels: str, receiver: str) -> None:
    file = f"--config.file={ALERTMANAGER / 'alertmanager.yml'}"
    assert run("amtool", "config", "routes", "test", file, *labels.split()).strip() == receiver


def test_rules_fire_when_they_should_and_only_then() -> None:
    run("promtool", "test", "rules", str(Path(__file__).parent / "pipeline_rules_test.yml"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_rule_tells_a_person_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Switchboard")
    if "severity" in rule["labels"]:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    else:
        assert re.search(r"queue_threshold|queue_breaches_open", rule["expr"]), "has its own"
    assert rule["labels"]["scope"] in {"queue", "pipeline"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}


def test_every_section_of_the_runbook_has_its_alert() -> None:
    headings = re.findall(r"^## (Switchboard\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sorted(headings) == sorted({rule["alert"] for rule in RULES})


@pytest.mark.parametrize("rule", PIPELINE_RULES, ids=lambda rule: str(rule["alert"]))
def test_every_rule_is_tested_firing_and_not(rule: dict[str, Any]) -> None:
    cases = yaml.safe_load((Path(__file__).parent / "pipeline_rules_test.yml").read_text())["tests"]
    checks = [c for t in cases for c in t["alert_rule_test"] if c["alertname"] == rule["alert"]]
    assert any(check["exp_alerts"] for check in checks)
    assert any(not check["exp_alerts"] for check in checks)


def test_rules_ask_only_for_metrics_that_exist() -> None:
    asked = {name for text in EXPRESSIONS for name in re.findall(r"switchboard_\w+", text)}
    collectors = (Metrics().registry, QueueCollector(lambda: ()))
    exported = {
        f"{family.name}{'_total' if family.type == 'counter' else ''}"
        for collector in collectors
        for family in collector.collect()
    }
    assert asked
    assert asked <= exported


def test_rules_ask_only_for_records_that_are_made() -> None:
    recorded = {
        rule["record"]
        for file in RULE_FILES
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    asked = {name for text in EXPRESSIONS for name in re.findall(r"switchboard:[\w:]+", text)}
    assert asked == recorded
