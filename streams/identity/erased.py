"""What was erased and must not come back: keyed hashes, and up to when. Pure.

A person who gets in touch again after an erasure is a new customer; what happened before stays
away, wherever it is read again.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

from streams.identity.normalise import REMEMBERED, Identifiers, identifier_texts

What = Literal["contact", "identifier", "key"]
MARK_BYTES: Final = 16


@lru_cache(maxsize=REMEMBERED)
def mark_of(key: bytes, tenant: str, what: What, value: str) -> str:
    """The mark of a contact's id, a normalised identifier or its key."""
    text = f"{what}\x00{tenant}\x00{value}".encode()
    return hashlib.blake2b(text, key=key, digest_size=MARK_BYTES).hexdigest()


class Erased:
    """The marks that hold now. One for all folds of a worker; `learn` adds to it.

    Args:
        key: of the hashes, at most 64 bytes.
        marks: mark -> time (milliseconds) up to which it holds.
    """

    def __init__(self, key: bytes = b"", marks: Mapping[str, int] | None = None) -> None:
        self._key = key
        self._marks = dict(marks or {})

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._marks)

    def learn(self, marks: Mapping[str, int]) -> bool:
        """Take over the marks that hold now; whether any is new."""
        new = any(self._marks.get(mark) != at for mark, at in marks.items())
        self._marks = dict(marks)
        return new

    def has(self, tenant: str, what: What, value: str, at: int) -> bool:
        """Whether this was erased later than `at` (milliseconds)."""
        if not self._marks:
            return False
        return at <= self._marks.get(mark_of(self._key, tenant, what, value), -1)

    def has_any(self, tenant: str, identifiers: tuple[str, ...], at: int) -> bool:
        """Whether one of these (normalised) was erased later than `at`."""
        return any(self.has(tenant, "identifier", text, at) for text in identifiers)

    def covers(self, tenant: str, subject: str, data: Any, at: int, how: Identifiers) -> bool:
        """Whether an event is of a contact or a customer that was erased later."""
        if not self._marks:
            return False
        if self.has(tenant, "contact", subject, at):
            return True
        return self.has_any(tenant, (how.one(tenant, subject), *named_in(tenant, data, how)), at)


def named_in(tenant: str, data: Any, how: Identifiers) -> tuple[str, ...]:
    """The identifiers that an event names, normalised."""
    customer = getattr(data, "customer", None)
    named = [
        *getattr(customer, "identifiers", ()),
        *getattr(data, "identifiers", ()),
        *(end for name in ("a", "b") if (end := getattr(data, name, None)) is not None),
    ]
    return how.of(tenant, identifier_texts(named))
