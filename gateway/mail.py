"""E-mail: mails in, canonical events out. Pure: no file, no clock.

Every mail is a message of its thread (`gateway.mail_thread`); the first of a thread begins an
interaction. Mails from one of our own addresses are sent by agents, all others are received. An
event's id is the mail's `Message-ID`, so the same mail is the same event wherever it is read.

Automatic mail neither asks nor answers. It says so itself: `Auto-Submitted` other than `no` (RFC
3834), an empty `Return-Path`, a report of a mail system. Of mail that comes from others, also a
`Precedence` of bulk, junk or list, `X-Auto-Response-Suppress` and what some responders add; help
desks put those under what their agents write, so of our own mail they say nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any, Final, NamedTuple

from xxhash import xxh3_128_hexdigest

from gateway.mail_thread import Headers, message_ids, parents_of, threads_of
from gateway.record import Record
from schemas import events
from schemas.cloudevents import encode
from schemas.events import EARLIEST_YEAR, LATEST_YEAR
from schemas.topics import EVENTS_EMAIL

DEFAULT_SOURCE: Final = "mail"
_LONGEST_ID: Final = 128
_START: Final = "/start"
_LONGEST_TEXT: Final = 4096
_LONGEST_NAME: Final = 128
_LONGEST_ADDRESS: Final = 320
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
"""Control characters, and what was no character of any known encoding."""
_QUOTED: Final = re.compile(r"(?m)^>.*$")
_BULK: Final = frozenset({"bulk", "junk", "list", "auto_reply"})
_RESPONDERS: Final = ("X-Autoreply", "X-Autorespond", "X-Auto-Reply-From")


class UnreadableMail(Exception):
    """A mail that cannot be understood, and why, in plain words."""


class Address(NamedTuple):
    """Who, in small letters, and the name that goes with it."""

    address: str
    name: str


class Mail(NamedTuple):
    """What is taken of a mail. `to` includes copies; `automatic_of` says who is meant by it:
    nobody ("") if a person wrote it, else `anybody`, or `others` where that is so of mail that is
    not ours.
    """

    message_id: str
    parents: tuple[str, ...]
    subject: str
    sender: Address
    to: tuple[Address, ...]
    at: datetime
    automatic_of: str
    text: str


def mail_of_message(message: EmailMessage) -> Mail:
    """A mail in the form of RFC 5322.

    Raises:
        UnreadableMail: it has no sender or no date, or its headers cannot be parsed.
    """
    try:
        return _mail(message)
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        # Of headers that are malformed enough, the email package raises any of these.
        raise UnreadableMail(f"its headers cannot be read ({error})") from error


def mail_of_postmark(body: Mapping[str, Any]) -> Mail:
    """The body of Postmark's inbound webhook.

    Raises:
        UnreadableMail: it has no sender or no date.
    """
    message = EmailMessage()
    for header in body.get("Headers") or ():
        if header.get("Name") and header["Name"] not in message:
            message[header["Name"]] = _UNFIT.sub(" ", str(header.get("Value", "")))
    for name in ("From", "To", "Cc", "Subject", "Date"):
        if name not in message and body.get(name):
            message[name] = _UNFIT.sub(" ", str(body[name]))
    if "Message-ID" not in message and body.get("MessageID"):
        message["Message-ID"] = f"<{body['MessageID']}@postmark>"
    message.set_content(str(body.get("StrippedTextReply") or body.get("TextBody") or ""))
    return mail_of_message(message)


def _mail(message: EmailMessage) -> Mail:
    senders = _addresses(message, "From") or _addresses(message, "Sender")
    if not senders:
        raise UnreadableMail("it has no sender (From)")
    date = message.get("Date")
    if date is None:
        raise UnreadableMail("it has no Date")
    at = parsedate_to_datetime(str(date))
    if not EARLIEST_YEAR < at.year < LATEST_YEAR:
        raise UnreadableMail(f"its Date is {str(date)[:60]!r}")
    text = _text(message)
    ids = message_ids(str(message.get("Message-ID", "")))
    written = (str(date), senders[0].address, str(message.get("Subject", "")), text)
    content = "\0".join(written).encode("utf-8", "surrogatepass")
    return Mail(
        message_id=ids[0] if ids else f"{xxh3_128_hexdigest(content)}@without-id",
        parents=parents_of(str(message.get("References", "")), str(message.get("In-Reply-To", ""))),
        subject=str(message.get("Subject", "")),
        sender=senders[0],
        to=tuple(address for name in ("To", "Cc") for address in _addresses(message, name)),
        at=at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC),
        automatic_of=_automatic_of(message),
        text=text,
    )


def _addresses(message: EmailMessage, header: str) -> list[Address]:
    found = getaddresses([str(value) for value in message.get_all(header, ())])
    return [
        Address(_UNFIT.sub("", address).casefold(), _UNFIT.sub(" ", name)[:_LONGEST_NAME])
        for name, address in found
        if "@" in address and len(address) <= _LONGEST_ADDRESS
    ]


def _text(message: EmailMessage) -> str:
    """What was written, without what it quotes, on one line."""
    body = message.get_body(("plain",))
    content = "" if body is None else str(body.get_content())
    return _UNFIT.sub(" ", _QUOTED.sub("", content)).strip()[:_LONGEST_TEXT]


def _automatic_of(message: EmailMessage) -> str:
    def said(header: str) -> str:
        return str(message.get(header, "")).partition(";")[0].strip().casefold()

    if (
        said("Auto-Submitted") not in ("", "no")
        or said("Return-Path") == "<>"
        or message.get_content_type() == "multipart/report"
    ):
        return "anybody"
    if (
        said("Precedence") in _BULK
        or said("X-Auto-Response-Suppress") not in ("", "none")
        or any(header in message for header in _RESPONDERS)
    ):
        return "others"
    return ""


def records_of(
    mails: Sequence[Mail],
    ours: Iterable[str],
    *,
    tenant: str = "default",
    source: str = DEFAULT_SOURCE,
) -> Iterator[Record]:
    """The events of all mails of a mailbox, in the order of their dates.

    `ours` are our own addresses, or whole domains. Mails that are there twice count once.
    """
    own = frozenset(name.casefold().removeprefix("@") for name in ours)
    by_id = {mail.message_id: mail for mail in reversed(mails)}
    ordered = sorted(by_id.values(), key=lambda mail: (mail.at, mail.message_id))
    threads = threads_of(_headers(mail) for mail in ordered)
    begun: set[str] = set()
    for mail in ordered:
        thread = threads[mail.message_id]
        if thread not in begun:
            begun.add(thread)
            yield _record(mail, thread, "interaction.started", _started(mail, own), tenant, source)
        kind = "message.sent" if _is_ours(mail.sender, own) else "message.received"
        yield _record(mail, thread, kind, _message(mail, own), tenant, source)


def _headers(mail: Mail) -> Headers:
    people = frozenset(address.address for address in (mail.sender, *mail.to))
    return Headers(mail.message_id, mail.parents, mail.subject, people, mail.at)


def _is_ours(who: Address, own: frozenset[str]) -> bool:
    return who.address in own or who.address.rpartition("@")[2] in own


def _started(mail: Mail, own: frozenset[str]) -> events.InteractionStarted:
    sent = _is_ours(mail.sender, own)
    others = [who for who in mail.to if not _is_ours(who, own)] if sent else [mail.sender]
    customer = events.Customer()
    if others:
        email = events.Identifier(kind="email", value=others[0].address)
        customer = events.Customer(identifiers=(email,), name=others[0].name)
    return events.InteractionStarted(
        direction="outbound" if sent else "inbound",
        customer=customer,
        agent=mail.sender.address[:_LONGEST_NAME] if sent else "",
    )


def _message(mail: Mail, own: frozenset[str]) -> events.Message:
    sent = _is_ours(mail.sender, own)
    return events.Message(
        author="agent" if sent else "customer",
        agent=mail.sender.address[:_LONGEST_NAME] if sent else "",
        automatic=mail.automatic_of == "anybody" or (bool(mail.automatic_of) and not sent),
        in_reply_to=identity_of(mail.parents[-1]) if mail.parents else "",
        text=mail.text,
    )


def identity_of(message_id: str) -> str:
    """A message id as the id of an event or of an interaction: as it is, if it is fit for one."""
    if len(message_id) <= _LONGEST_ID - len(_START) and not _UNFIT.search(message_id):
        return message_id
    return xxh3_128_hexdigest(message_id.encode("utf-8", "surrogatepass"))


def _record(
    mail: Mail, thread: str, event_type: str, data: events.Data, tenant: str, source: str
) -> Record:
    subject, name = identity_of(thread), identity_of(mail.message_id)
    value = encode(
        event_type,
        id=name + _START if event_type == "interaction.started" else name,
        source=source,
        time=mail.at,
        subject=subject,
        tenant=tenant,
        data=data,
    )
    return Record(EVENTS_EMAIL, subject.encode(), value, int(mail.at.timestamp()))
