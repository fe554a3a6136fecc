"""Mailboxes of every kind are read; what is no mail is told with its place."""

import json
import mailbox
from email.message import EmailMessage
from pathlib import Path

import pytest

from gateway.mail import Mail
from gateway.mail_files import mails_in


def message(number: int, **headers: str) -> EmailMessage:
    found = EmailMessage()
    found["From"] = "ada@x.org"
    found["To"] = "desk@centre.com"
    found["Message-ID"] = f"<{number}@x.org>"
    for name, value in headers.items():
        found[name] = value
    found.set_content("Hello")
    return found


DATE = "Mon, 2 Mar 2026 10:00:00 +0100"


def read(path: Path) -> list[tuple[str, int, str]]:
    """Name of the file, number, and the mail's id or what is wrong with it."""
    return [
        (Path(file).name, number, found.message_id if isinstance(found, Mail) else str(found))
        for file, number, found in mails_in(path)
    ]


def test_an_mbox_is_read_mail_by_mail(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for one in (message(1, Date=DATE), message(2), message(3, Date=DATE)):
        box.add(one)
    box.close()
    assert read(tmp_path / "box") == [
        ("box", 1, "1@x.org"),
        ("box", 2, "it has no Date"),
        ("box", 3, "3@x.org"),
    ]


def test_a_maildir_is_read_file_by_file(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box")
    box.add(message(1, Date=DATE))
    ((_, number, found),) = read(tmp_path / "box")
    assert (number, found) == (1, "1@x.org")
    with pytest.raises(ValueError, match="no maildir"):
        read(tmp_path)


def test_a_single_mail_and_postmarks_bodies(tmp_path: Path) -> None:
    single = tmp_path / "one.eml"
    single.write_bytes(message(1, Date=DATE).as_bytes())
    assert read(single) == [("one.eml", 1, "1@x.org")]
    body = {"From": "ada@x.org", "Date": DATE, "MessageID": "7"}
    many = tmp_path / "bodies.json"
    many.write_text(json.dumps([body, 7, {**body, "From": ""}]))
    assert read(many) == [
        ("bodies.json", 1, "7@postmark"),
        ("bodies.json", 2, "it is no JSON object"),
        ("bodies.json", 3, "it has no sender (From)"),
    ]
    many.write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        read(many)
