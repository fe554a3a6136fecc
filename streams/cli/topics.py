"""`switchboard topics`: the broker's topics, made and compared. Changes none that is there."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import typer
from rich.table import Table
from rich.text import Text

from schemas.settings import Settings
from streams.broker_admin import Security
from streams.cli.options import (
    BrokerOption,
    ConfigOption,
    Format,
    FormatOption,
    err,
    log_to_stderr,
    out,
    settings_with_broker,
)
from streams.parts import create_all_topics
from streams.topic_admin import Difference, TopicResult, compare_topics, topic_specs

app = typer.Typer(no_args_is_help=True, help="Create the broker's topics, or list how they are.")

_NUMBERS: Final = ("partitions", "replication")
_STYLES: Final = {"created": "green", "exists": "", "differs": "yellow", "missing": "red"}


@app.command("create")
def create(
    broker: BrokerOption = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Create the topics that are missing; tell how the others differ, and leave them as they are.

    `switchboard topics create --broker localhost:9092`

    Running it again changes nothing. Partitions, replication and retention are those of
    `[broker]` in the configuration.
    """
    settings = _settings(broker, config)
    with err.status(f"Asking the broker at {settings.broker.url}"):
        security = Security.of(settings.broker)
        results = create_all_topics(settings, settings.broker.url, security)
    _print(results, settings, output)


@app.command("list")
def list_topics(
    broker: BrokerOption = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List the topics that Switchboard needs: which are there, and how they differ.

    `switchboard topics list --format json`
    """
    settings = _settings(broker, config)
    with err.status(f"Asking the broker at {settings.broker.url}"):
        security = Security.of(settings.broker)
        specs = topic_specs(settings.broker)
        results = compare_topics(settings.broker.url, specs, security=security)
    _print(results, settings, output)


def differences(results: Sequence[TopicResult]) -> Iterator[tuple[str, str]]:
    """What differs, topics that differ alike in one text, and what to do about it."""
    topics_of: dict[Difference, list[str]] = {}
    for result in results:
        for difference in result.differences:
            topics_of.setdefault(difference, []).append(result.name)
    for difference, topics in topics_of.items():
        found = (
            f"{difference.setting} is {difference.found}, should be {difference.wanted}:"
            f" {', '.join(topics)}"
        )
        yield found, _what_to_do(difference)


def _what_to_do(difference: Difference) -> str:
    if difference.setting == "partitions":
        return (
            "more partitions move contacts to other ones: add them while no contact is open"
            f" (kafka-topics.sh --alter --topic NAME --partitions {difference.wanted}), or set"
            f" broker.partitions to {difference.found}; fewer need a new topic"
        )
    if difference.setting == "replication":
        return (
            "add copies by kafka-reassign-partitions.sh, or set broker.replication to"
            f" {difference.found}"
        )
    return (
        "kafka-configs.sh --alter --entity-type topics --entity-name NAME"
        f" --add-config {difference.setting}={difference.wanted}"
    )


def _settings(broker: str | None, config: Path | None) -> Settings:
    log_to_stderr(verbose=False)
    return settings_with_broker(broker, config)


def _print(results: Sequence[TopicResult], settings: Settings, output: Format) -> None:
    if output is Format.JSON:
        out.print_json(json.dumps([asdict(result) for result in results]))
        return
    wanted = {spec.name: spec for spec in topic_specs(settings.broker)}
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("topic", "state", "partitions", "replication"):
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left")
    for result in results:
        found = {d.setting: d.found for d in result.differences}
        spec = wanted[result.name]
        there = result.outcome != "missing"
        table.add_row(
            result.name,
            Text(result.outcome, style=_STYLES[result.outcome]),
            found.get("partitions", str(spec.partitions)) if there else "",
            found.get("replication", str(spec.replication)) if there else "",
        )
    out.print(table)
    for what, advice in differences(results):
        out.print(Text(f"{what}\n  → {advice}"))
    if any(result.outcome == "missing" for result in results):
        out.print("Create the missing ones with `switchboard topics create`.")
