"""`switchboard api`: the HTTP API as a process of its own; `api token`: a new token for it."""

import json
import logging
import signal
import threading

import typer

from schemas.settings import Settings
from streams.api.tokens import digest_of, new_token
from streams.cli.options import (
    ConfigOption,
    DataOption,
    TenantOption,
    VerboseOption,
    err,
    log_to_stderr,
    out,
    settings_of,
)
from streams.cli.reading import store_to_read

app = typer.Typer(invoke_without_command=True)


@app.callback()
def api(
    context: typer.Context,
    config: ConfigOption = None,
    data: DataOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Serve the HTTP API about customers until SIGTERM or Ctrl-C.

    For installations with a ClickHouse server: as many of these as are needed. With the embedded
    engine `switchboard run` serves it, for only one process can open the engine's files; this
    command then serves what is there while no worker runs.

    `switchboard api token` makes a token; without any, nobody may ask. The contract is at
    `/openapi.json`.
    """
    if context.invoked_subcommand is not None:
        return
    log_to_stderr(verbose, level=logging.INFO)
    settings = settings_of(config, data)
    if not settings.api.tokens:
        raise typer.BadParameter(
            "no token is configured, so nobody could ask: `switchboard api token` makes one",
            param_hint="api.tokens",
        )
    serve(settings)


def serve(settings: Settings) -> None:
    """Serve until the first SIGTERM or SIGINT."""
    from streams.api.server import serving_api

    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    with store_to_read(settings) as store, serving_api(settings, store) as address:
        err.print(f"API at http://{address}")
        told_to_stop.wait()


@app.command()
def token(
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
) -> None:
    """Make a token for one tenant, and show the lines by which it becomes known.

    `switchboard api token --tenant acme`

    The token is shown once and kept nowhere. The configuration holds only its hash; without the
    line, after a restart, the token is void.
    """
    settings = settings_of(config, data, tenant)
    made = new_token()
    known = {**settings.api.tokens, digest_of(made): settings.tenant}
    err.print(f"A token for tenant {settings.tenant!r}. It is shown this once:", markup=False)
    out.print(made, soft_wrap=True, markup=False)
    err.print("\nIt is known by these lines of the configuration, after a restart:\n")
    listed = ", ".join(f'"{digest}" = {json.dumps(name)}' for digest, name in known.items())
    err.print(f"[api]\ntokens = {{ {listed} }}", soft_wrap=True, markup=False)
