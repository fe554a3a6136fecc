"""The parts a command works with, opened from the settings: a broker's address and a store.

Embedded parts are started here and end with the context. I/O: child process, network, files under
`data_dir`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.queues import QueueSettings
from schemas.rows import QueueSettingRow
from schemas.settings import Settings
from sinks.kpis.views import views
from sinks.migrate import migrate
from sinks.store import Store, open_store
from streams.identity.normalise import Identifiers

# Kafka's clients take half a second to import: commands that only read the store do without them.
if TYPE_CHECKING:
    from streams.broker_admin import Security
    from streams.topic_admin import TopicResult

ANSWER_TIMEOUT_SECONDS: Final = 60
"""How long one answer of a ClickHouse server may take."""


@contextmanager
def opened_store(
    settings: Settings, *, timeout_seconds: int = ANSWER_TIMEOUT_SECONDS
) -> Iterator[Store]:
    """ClickHouse as configured; the embedded engine keeps its files in `data_dir/clickhouse`."""
    clickhouse = settings.clickhouse
    with open_store(
        clickhouse.url,
        path=store_directory(settings),
        user=clickhouse.user,
        password=clickhouse.password.get_secret_value(),
        database=clickhouse.database,
        timeout_seconds=timeout_seconds,
    ) as store:
        yield store


def store_directory(settings: Settings) -> Path:
    """Where the embedded engine keeps its files; there is none before it was first opened."""
    return settings.data_dir / "clickhouse"


@contextmanager
def opened_broker(settings: Settings) -> Iterator[str]:
    """The broker's address; the embedded one is started, and stopped at the end."""
    if not settings.broker.embedded:
        yield settings.broker.url
        return
    from streams.embedded import EmbeddedBroker

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with EmbeddedBroker(settings.data_dir) as broker:
        yield broker.bootstrap


def create_all_topics(
    settings: Settings, bootstrap: str, security: "Security"
) -> "list[TopicResult]":
    """Create every topic that is missing; see `streams.topic_admin.create_topics`."""
    from streams.topic_admin import create_topics, topic_specs

    specs = topic_specs(settings.broker)
    return list(create_topics(bootstrap, specs, security=security))


def migrate_all(store: Store, settings: Settings) -> list[str]:
    """Tables, retention, queue settings and views as this program and these settings want them."""
    return migrate(
        store,
        retention_days={
            table: days or None
            for table, days in settings.clickhouse.retention_days.model_dump().items()
        },
        queue_settings=queue_setting_rows(settings),
        views=views(settings),
        cluster=settings.clickhouse.cluster,
    )


def identifiers_of(settings: Settings) -> Identifiers:
    """How identifiers are written, from the settings."""
    identity = settings.identity
    return Identifiers(
        identity.region,
        identity.regions,
        frozenset(identity.blocked),
        identity.shortest_phone_digits,
        {
            tenant: key.get_secret_value().encode()
            for tenant, key in identity.pseudonym_keys.items()
        },
    )


def queue_setting_rows(settings: Settings) -> list[QueueSettingRow]:
    """What the views should know of queues: each named one, and the default under ""."""
    default = settings.queue("")
    named = {"": default} | {name: settings.queue(name) for name in settings.named_queues}
    return [_setting_row(settings.tenant, name, queue) for name, queue in named.items()]


def _setting_row(tenant: str, name: str, queue: QueueSettings) -> QueueSettingRow:
    return QueueSettingRow(
        tenant=tenant,
        queue=name,
        target_ms=round(queue.target_seconds * 1000),
        target_ratio=queue.target_ratio,
        short_abandon_ms=round(queue.short_abandon_seconds * 1000),
        service_level_preset=queue.service_level_preset,
        timezone=queue.timezone,
        business_minutes=queue.business_minutes,
        version=0,
        is_deleted=0,
    )
