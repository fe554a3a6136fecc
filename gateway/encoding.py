"""Canonical events as structured JSON, defaults left out. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from schemas.events import Data


def encode(
    event_type: str,
    *,
    id: str,  # noqa: A002 - the attribute's name
    source: str,
    time: datetime,
    subject: str,
    tenant: str,
    data: Data,
) -> bytes:
    """One CloudEvent in structured mode."""
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": event_type,
        "time": time,
        "subject": subject,
    }
    if tenant != "default":
        envelope["tenant"] = tenant
    envelope["data"] = data.model_dump(exclude_defaults=True)
    return msgspec.json.encode(envelope)
