"""What the topics of dead letters and late events carry beside the events themselves. Pure.

A record on `events.dead_letter` is the original one (key, value, headers) with the headers named
here after its own, so the last of a name is ours. A record on `events.late` is a `LateNotice` under
the subject as its key, with `x-topic`, `x-partition`, `x-offset` and `x-log`.

Both are published at least once: after a crash a worker publishes again what it had published since
its last checkpoint. Topic, partition, offset and log together name a record once and for all, so
whoever reads keeps one of each. (Rows of a table that the store refused share the offset of their
version: their key tells them apart.)
"""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

X_TOPIC: Final = "x-topic"
"""Topic that the record lay on; `TABLE (table)` for a row that the store refused."""
X_PARTITION: Final = "x-partition"
"""Its partition, in decimal digits."""
X_OFFSET: Final = "x-offset"
"""Its offset, in decimal digits."""
X_LOG: Final = "x-log"
"""Identity of the topic's incarnation that the offset counts in."""
X_REASON: Final = "x-reason"
"""Why the record was set aside, for counting: `unknown_type`, `refused_by_store`, …"""
X_ERROR_PATH: Final = "x-error-path"
"""Where in the document the fault lies, as `data.queue`; empty for the whole of it."""
X_ERROR: Final = "x-error"
"""What is wrong, for a person."""
X_REPLAY_OF: Final = "x-replay-of"
"""On a source topic: the name (`place_name`) of the dead letter that the record is a replay of."""


def place_name(topic: str, partition: int, offset: int, log: str) -> str:
    """The name of a record: `events.call/3/1042/LOG`."""
    return f"{topic}/{partition}/{offset}/{log}"


class LateNotice(BaseModel):
    """An event beyond its source's lateness. The event itself lies at `offset` of its source topic.

    Where it was applied it lies in `events` too, and counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: str
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)
    log: str
    tenant: str
    subject: str
    type: str
    occurred_at: datetime
    """When it happened, as it counts: an event ahead of the broker's clock is held back to it."""
    watermark_at: datetime
    """The time that its source had come to, less the lateness allowed."""
    applied: bool
    """Whether what it is about was known still, and took it up."""
