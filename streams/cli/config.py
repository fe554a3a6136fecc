"""`switchboard config`: the settings that hold, and what can be set."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from schemas.reference import render_configuration, render_example
from schemas.settings import DEFAULT_FILE, configuration_file
from streams.cli.options import (
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    TenantOption,
    err,
    out,
    settings_of,
)

app = typer.Typer(no_args_is_help=True, help="The settings that hold, and what can be set.")


@app.command("show")
def show(
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show every setting that holds, of file, environment and defaults together.

    `SWITCHBOARD_BROKER__PARTITIONS=16 switchboard config show`

    Passwords are not shown.
    """
    settings = settings_of(config, data, tenant)
    shape = settings.model_dump(mode="json", exclude_none=True)
    if output is Format.JSON:
        out.print_json(json.dumps(shape))
        return
    file = configuration_file(config)
    err.print(f"read from {file}" if file else f"no {DEFAULT_FILE} here: defaults", markup=False)
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for key, value in _flat(shape):
        table.add_row(Text(key), Text(json.dumps(value, ensure_ascii=False)))
    out.print(table)


@app.command("reference")
def reference() -> None:
    """Print the reference of all settings, in Markdown: key, default, what it takes, meaning."""
    typer.echo(render_configuration(), nl=False)


@app.command("example")
def example() -> None:
    """Print a configuration file with every setting at its default.

    `switchboard config example > switchboard.toml`
    """
    typer.echo(render_example(), nl=False)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
