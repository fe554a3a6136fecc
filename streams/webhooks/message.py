"""What a webhook is sent: a breach as a message of Standard Webhooks. Pure.

Source: the Standard Webhooks specification, https://www.standardwebhooks.com.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from standardwebhooks import Webhook

from schemas.live import BreachNotice


class UnreadableNotice(ValueError):
    """A record that is no breach notice; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is the same however often it is sent: a receiver keeps one of each."""

    id: str
    tenant: str
    body: str


def message_of(record: bytes) -> Message:
    """The message about a record of `queue.breaches`.

    Raises:
        UnreadableNotice: it is none.
    """
    try:
        notice = BreachNotice.model_validate_json(record)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise UnreadableNotice(f"{where}: {first['msg']}".lstrip(": ")) from error
    document = notice.model_dump(mode="json")
    body = {
        "type": f"queue.breach.{notice.change}",
        "timestamp": document["at"],
        "data": document,
    }
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Message(f"{notice.breach_id}.{notice.change}", notice.tenant, text)


def signed_headers(message: Message, secret: str, now: datetime) -> dict[str, str]:
    """The headers of one attempt at `now` (aware): receivers refuse old ones.

    The signature covers the id, the time of the attempt and the body.
    """
    return {
        "Content-Type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message.id, now, message.body),
    }
