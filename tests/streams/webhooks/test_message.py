"""Messages keep their id, say all of the notice, and are signed as receivers check it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from schemas.live import BreachNotice
from streams.webhooks.message import UnreadableNotice, message_of, signed_headers

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoaXMgdGVzdCBhbG9uZSwgMzIgYnl0"


def notice(change: str = "opened") -> bytes:
    return (
        BreachNotice(
            breach_id="b-1",
            change=change,
            tenant="acme",
            queue="Grüße, größte",
            kpi="waiting",
            severity="critical",
            window="",
            value=12,
            threshold=10,
            opened_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
            at=datetime(2026, 3, 2, 9, 0, 5, tzinfo=UTC),
            closed_because="",
            interactions=("call-1", "call-2"),
        )
        .model_dump_json()
        .encode()
    )


def test_a_message_says_all_of_the_notice_under_an_id_that_stays() -> None:
    message = message_of(notice())
    assert message == message_of(notice())
    assert message.id == "b-1.opened"
    assert message_of(notice("closed")).id == "b-1.closed"
    body = json.loads(message.body)
    assert body["type"] == "queue.breach.opened"
    assert body["timestamp"] == "2026-03-02T09:00:05Z"
    assert body["data"] == json.loads(notice())


def test_receivers_can_check_who_sent_it() -> None:
    message = message_of(notice())
    headers = signed_headers(message, SECRET, datetime.now(UTC))
    assert Webhook(SECRET).verify(message.body, headers) == json.loads(message.body)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(message.body.replace("12", "13"), headers)
    old = signed_headers(message, SECRET, datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(SECRET).verify(message.body, old)


@pytest.mark.parametrize("record", [b"", b"{", b"[]", notice().replace(b'"value"', b'"other"')])
def test_what_is_no_notice_is_refused_with_the_place(record: bytes) -> None:
    with pytest.raises(UnreadableNotice, match=r"\w"):
        message_of(record)
