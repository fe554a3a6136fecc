"""The section of the configuration about webhooks, and what is sent to them. Pure."""

import base64
import binascii
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from schemas.queues import Section

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - no secret, but how each begins
SECRET_BYTES: Final = (24, 64)
"""How long a secret may be, by the Standard Webhooks specification."""


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError("http(s)://host/path, without a user: who asks is shown by the signature")
    return url


def _secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    shortest, longest = SECRET_BYTES
    if not text.startswith(SECRET_PREFIX) or not shortest <= len(key) <= longest:
        raise ValueError(
            f"{SECRET_PREFIX} and the base64 of {shortest} to {longest} random bytes, as"
            " `switchboard alerts secret` makes it"
        )
    return secret


WebhookName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Address = Annotated[str, AfterValidator(_address)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Delay = Annotated[float, Field(ge=0, le=86_400)]


class WebhookSettings(Section):
    """Whom `switchboard alerts deliver` tells of breaches, with the Standard Webhooks signature."""

    urls: dict[WebhookName, Address] = Field(default_factory=dict, max_length=64)
    """Addresses, by a name of yours: `urls = { pager = "https://example.com/breaches" }`. Each gets
    every breach, those of a queue in their order. A name that is changed begins anew."""
    tenants: dict[WebhookName, tuple[str, ...]] = Field(default_factory=dict)
    """Whose breaches an address gets, where not those of all: `tenants = { pager = ["acme"] }`."""
    secrets: dict[WebhookName, Secret] = Field(default_factory=dict, max_length=64)
    """The secret of each, with which what it gets is signed. `switchboard alerts secret` makes one.
    Better given as `SWITCHBOARD_WEBHOOKS__SECRETS` than written into a file."""
    timeout_seconds: float = Field(default=15, gt=0, le=300)
    """How long an address may take to answer."""
    retry_seconds: tuple[Delay, ...] = Field(default=(1, 5, 30, 120, 300), max_length=32)
    """Pauses before it is tried again. After the last, what was to be delivered is set aside on the
    topic `queue.breaches.undelivered`, and the next breach is delivered."""

    @model_validator(mode="after")
    def _each_has_a_secret(self) -> "WebhookSettings":
        for name in sorted(self.urls.keys() ^ self.secrets.keys()):
            lacks = "secrets" if name in self.urls else "urls"
            raise ValueError(f"{name}: {lacks} has none of that name")
        for name in sorted(self.tenants.keys() - self.urls.keys()):
            raise ValueError(f"{name}: urls has none of that name")
        return self
