"""The errors that a person can do something about, of every part of the program."""

from typing import Final

from gateway.publish import PublishError
from gateway.ticket_csv import TicketCsvError
from schemas.settings import SettingsError
from sinks.checkpoints import CheckpointsUnreadable, EpochContested
from sinks.errors import StoreError
from sinks.kpis.catalogue import UnknownKpi
from sinks.kpis.intervals import KpiQueryError
from sinks.migrate import MigrationError
from streams.api.server import ApiNotServed
from streams.broker_admin import TopicAdminError
from streams.cli.options import NothingFound
from streams.embedded import EmbeddedBrokerError
from streams.erasure import ErasureImpossible
from streams.takeover import LogTruncated
from streams.timeline.reader import CustomerUnknown

FORESEEN: Final = (
    SettingsError,
    StoreError,
    MigrationError,
    CheckpointsUnreadable,
    EpochContested,
    TopicAdminError,
    LogTruncated,
    EmbeddedBrokerError,
    ApiNotServed,
    PublishError,
    KpiQueryError,
    UnknownKpi,
    CustomerUnknown,
    NothingFound,
    TicketCsvError,
    ErasureImpossible,
    FileNotFoundError,
    PermissionError,
)
"""Errors whose message tells a person what to do. Others are bugs: they show a traceback."""
