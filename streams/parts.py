"""The parts a command works with, opened from the settings: a broker's address and a store.

Embedded parts are started here and end with the context. I/O: child process, network, files under
`data_dir`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.queues import QueueSettings
from schemas.rows import QueueSettingRow
from schemas.sections import ClickHouseSettings
from schemas.settings import Settings
from sinks.kpis.views import views
from sinks.migrate import migrate
from sinks.store import Store, open_store
from streams.broker_admin import Security
from streams.embedded import EmbeddedBroker
from streams.topic_admin import TopicResult, create_topics, topic_specs

STORE_DIRECTORY = "clickhouse"


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """ClickHouse as configured; the embedded engine keeps its files in `data_dir/clickhouse`."""
    with _open(settings.clickhouse, settings.data_dir) as store:
        yield store


def _open(clickhouse: ClickHouseSettings, data_dir: Path) -> Store:
    return open_store(
        clickhouse.url,
        path=data_dir / STORE_DIRECTORY,
        user=clickhouse.user,
        password=clickhouse.password.get_secret_value(),
        database=clickhouse.database,
    )


@contextmanager
def opened_broker(settings: Settings) -> Iterator[str]:
    """The broker's address; the embedded one is started, and stopped at the end."""
    if not settings.broker.embedded:
        yield settings.broker.url
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with EmbeddedBroker(settings.data_dir) as broker:
        yield broker.bootstrap


def create_all_topics(settings: Settings, bootstrap: str, security: Security) -> list[TopicResult]:
    """Create every topic that is missing; see `streams.topic_admin.create_topics`."""
    specs = topic_specs(settings.broker)
    return list(create_topics(bootstrap, specs, security=security))


def migrate_all(store: Store, settings: Settings) -> list[str]:
    """Tables, retention, queue settings and views as this program and these settings want them."""
    default = settings.queue("")
    named = {"": default} | {name: settings.queue(name) for name in settings.named_queues}
    return migrate(
        store,
        retention_days={
            table: days or None
            for table, days in settings.clickhouse.retention_days.model_dump().items()
        },
        queue_settings=[_setting_row(settings.tenant, n, q) for n, q in named.items()],
        views=views(settings),
        cluster=settings.clickhouse.cluster,
    )


def _setting_row(tenant: str, name: str, queue: QueueSettings) -> QueueSettingRow:
    return QueueSettingRow(
        tenant=tenant,
        queue=name,
        target_ms=round(queue.target_seconds * 1000),
        target_ratio=queue.target_ratio,
        short_abandon_ms=round(queue.short_abandon_seconds * 1000),
        service_level_preset=queue.service_level_preset,
        timezone=queue.timezone,
        version=0,
        is_deleted=0,
    )
