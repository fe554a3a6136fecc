"""`switchboard alerts`: tell webhooks of breaches, also once more; make the secret of one."""

import asyncio
import base64
import logging
import secrets
import signal
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from schemas.settings import Settings
from schemas.webhooks import SECRET_PREFIX
from sinks.metrics import Metrics
from streams.broker_admin import Security
from streams.cli.options import (
    BrokerOption,
    ConfigOption,
    DataOption,
    VerboseOption,
    err,
    log_to_stderr,
    out,
    settings_with_broker,
)
from streams.http import serving

app = typer.Typer(no_args_is_help=True, help="Tell webhooks when a queue breaches its target.")


@app.command()
def deliver(
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    serve: Annotated[
        bool, typer.Option(help="Serve /healthz and /metrics where [http] says.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Deliver every breach to the configured webhooks, until SIGTERM or Ctrl-C.

    Reads the topic `queue.breaches` and needs nothing else of Switchboard: run one, or several for
    one to take over from another. Every webhook gets every breach at least once, signed, with an id
    that stays the same; what cannot be delivered is set aside on `queue.breaches.undelivered`.
    """
    log_to_stderr(verbose, level=logging.INFO)
    settings = _with_webhooks(broker, config, data)
    err.print(f"Delivering breaches to {', '.join(settings.webhooks.urls)}", markup=False)
    asyncio.run(_deliver(settings, serve=serve))


@app.command()
def redeliver(
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Deliver what was set aside for the configured webhooks up to now, and end.

    For when a receiver is well again. What it still does not take is set aside once more.
    """
    log_to_stderr(verbose, level=logging.INFO)
    asyncio.run(_deliver(_with_webhooks(broker, config, data), again=True))


def _with_webhooks(broker: str | None, config: Path | None, data: Path | None) -> Settings:
    settings = settings_with_broker(broker, config, data)
    if not settings.webhooks.urls:
        raise typer.BadParameter(
            "no webhook is configured, so nobody would be told: name one under [webhooks]",
            param_hint="webhooks.urls",
        )
    return settings


class _Running:
    """How a process is that ends when it fails: well, while it answers."""

    def not_ready(self) -> str:
        """It is."""
        return ""

    def failure(self) -> str:
        """None."""
        return ""

    def show_queues(self) -> None:
        """There are none here."""


async def _deliver(settings: Settings, *, serve: bool = False, again: bool = False) -> None:
    from streams.webhooks.deliver import Delivery, Endpoint

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    webhooks, broker = settings.webhooks, settings.broker
    metrics = Metrics()

    def counted(name: str, outcome: str) -> None:
        metrics.webhook_messages.labels(name, outcome).inc()

    deliveries = [
        Delivery(
            Endpoint(
                name,
                url,
                webhooks.secrets[name].get_secret_value(),
                webhooks.timeout_seconds,
                webhooks.retry_seconds,
                webhooks.tenants.get(name, ()),
            ),
            broker.url,
            broker.group,
            stop,
            Security.of(broker).producer_options(),
            partial(counted, name),
        )
        for name, url in webhooks.urls.items()
    ]
    try:
        async with AsyncExitStack() as beside:
            if serve:
                address = await beside.enter_async_context(
                    serving(settings.http, _Running(), metrics)
                )
                err.print(f"health and metrics at http://{address}")
            async with asyncio.TaskGroup() as group:
                for delivery in deliveries:
                    group.create_task(delivery.run_again() if again else delivery.run())
    except* KafkaError as broken:
        raise typer.BadParameter(
            f"the broker at {broker.url} cannot be used ({broken.exceptions[0]})",
            param_hint="broker.url",
        ) from broken
    for name, delivery in zip(webhooks.urls, deliveries, strict=True):
        err.print(f"{name}: {delivery.delivered} delivered, {delivery.set_aside} set aside")


@app.command()
def secret() -> None:
    """Make a secret for a webhook: give it to its receiver, and to `[webhooks] secrets`."""
    out.print(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode(), markup=False)
