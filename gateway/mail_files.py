"""Mailboxes as files: mbox, maildir, single mails, and Postmark's webhook bodies. Reads files only.

What a path holds is seen from it: a directory is a maildir, a file that begins with `From ` an
mbox, with `{` or `[` JSON, and else one mail.
"""

import json
import mailbox
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any, Final

from gateway.mail import Mail, UnreadableMail, mail_of_message, mail_of_postmark

_PARSER: "Final[BytesParser[EmailMessage]]" = BytesParser(policy=policy.default)


def mails_in(path: Path) -> Iterator[tuple[str, int, Mail | UnreadableMail]]:
    """Every mail of a path with its place: the file, and its number in it, counted from 1.

    Raises:
        FileNotFoundError: there is nothing at the path.
        OSError: it cannot be read.
        ValueError: it is none of these.
    """
    if path.is_dir():
        yield from _maildir(path)
        return
    with path.open("rb") as file:
        beginning = file.read(5)
    if beginning == b"From ":
        box = mailbox.mbox(path, create=False)
        try:
            for number, key in enumerate(box.iterkeys(), 1):
                yield str(path), number, _mail(box.get_bytes(key))
        finally:
            box.close()
    elif beginning.lstrip()[:1] in (b"{", b"["):
        for number, body in enumerate(_bodies(path), 1):
            yield str(path), number, _of_postmark(body)
    else:
        yield str(path), 1, _mail(path.read_bytes())


def _maildir(path: Path) -> Iterator[tuple[str, int, Mail | UnreadableMail]]:
    if not (path / "cur").is_dir() or not (path / "new").is_dir():
        raise ValueError(f"{path} is a directory without `cur` and `new`: it is no maildir")
    for folder in ("cur", "new"):
        for file in sorted((path / folder).iterdir()):
            if not file.name.startswith("."):
                yield str(file), 1, _mail(file.read_bytes())


def _mail(content: bytes) -> Mail | UnreadableMail:
    try:
        return mail_of_message(_PARSER.parsebytes(content))
    except UnreadableMail as refusal:
        return refusal


def _of_postmark(body: Any) -> Mail | UnreadableMail:
    if not isinstance(body, dict):
        return UnreadableMail("it is no JSON object")
    try:
        return mail_of_postmark(body)
    except UnreadableMail as refusal:
        return refusal


def _bodies(path: Path) -> list[Any]:
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    return found if isinstance(found, list) else [found]
