"""The section of the configuration about the HTTP API. Pure; imports pydantic alone."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from schemas.queues import Section


def _hashes_to_tenants(tokens: dict[str, str]) -> dict[str, str]:
    for digest, tenant in tokens.items():
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or not 0 < len(tenant) <= 128:
            # What was written there may be a token itself: it is not repeated.
            raise ValueError(
                "SHA-256 of a token (64 hexadecimal digits) = tenant, as `switchboard api token`"
                " prints it"
            )
    return tokens


class ApiSettings(Section):
    """The HTTP API about customers. It is served where there is a token."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on; 0.0.0.0 to be reached from elsewhere. It speaks plain HTTP: put a proxy
    with TLS before it."""
    port: int = Field(default=8_081, ge=0, le=65_535)
    """Port to listen on; 0 takes any that is free."""
    tokens: Annotated[dict[str, str], AfterValidator(_hashes_to_tenants)] = Field(
        default_factory=dict
    )
    """Who may ask: the SHA-256 of each token, and the tenant that it is for.
    `switchboard api token` makes one; the token itself is kept nowhere."""
    requests_per_second: float = Field(default=20, gt=0, le=100_000)
    """How many requests a second each token may go on asking."""
    burst: int = Field(default=40, ge=1, le=1_000_000)
    """How many it may ask at once after a pause."""
