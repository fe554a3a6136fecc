"""Which thread a mail belongs to, by its headers alone. Pure.

A mail answers what its `References` name (RFC 5322: the whole line of its ancestors, the first one
first), else its `In-Reply-To`. Mails in between that are not there still join those on either side.
A mail that names nothing, but says by its subject that it answers, joins the latest earlier mail of
the same subject between the same people: some programs leave those headers out.

A thread goes by the identity of its first mail. It follows from the set of mails, in whatever order
they are given.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

_MESSAGE_ID: Final = re.compile(r"<([^<>\s]+)>")
_ANSWER_MARKS: Final = re.compile(
    r"^(?:\s*(?:re|aw|fw|fwd|wg|sv|vs|ref|rif|odp|antw|tr)\s*(?:\[\d+\])?\s*:)+", re.IGNORECASE
)
"""`Re:` and `Fwd:` as mail programs of several languages write them."""


MOST_COMPARED: Final = 200
"""How many of the latest mails of one subject are compared with one that names no other."""


class Headers(NamedTuple):
    """What threading needs of a mail. `parents` are ids, the first ancestor first."""

    message_id: str
    parents: tuple[str, ...]
    subject: str
    people: frozenset[str]
    at: datetime


def message_ids(text: str) -> tuple[str, ...]:
    """The ids in a `Message-ID`, `In-Reply-To` or `References` header, without their brackets."""
    return tuple(dict.fromkeys(_MESSAGE_ID.findall(text)))


def parents_of(references: str, in_reply_to: str) -> tuple[str, ...]:
    """The ancestors of a mail, the first one first."""
    return message_ids(references) or message_ids(in_reply_to)[:1]


def base_subject(subject: str) -> tuple[str, bool]:
    """The subject without its marks of an answer, and whether it had any."""
    bare = _ANSWER_MARKS.sub("", subject)
    return " ".join(bare.split()).casefold(), bare != subject


def threads_of(mails: Iterable[Headers]) -> dict[str, str]:
    """By message id, the id of the first mail of its thread."""
    ordered = sorted(mails, key=lambda mail: (mail.at, mail.message_id))
    parent: dict[str, str] = {}
    for mail in ordered:
        line = (*(p for p in mail.parents if p != mail.message_id), mail.message_id)
        for above, below in pairwise(line):
            # What one mail says of another's parent stands back behind what was said before.
            if below not in parent and _root(parent, above) != below:
                parent[below] = above
    _join_by_subject(ordered, parent)
    return {mail.message_id: _root(parent, mail.message_id) for mail in ordered}


def _join_by_subject(ordered: Sequence[Headers], parent: dict[str, str]) -> None:
    latest: dict[str, list[Headers]] = {}
    for mail in ordered:
        subject, answers = base_subject(mail.subject)
        if not subject:
            continue
        before = latest.setdefault(subject, [])
        if answers and mail.message_id not in parent:
            for earlier in reversed(before[-MOST_COMPARED:]):
                if mail.people <= earlier.people or earlier.people <= mail.people:
                    if _root(parent, earlier.message_id) != mail.message_id:
                        parent[mail.message_id] = earlier.message_id
                    break
        before.append(mail)


def _root(parent: dict[str, str], message_id: str) -> str:
    while message_id in parent:
        message_id = parent[message_id]
    return message_id
