"""What the centre's systems tell: canonical events, not yet encoded. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from schemas.cloudevents import encode
from schemas.events import Data
from schemas.topics import CHANNEL_OF, EVENTS_AGENT, EVENTS_CUSTOMER
from simulator.settings import Source

TOPIC_OF: Final = {channel: topic for topic, channel in CHANNEL_OF.items()}
SOURCE_OF: Final[dict[str, Source]] = {
    "events.call": "pbx",
    "events.chat": "chat",
    "events.email": "mail",
    "events.social": "social",
    EVENTS_AGENT: "desk",
    EVENTS_CUSTOMER: "crm",
}
"""Which of the centre's systems tells what goes to a topic."""


class Told(NamedTuple):
    """One event. `at` is in milliseconds since the simulation began."""

    at: int
    serial: int
    topic: str
    type: str
    subject: str
    data: Data


class Encoded(NamedTuple):
    """One event as it goes to the broker, under the key `subject`.

    `due_at` says when it goes there, in milliseconds since the simulation began: when it happened,
    unless a fault holds it up.
    """

    due_at: int
    topic: str
    subject: str
    value: bytes


class Encoder:
    """Encodes what one simulation tells. `run` names it, so that two never share an id."""

    def __init__(self, started_at: datetime, run: str, tenant: str = "default") -> None:
        self._started_at = started_at.astimezone(UTC)
        self._tenant = tenant
        self._sources = {topic: f"simulated/{run}/{s}" for topic, s in SOURCE_OF.items()}

    def encode(self, told: Told, skew_ms: int = 0) -> Encoded:
        """The event; `skew_ms` is how far the clock of its source is ahead."""
        value = encode(
            told.type,
            id=str(told.serial),
            source=self._sources[told.topic],
            time=self._started_at + timedelta(milliseconds=told.at + skew_ms),
            subject=told.subject,
            data=told.data,
            tenant=self._tenant,
        )
        return Encoded(told.at, told.topic, told.subject, value)

    def source_of(self, topic: str) -> Source:
        """Which of the centre's systems tells what goes to `topic`."""
        return SOURCE_OF[topic]
