"""What commands share: options, settings that come of them, consoles, the error of finding none."""

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler

from schemas.settings import Settings, load_settings


class NothingFound(Exception):
    """What was asked for is not in the store; the message says what is, or how it gets there."""


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="SWITCHBOARD_CONFIG",
        help="Configuration file (TOML); without it `switchboard.toml` here, if there is one.",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Directory for everything kept on this machine [default: data]."),
]
TenantOption = Annotated[
    str | None, typer.Option("--tenant", help="Tenant whose contacts these are.")
]
BrokerOption = Annotated[
    str | None,
    typer.Option(
        "--broker",
        metavar="HOST:PORT",
        help="Address of the broker, where it is not the configured one.",
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="`table` to read, `json` to pipe.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show what happens inside, on standard error.")
]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def settings_of(
    config: Path | None, data: Path | None = None, tenant: str | None = None, **more: Any
) -> Settings:
    """The settings of a command: file, environment, then its options."""
    overrides: dict[str, Any] = dict(more)
    if data is not None:
        overrides["data_dir"] = str(data)
    if tenant is not None:
        overrides["tenant"] = tenant
    return load_settings(config, overrides)


def settings_with_broker(
    broker: str | None,
    config: Path | None,
    data: Path | None = None,
    tenant: str | None = None,
) -> Settings:
    """The settings of a command that needs a broker which is already running.

    Raises:
        typer.BadParameter: none is named; the embedded one belongs to the command that starts it.
    """
    more = {} if broker is None else {"broker": {"url": broker}}
    settings = settings_of(config, data, tenant, **more)
    if settings.broker.embedded:
        raise typer.BadParameter(
            "no broker is named: the embedded one belongs to `switchboard run`, which makes its"
            " topics and prints its address. Give an address, or configure broker.url.",
            param_hint="--broker",
        )
    return settings


def log_to_stderr(verbose: bool, *, level: int = logging.WARNING) -> None:
    """Send the program's own log, and the worst of its libraries', to standard error."""
    handler = RichHandler(console=err, show_path=False, log_time_format="%H:%M:%S")
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s", force=True)
    own = logging.DEBUG if verbose else level
    for name in ("streams", "sinks", "gateway", "schemas"):
        logging.getLogger(name).setLevel(own)
    # Both report as errors what a rebalance or a shutdown does every time.
    for name in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(name).setLevel(logging.WARNING if verbose else logging.CRITICAL)
