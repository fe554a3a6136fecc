"""The part of the configuration that says who is one customer. Pure; imports pydantic."""

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from schemas.queues import Section

Region = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")]


class IdentitySettings(Section):
    """Which identifiers are one customer: how they are written, and how far they may be joined.

    What is changed here holds for what comes from then on.
    """

    region: Region = ""
    """Country (two capital letters) whose phone numbers come without its code. Without it such
    numbers are compared digit by digit."""
    regions: dict[str, Region] = Field(default_factory=dict)
    """The same for single tenants: `regions = { acme = "DE" }`."""
    blocked: tuple[str, ...] = ()
    """Identifiers that many people share, beside the usual ones (anonymous, withheld, `noreply@`):
    the switchboard's number, an info address."""
    shortest_phone_digits: int = Field(default=0, ge=0, le=15)
    """Phone numbers of fewer digits and without a country code are the company's own extensions,
    and identify nobody."""
    most_identifiers: int = Field(default=50, ge=2, le=10_000)
    """How many identifiers one customer may have. Evidence beyond is quarantined; an identifier
    with so many neighbours is taken for a shared one, and joins nobody."""
    most_of_kind: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: {"phone": 10, "email": 10, "handle": 10, "device": 20}
    )
    """How many of one kind. Of customer numbers it is always one."""
    pseudonym_keys: dict[str, SecretStr] = Field(default_factory=dict)
    """By tenant, the key of the HMAC that stands for identifiers in links, keys and rows of
    contacts. Events themselves are stored as they came."""
    erasure_key: SecretStr | None = None
    """The key of the hashes by which erased customers are kept from coming back. Without it the
    embedded engine has one in `data_dir`; a server needs it here, the same for all workers."""
