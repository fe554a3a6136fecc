"""The errors that a person can do something about, and those that only commands raise."""

from typing import Final

from gateway.publish import PublishError
from schemas.settings import SettingsError
from sinks.checkpoints import CheckpointsUnreadable, EpochContested
from sinks.errors import StoreError
from sinks.kpis.catalogue import UnknownKpi
from sinks.kpis.query import KpiQueryError
from sinks.migrate import MigrationError
from streams.broker_admin import TopicAdminError
from streams.embedded import EmbeddedBrokerError


class NothingFound(Exception):
    """What was asked for is not in the store; the message says what is, or how it gets there."""


FORESEEN: Final = (
    SettingsError,
    StoreError,
    MigrationError,
    CheckpointsUnreadable,
    EpochContested,
    TopicAdminError,
    EmbeddedBrokerError,
    PublishError,
    KpiQueryError,
    UnknownKpi,
    NothingFound,
    FileNotFoundError,
    PermissionError,
)
"""Errors whose message tells a person what to do. Others are bugs: they show a traceback."""
