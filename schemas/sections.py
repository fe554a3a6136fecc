"""The sections of the configuration beside queues. Pure; imports pydantic and `schemas.queues`."""

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from schemas.queues import Section

EMBEDDED: Final = "embedded"
EMBEDDED_SESSION_SECONDS: Final = 6.0
"""The embedded broker takes half a session timeout to let a worker join."""
KAFKA_SESSION_SECONDS: Final = 45.0

Retention = Annotated[float, Field(ge=0, le=36_500)]
"""Days; 0 keeps for ever."""


def _broker_url(url: str) -> str:
    if url != EMBEDDED:
        for address in url.split(","):
            found = re.fullmatch(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):([0-9]{1,5})", address)
            if found is None or not 0 < int(found[1]) < 65536:
                raise ValueError('"embedded", or host:port, several with commas between')
    return url


def _clickhouse_url(url: str) -> str:
    if url != EMBEDDED:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
        plain = (parts.path in ("", "/")) and not (parts.query or parts.fragment or parts.username)
        if parts.scheme not in ("http", "https") or not parts.hostname or not port or not plain:
            raise ValueError(
                '"embedded", or http(s)://host:port (user and password have settings of their own)'
            )
    return url


class BrokerSettings(Section):
    """Where events come from."""

    url: Annotated[str, AfterValidator(_broker_url)] = EMBEDDED
    """`embedded`, or a Kafka cluster: `host:port`, several with commas between. The embedded broker
    forgets its topics when it stops."""
    partitions: int = Field(default=4, ge=1, le=10_000)
    """Partitions of each topic that is created; as many workers can share the load."""
    replication: int = Field(default=1, ge=1, le=15)
    """Copies of each topic that is created; 3 where nothing may be lost with one broker."""
    retention_days: Retention = 7
    """How long the broker keeps records, in days; 0 keeps them for ever. Must be longer than any
    outage that is to be recovered from."""
    group: str = Field(default="switchboard", min_length=1, max_length=128)
    """Consumer group: one for each installation."""
    session_timeout_seconds: float | None = Field(default=None, ge=6, le=1800)
    """How long a silent worker keeps its partitions. Without it 6 with the embedded broker, 45 with
    a cluster."""
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Security protocol, in Kafka's words."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """SASL mechanism; needed with a SASL protocol."""
    username: str | None = None
    """SASL user."""
    password: SecretStr | None = None
    """SASL password. Better given as `SWITCHBOARD_BROKER__PASSWORD` than written into a file."""
    ca_file: str | None = None
    """PEM file of the authorities to trust; without it the system's."""

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> "BrokerSettings":
        needed = {n: getattr(self, n) for n in ("mechanism", "username", "password")}
        missing = [name for name, value in needed.items() if value is None]
        if self.protocol.startswith("SASL") and missing:
            raise ValueError(f"protocol {self.protocol} also needs {', '.join(missing)}")
        return self

    @property
    def embedded(self) -> bool:
        """Whether the worker starts its own broker."""
        return self.url == EMBEDDED

    @property
    def session_seconds(self) -> float:
        """The session timeout that holds."""
        if self.session_timeout_seconds is not None:
            return self.session_timeout_seconds
        return EMBEDDED_SESSION_SECONDS if self.embedded else KAFKA_SESSION_SECONDS


class TableRetention(Section):
    """Days for which each table keeps its rows, counted by the rows' own time; 0 keeps for ever.

    Old logs read for the first time are old: with a retention shorter than their age their rows
    vanish at once.
    """

    events: Retention = 0
    """Events as they came: by far the largest table."""
    event_facts: Retention = 0
    """What events say beside the course of a contact: surveys, menus, self-service, campaigns."""
    agent_states: Retention = 0
    """Changes of agents' states."""
    interactions: Retention = 0
    """One row a contact."""
    customer_interactions: Retention = 0
    """The way from customers to their contacts."""
    kpi_panes: Retention = 0
    """Counts by queue and ten seconds."""
    agent_panes: Retention = 0
    """Counts by agent and five minutes."""
    conversation_panes: Retention = 0
    """Responses and resolutions by queue and ten seconds."""
    dead_letters: Retention = 0
    """Records that could not be read or stored."""
    late_events: Retention = 0
    """Events that came after their horizon."""


class ClickHouseSettings(Section):
    """Where results go."""

    url: Annotated[str, AfterValidator(_clickhouse_url)] = EMBEDDED
    """`embedded` (in the worker's own process, files in `data_dir`), or `http(s)://host:port`."""
    user: str = "default"
    """User of the server."""
    password: SecretStr = SecretStr("")
    """Its password. Better given as `SWITCHBOARD_CLICKHOUSE__PASSWORD` than written into a file."""
    database: str = Field(default="switchboard", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)
    """Database of all tables and views; created where it is missing."""
    cluster: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=64)
    """Name of a ClickHouse cluster; with it tables are replicated and distributed."""
    retention_days: TableRetention = TableRetention()
    """How long rows are kept, by table."""

    @property
    def embedded(self) -> bool:
        """Whether the engine runs in the worker's process."""
        return self.url == EMBEDDED


class HorizonSettings(Section):
    """Silence after which an open contact is presumed lost, in seconds, by channel.

    It is reopened if it speaks again.
    """

    call: float = Field(default=7_200, gt=0)
    """Calls: two hours."""
    chat: float = Field(default=43_200, gt=0)
    """Chats: twelve hours."""
    email: float = Field(default=2_592_000, gt=0)
    """E-mail: thirty days."""
    social: float = Field(default=604_800, gt=0)
    """Messages on social networks: seven days."""


class ProcessingSettings(Section):
    """How events become results."""

    lateness_seconds: float = Field(default=3_600, ge=0, le=31_536_000)
    """How far events of one partition may be out of order. A pane is final once event time has
    passed its end by this much; what comes later still corrects it, and is counted as late."""
    horizon_seconds: HorizonSettings = HorizonSettings()
    """When silent contacts are presumed lost."""
    flush_rows: int = Field(default=200_000, ge=1, le=1_000_000)
    """Rows of all tables after which a block is written. Each block costs one insert a table, and
    each insert some ten milliseconds, whatever its size."""
    flush_seconds: float = Field(default=1.0, gt=0, le=60)
    """Time after which a block is written, however small."""
    checkpoint_seconds: float = Field(default=10, gt=0, le=3_600)
    """Time between checkpoints: what is replayed after a crash. Longer, up to a minute more, where
    states are so large that writing them would take more than a fiftieth of the time."""
    checkpoint_events: int = Field(default=500_000, ge=1)
    """Events after which a checkpoint is written, if that is sooner."""
    buffer_bytes: int = Field(default=268_435_456, ge=1_048_576)
    """Memory for rows that wait for ClickHouse; reading pauses when it is full."""
    stall_seconds: float = Field(default=60, gt=0, le=3_600)
    """How long a partition may stand still while its log goes on, before the worker says that it is
    not ready. After half of it the partition is read again from where it stands."""
    max_skew_seconds: float = Field(default=300, gt=0)
    """How far an event's time may be ahead of the broker's; more is a wrong clock, is counted, and
    does not move event time."""
    idle_partition_seconds: float = Field(default=60, gt=0)
    """Silence, in the broker's time, after which a partition no longer holds back the others'."""


class HttpSettings(Section):
    """The worker's own web server: health and metrics."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on; 0.0.0.0 to be reached from elsewhere, as in a container."""
    port: int = Field(default=8_080, ge=0, le=65_535)
    """Port to listen on; 0 takes any that is free."""
