"""`switchboard alerts`: tell webhooks of breaches; make the secret of one."""

import asyncio
import base64
import logging
import secrets
import signal

import typer
from aiokafka.errors import KafkaError

from schemas.settings import Settings
from schemas.webhooks import SECRET_PREFIX
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

app = typer.Typer(no_args_is_help=True, help="Tell webhooks when a queue breaches its target.")


@app.command()
def deliver(
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Deliver every breach to the configured webhooks, until SIGTERM or Ctrl-C.

    Reads the topic `queue.breaches` and needs nothing else of Switchboard: run one, or several for
    one to take over from another. Every webhook gets every breach at least once, signed, with an id
    that stays the same; what cannot be delivered is set aside on `queue.breaches.undelivered`.
    """
    log_to_stderr(verbose, level=logging.INFO)
    settings = settings_with_broker(broker, config, data)
    if not settings.webhooks.urls:
        raise typer.BadParameter(
            "no webhook is configured, so nobody would be told: name one under [webhooks]",
            param_hint="webhooks.urls",
        )
    asyncio.run(_deliver(settings))


async def _deliver(settings: Settings) -> None:
    from streams.webhooks.deliver import Delivery, Endpoint

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    webhooks, broker = settings.webhooks, settings.broker
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
        )
        for name, url in webhooks.urls.items()
    ]
    err.print(f"Delivering breaches to {', '.join(webhooks.urls)}", markup=False)
    try:
        async with asyncio.TaskGroup() as group:
            for delivery in deliveries:
                group.create_task(delivery.run())
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
