"""The customer of an interaction: the strongest identifier it has shown, and its key. Pure.

How identifiers are written is decided in `streams.identity.normalise`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import xxhash

from streams.identity.normalise import KINDS, REMEMBERED, kind_of

STRENGTH: Final = KINDS
"""Kinds of identifier, the strongest first."""


def strongest(identifiers: Sequence[str]) -> str:
    """The identifier that an interaction's customer is known by; `""` where there is none."""
    if len(identifiers) == 1:
        return identifiers[0]
    return min(identifiers, key=_strength, default="")


def _strength(text: str) -> tuple[int, str]:
    return (STRENGTH.index(kind_of(text)), text)


@lru_cache(maxsize=REMEMBERED)
def customer_key(tenant: str, identifier: str) -> str:
    """The key under which history is stored: a hash of one identifier; `""` for no identifier."""
    if not identifier:
        return ""
    return xxhash.xxh3_128_hexdigest(f"{tenant}\x00{identifier}")
