"""`switchboard doctor`: what is reachable, at which version, what is wrong, and what to do."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from schemas.settings import SettingsError
from sinks.status import StoredProgress
from streams.cli import checks_broker, checks_machine, checks_store
from streams.cli.checks import ANSWER_SECONDS, Check, Finding, Status, examined, problem
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
_TIMEOUTS_OF_A_CHECK: Final = 3
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
    timeout: Annotated[
        int, typer.Option(min=1, help="Seconds that a server may take for one answer.")
    ] = ANSWER_SECONDS,
    output: FormatOption = Format.TABLE,
) -> None:
    """Examine the installation, one line a check, with what to do where something is wrong.

    `switchboard doctor --config /etc/switchboard/switchboard.toml`

    Changes nothing, and ends even where servers do not answer. Exits with 1 if there is a problem;
    warnings alone are no failure.
    """
    log_to_stderr(verbose=False)
    findings = []
    for finding in _findings(config, data, tenant, timeout):
        findings.append(finding)
        if output is Format.TABLE:
            _print(finding)
    if output is Format.JSON:
        out.print_json(json.dumps([asdict(finding) for finding in findings]))
    if any(finding.status is Status.PROBLEM for finding in findings):
        raise typer.Exit(1)


def _findings(
    config: Path | None, data: Path | None, tenant: str | None, timeout: int
) -> Iterator[Finding]:
    try:
        settings = settings_of(config, data, tenant)
    except SettingsError as error:
        for wrong in error.problems:
            yield problem("configuration", str(wrong), "")
        return
    progress: list[StoredProgress] = []
    yield from _examined("configuration", lambda: checks_machine.configuration(config))
    yield from _examined("data directory", lambda: checks_machine.data_directory(settings))
    yield from _examined("open files", checks_machine.open_files)
    if settings.clickhouse.embedded:
        yield from _examined("embedded engine", checks_machine.embedded_engine)
    store = partial(checks_store.store, settings, progress, timeout)
    yield from _examined("ClickHouse", store, _ADVICE_STORE, timeout)
    if settings.broker.embedded:
        embedded = partial(checks_machine.embedded_broker, timeout)
        yield from _examined("embedded broker", embedded, timeout=timeout)
    else:
        broker = partial(checks_broker.broker, settings, timeout)
        found = list(_examined("broker", broker, _ADVICE_BROKER, timeout))
        yield from found
        if not any(finding.status is Status.PROBLEM for finding in found):
            retention = partial(checks_broker.retention, settings, progress, timeout)
            yield from _examined("retention", retention, _ADVICE_BROKER, timeout)
    yield from _examined("clock", lambda: checks_broker.broker_clock(progress))


def _examined(
    name: str, check: Check, advice: str = "", timeout: int = ANSWER_SECONDS
) -> list[Finding]:
    """A check's findings, with a sign of life meanwhile. Its deadline leaves its timeouts room:
    their messages say more.
    """
    with err.status(f"Checking: {name}"):
        return list(examined(name, check, advice, _TIMEOUTS_OF_A_CHECK * timeout))


def _print(finding: Finding) -> None:
    line = Text.assemble(
        (f"{finding.status:<{_STATUS_WIDTH}}  ", _STYLES[finding.status]),
        f"{finding.check:<{_CHECK_WIDTH}}  {finding.found}",
    )
    if finding.advice:
        line.append(f" → {finding.advice}", "bold")
    out.print(line, soft_wrap=True)
