"""Who may ask: tokens, of which only hashes are known. Pure, but for making a new one.

A token is 256 random bits, so its plain SHA-256 gives nothing away: there is nothing to guess, and
slow hashes are for what people choose.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "switchboard_"
"""So that tools which look for leaked secrets know one."""
_RANDOM_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Access:
    """What a token gives access to. `holder` tells tokens apart and is none itself."""

    tenant: str
    holder: str


class Tokens:
    """The tokens that are known. `tenants` maps SHA-256 (hexadecimal) to tenant."""

    def __init__(self, tenants: Mapping[str, str]) -> None:
        self._access = [
            (digest.encode(), Access(tenant, digest)) for digest, tenant in tenants.items()
        ]

    def access(self, token: str) -> Access | None:
        """What `token` gives access to; None if it is not known.

        It is compared with all that are known, each in constant time: how long it takes says
        nothing about them.
        """
        asked = digest_of(token).encode()
        found = None
        for digest, access in self._access:
            if hmac.compare_digest(asked, digest):
                found = access
        return found


def digest_of(token: str) -> str:
    """The SHA-256 of a token, hexadecimal: what the configuration holds."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_token() -> str:
    """A token that nobody has."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
