"""Mails become messages of their threads; automatic ones are recognised, bad ones are refused."""

import json
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mail import (
    Mail,
    UnreadableMail,
    identity_of,
    mail_of_message,
    mail_of_postmark,
    records_of,
)
from schemas.decode import Event, Rejected, decode
from schemas.topics import EVENTS_EMAIL

REAL = Path(__file__).parents[3] / "shared" / "data"
OURS = ("desk@centre.com", "@agents.centre.com")


def parsed(text: str) -> EmailMessage:
    return message_from_string(text, policy=policy.default)


def mail(body: str = "Hello", /, **headers: str) -> Mail:
    """From a customer to the desk, unless said otherwise; `_` stands for `-`."""
    standard = {
        "From": "Ada L <Ada@x.org>",
        "To": "desk@centre.com",
        "Date": "Mon, 2 Mar 2026 10:00:00 +0100",
        "Message-ID": "<1@x.org>",
        "Subject": "Order 7",
    }
    given_ = standard | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\n" for name, value in given_.items() if value)
    return mail_of_message(parsed(f"{lines}\n{body}"))


def told(*mails: Mail) -> list[Event]:
    found = []
    for record in records_of(mails, OURS):
        event = decode(record.value)
        assert not isinstance(event, Rejected), event
        assert record.topic == EVENTS_EMAIL
        assert record.key == event.subject.encode()
        found.append(event)
    return found


ANSWER: dict[str, str] = {
    "From": "Bob <bob@agents.centre.com>",
    "To": "ada@x.org",
    "Date": "Mon, 2 Mar 2026 09:30:00 +0000",
    "Message_ID": "<2@centre.com>",
    "In_Reply_To": "<1@x.org>",
}


def test_a_thread_is_one_interaction_that_its_first_mail_begins() -> None:
    started, asked, answered = told(mail(**ANSWER), mail("Where is it?\n> quoted\n"))
    assert {started.subject, asked.subject, answered.subject} == {"1@x.org"}
    assert [started.type, asked.type, answered.type] == [
        "interaction.started",
        "message.received",
        "message.sent",
    ]
    assert started.data.direction == "inbound"
    (identifier,) = started.data.customer.identifiers
    assert (identifier.kind, identifier.value) == ("email", "ada@x.org")
    assert started.data.customer.name == "Ada L"
    assert asked.time.isoformat() == "2026-03-02T09:00:00+00:00"
    assert (asked.id, asked.data.text, asked.data.automatic) == ("1@x.org", "Where is it?", False)
    assert (answered.data.author, answered.data.agent) == ("agent", "bob@agents.centre.com")
    assert answered.data.in_reply_to == asked.id


def test_the_same_mail_twice_is_one() -> None:
    assert [event.id for event in told(mail(), mail())] == ["1@x.org/start", "1@x.org"]


def test_who_writes_first_from_the_centre_begins_outbound() -> None:
    started, _ = told(mail(From="desk@centre.com", To="desk@centre.com, eve@x.org"))
    assert (started.data.direction, started.data.agent) == ("outbound", "desk@centre.com")
    assert [i.value for i in started.data.customer.identifiers] == ["eve@x.org"]


@pytest.mark.parametrize(
    ("headers", "from_others", "from_us"),
    [
        ({}, False, False),
        ({"Auto_Submitted": "no"}, False, False),
        ({"Auto_Submitted": "auto-replied (vacation)"}, True, True),
        ({"Auto_Submitted": "Auto-Generated; x=y"}, True, True),
        ({"Return_Path": "<>"}, True, True),
        ({"Content_Type": 'multipart/report; boundary="b"'}, True, True),
        ({"Precedence": "bulk"}, True, False),
        ({"Precedence": "first-class"}, False, False),
        ({"X_Auto_Response_Suppress": "OOF, AutoReply"}, True, False),
        ({"X_Auto_Response_Suppress": "None"}, False, False),
        ({"X_Autoreply": "yes"}, True, False),
    ],
)
def test_automatic_mail_says_so(headers: dict[str, str], from_others: bool, from_us: bool) -> None:
    (_, received) = told(mail(**headers))
    (_, sent) = told(mail(**headers, From="desk@centre.com"))
    assert (received.data.automatic, sent.data.automatic) == (from_others, from_us)


def test_a_mail_without_an_id_goes_by_its_content() -> None:
    (first,), (again,), (other,) = (
        [m.message_id for m in (mail(body, Message_ID=""),)] for body in ("a", "a", "b")
    )
    assert first == again != other


@pytest.mark.parametrize("name", ["x" * 300, "a\x07b@x"])
def test_an_id_that_no_event_can_have_is_hashed(name: str) -> None:
    assert identity_of(name) == identity_of(name)
    assert len(identity_of(name)) == 32


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"From": ""}, "no sender"),
        ({"From": "nobody"}, "no sender"),
        ({"Date": ""}, "no Date"),
        ({"Date": "yesterday"}, "cannot be read"),
        ({"Date": "Mon, 2 Mar 1926 10:00:00 +0100"}, "its Date is"),
    ],
)
def test_a_mail_without_sender_or_date_is_refused(headers: dict[str, str], reason: str) -> None:
    with pytest.raises(UnreadableMail, match=reason):
        mail(**headers)


@given(st.text(max_size=300), st.text(max_size=60))
def test_whatever_a_mail_holds_it_is_read_or_refused(body: str, header: str) -> None:
    text = f"From: a@x.org\nDate: Mon, 2 Mar 2026 10:00:00 +0100\n{header}\n\n{body}"
    try:
        found = mail_of_message(parsed(text))
    except UnreadableMail:
        return
    assert len(told(found)) == 2


def test_postmark_bodies_are_mails() -> None:
    body: dict[str, Any] = {
        "From": "Ada L <ada@x.org>",
        "To": "desk@centre.com",
        "Subject": "Re: Order 7",
        "Date": "Fri, 5 May 2023 17:44:33 -0400",
        "MessageID": "00-11",
        "TextBody": "all",
        "StrippedTextReply": "only this",
        "Headers": [
            {"Name": "References", "Value": "<0@x.org> <1@x.org>"},
            {"Name": "Auto-Submitted", "Value": "auto-replied"},
        ],
    }
    found = mail_of_postmark(body)
    assert (found.message_id, found.parents) == ("00-11@postmark", ("0@x.org", "1@x.org"))
    assert (found.text, found.automatic_of) == ("only this", "anybody")
    body["Headers"].append({"Name": "Message-ID", "Value": "<2@x.org>"})
    assert mail_of_postmark(body).message_id == "2@x.org"


@pytest.mark.skipif(not REAL.exists(), reason="the real inputs are not beside the checkout")
@pytest.mark.parametrize("name", ["postmark_inbound.json", "postmark_inbound_raw.json"])
def test_real_postmark_bodies_are_read(name: str) -> None:
    started, received = told(mail_of_postmark(json.loads((REAL / name).read_bytes())))
    assert [i.value for i in started.data.customer.identifiers] == ["support@postmarkapp.com"]
    assert received.data.text == "This is the reply text"
    assert received.time.year == 2023
