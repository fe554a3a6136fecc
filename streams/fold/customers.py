"""Identifiers of a customer: one text for each, and the key of the strongest. Pure."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import xxhash

STRENGTH: Final = ("customer_number", "email", "phone", "handle", "device", "other")
"""Kinds of identifier, the strongest first."""
REMEMBERED: Final = 16_384
"""Results kept: an identifier comes several times within a short while."""


def identifier_texts(identifiers: Iterable[Any]) -> tuple[str, ...]:
    """`kind:value` (`handle:network:value`), normalised so that equal identifiers read alike."""
    return tuple(_text(i.kind, i.value, i.network) for i in identifiers)


@lru_cache(maxsize=REMEMBERED)
def _text(kind: str, value: str, network: str) -> str:
    if kind == "phone":
        digits = "".join(c for c in value if c.isdigit())
        return f"phone:{'+' if value.lstrip().startswith('+') else ''}{digits or value.strip()}"
    if kind == "email":
        return f"email:{value.strip().casefold()}"
    if kind == "handle":
        return f"handle:{network.casefold()}:{value.strip().casefold()}"
    return f"{kind}:{value.strip()}"


def strongest(identifiers: Iterable[str]) -> str:
    """The identifier that an interaction's customer is known by; `""` where there is none."""
    return min(identifiers, key=_strength, default="")


def _strength(text: str) -> tuple[int, str]:
    return (STRENGTH.index(text.partition(":")[0]), text)


@lru_cache(maxsize=REMEMBERED)
def customer_key(tenant: str, identifier: str) -> str:
    """The key under which history is stored: a hash of one identifier; `""` for no identifier."""
    if not identifier:
        return ""
    return xxhash.xxh3_128_hexdigest(f"{tenant}\x00{identifier}")
