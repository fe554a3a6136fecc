"""A Faust app set up as the pipeline needs it, from the settings. Touches nothing."""

from typing import Any, Final

import faust
from aiokafka.helpers import create_ssl_context
from yarl import URL

from schemas.settings import Settings
from streams.broker_admin import Security

MAX_POLL_RECORDS: Final = 2_000
BUFFERED_CHUNKS: Final = 8
NEVER_SECONDS: Final = 20 * 86_400.0
"""Longer than any outage is waited for; in milliseconds it still fits into 31 bits."""
REBALANCE_SECONDS: Final = 60.0
"""How long the group waits for a worker that gives its partitions up; the worker bounds what it
does then by half its session."""

METADATA_SECONDS: Final = 5.0
"""How soon a worker hears of partitions and topics that came or went. Where nothing is left to
fetch nothing else tells it."""


def faust_app(settings: Settings, bootstrap: str, security: Security) -> faust.App:
    """The app, without agents and with Faust's own transport."""
    session = settings.broker.session_seconds
    return faust.App(
        settings.broker.group,
        broker=[URL(f"kafka://{address}") for address in bootstrap.split(",")],
        broker_credentials=_credentials(security),
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 4,
        broker_rebalance_timeout=max(REBALANCE_SECONDS, session),
        broker_request_timeout=max(90.0, session * 2),
        # While ClickHouse is away the worker keeps its partitions, however long it reads nothing.
        broker_max_poll_interval=NEVER_SECONDS,
        broker_max_poll_records=MAX_POLL_RECORDS,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=round(METADATA_SECONDS * 1000),
        # Counted in chunks.
        stream_buffer_maxsize=BUFFERED_CHUNKS,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        store="memory://",
        datadir=str(settings.data_dir / "faust"),
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


def _credentials(security: Security) -> Any:
    context = create_ssl_context(cafile=security.ca_file) if "SSL" in security.protocol else None
    if security.protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=security.username,
            password=security.password,
            mechanism=security.mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context=context)
