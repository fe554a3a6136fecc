"""`switchboard doctor`: what is reachable, at which version, what is wrong, and what to do."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

import typer
from rich.text import Text

from schemas.settings import SettingsError
from sinks.status import StoredProgress
from streams.cli import checks_broker, checks_machine, checks_store
from streams.cli.checks import Check, Finding, Status, examined, problem
from streams.cli.options import (
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    TenantOption,
    err,
    log_to_stderr,
    out,
    settings_of,
)

_STYLES: Final = {Status.OK: "green", Status.WARNING: "yellow", Status.PROBLEM: "bold red"}
_STATUS_WIDTH: Final = max(len(status) for status in Status)
_CHECK_WIDTH: Final = 18
_ADVICE_STORE: Final = (
    "see that it runs, and that clickhouse.url, user and password are right; a `switchboard run` or"
    " `process` on the same data directory holds the embedded engine while it lasts"
)
_ADVICE_BROKER: Final = (
    "see that it runs, advertises the address of broker.url, and that no firewall is between"
)


def doctor(
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Examine the installation, one line a check, with what to do where something is wrong.

    `switchboard doctor --config /etc/switchboard/switchboard.toml`

    Changes nothing, and ends even where servers do not answer. Exits with 1 if there is a problem;
    warnings alone are no failure.
    """
    log_to_stderr(verbose=False)
    findings = []
    for finding in _findings(config, data, tenant):
        findings.append(finding)
        if output is Format.TABLE:
            _print(finding)
    if output is Format.JSON:
        out.print_json(json.dumps([asdict(finding) for finding in findings]))
    if any(finding.status is Status.PROBLEM for finding in findings):
        raise typer.Exit(1)


def _findings(config: Path | None, data: Path | None, tenant: str | None) -> Iterator[Finding]:
    try:
        settings = settings_of(config, data, tenant)
    except SettingsError as error:
        for wrong in error.problems:
            yield problem("configuration", str(wrong), "")
        return
    progress: list[StoredProgress] = []
    checks: list[tuple[str, Check, str]] = [
        ("configuration", lambda: checks_machine.configuration(config), ""),
        ("data directory", lambda: checks_machine.data_directory(settings), ""),
        ("open files", checks_machine.open_files, ""),
    ]
    if settings.clickhouse.embedded:
        checks.append(("embedded engine", checks_machine.embedded_engine, ""))
    checks.append(("ClickHouse", lambda: checks_store.store(settings, progress), _ADVICE_STORE))
    if settings.broker.embedded:
        checks.append(("embedded broker", checks_machine.embedded_broker, ""))
    else:
        checks.append(("broker", lambda: checks_broker.broker(settings), _ADVICE_BROKER))
        retention = partial(checks_broker.retention, settings, progress)
        checks.append(("retention", retention, _ADVICE_BROKER))
    checks.append(("clock", lambda: checks_broker.broker_clock(progress), ""))
    for name, check, advice in checks:
        with err.status(f"Checking: {name}"):
            found = list(examined(name, check, advice))
        yield from found


def _print(finding: Finding) -> None:
    line = Text.assemble(
        (f"{finding.status:<{_STATUS_WIDTH}}  ", _STYLES[finding.status]),
        f"{finding.check:<{_CHECK_WIDTH}}  {finding.found}",
    )
    if finding.advice:
        line.append(f" → {finding.advice}", "bold")
    out.print(line, soft_wrap=True)
