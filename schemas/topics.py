"""Topic names and what each carries. Pure constants.

`CHANNEL_OF` maps a topic of interactions to the channel it stands for; the channel is not repeated
in each event.
"""

from typing import Final

EVENTS_CALL: Final = "events.call"
EVENTS_CHAT: Final = "events.chat"
EVENTS_EMAIL: Final = "events.email"
EVENTS_SOCIAL: Final = "events.social"
EVENTS_AGENT: Final = "events.agent"
EVENTS_CUSTOMER: Final = "events.customer"
EVENTS_DEAD_LETTER: Final = "events.dead_letter"
EVENTS_LATE: Final = "events.late"
KPI_PANES: Final = "kpi.panes"
QUEUE_BREACHES: Final = "queue.breaches"
QUEUE_BREACHES_UNDELIVERED: Final = "queue.breaches.undelivered"
IDENTITY_LINKS: Final = "identity.links"
INTERACTIONS_CLOSED: Final = "interactions.closed"

CHANNEL_OF: Final[dict[str, str]] = {
    EVENTS_CALL: "call",
    EVENTS_CHAT: "chat",
    EVENTS_EMAIL: "email",
    EVENTS_SOCIAL: "social",
}

SOURCE_TOPICS: Final[tuple[str, ...]] = (*CHANNEL_OF, EVENTS_AGENT, EVENTS_CUSTOMER)
"""What stage 1 reads."""

FOLDED_TOPICS: Final[tuple[str, ...]] = (*SOURCE_TOPICS, IDENTITY_LINKS, KPI_PANES)
"""What a worker reads: the sources, what identifiers say to each other, and partials of queues."""

DERIVED_TOPICS: Final[tuple[str, ...]] = (
    EVENTS_DEAD_LETTER,
    EVENTS_LATE,
    KPI_PANES,
    QUEUE_BREACHES,
    QUEUE_BREACHES_UNDELIVERED,
    IDENTITY_LINKS,
    INTERACTIONS_CLOSED,
)
