"""How identifiers are written: one text for what is the same, none for what is nobody's. Pure.

A text is `kind:value`, for handles `handle:network:value`. As a source wrote it (`spelt`) it is
kept in state; in the one way for all (`Identifiers.of`) it goes into rows, keys and links.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

REMEMBERED: Final = 1 << 15
"""Results kept: an identifier comes several times within a short while."""

NOBODY: Final = frozenset(
    {
        *("0", "anonymous", "blocked", "hidden", "n/a", "na", "nil", "none", "null", "private"),
        *("restricted", "unavailable", "undefined", "unknown", "withheld"),
    }
)
"""Values that systems write for want of one, casefolded."""
NO_PERSON: Final = frozenset(
    {
        *("donotreply", "do-not-reply", "no-reply", "noreply", "no_reply"),
        *("mailer-daemon", "postmaster"),
    }
)
"""Local parts of addresses that no person reads."""
PSEUDONYM: Final = "~"
"""How a pseudonymised value begins."""
KINDS: Final = ("customer_number", "email", "phone", "handle", "device", "other")
_INTERNATIONAL: Final = re.compile(r"\+[1-9][0-9]{7,14}")
_SIMPLE_ADDRESS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+")
"""Without quotes, comments, other alphabets: valid or not, it is written in small letters."""
_ENCODED: Final = "xn--"
"""How a label of a domain begins that stands for one in another alphabet."""
_NEVER: Final = r"(?!)"


def spelt(kind: str, value: str, network: str) -> str:
    """An identifier as its source wrote it, as one text."""
    if kind == "handle":
        return f"handle:{network.strip().casefold()}:{value.strip()}"
    return f"{kind}:{value.strip()}"


def kind_of(text: str) -> str:
    """The kind of an identifier."""
    return text.partition(":")[0]


def guessed(text: str) -> str:
    """What a person typed, as `spelt` would write it: with its kind, or recognised by its form.

    `@` inside makes an e-mail address, digits and what is usual between them a phone number;
    whatever is neither is a customer number.
    """
    kind, colon, rest = text.strip().partition(":")
    if colon and kind in KINDS and rest:
        network, second, value = rest.partition(":")
        return spelt(kind, value, network) if kind == "handle" and second else spelt(kind, rest, "")
    if "@" in text.strip()[1:]:
        return spelt("email", text, "")
    if any(c.isdigit() for c in text) and not set(text) - set("+0123456789 ()-./\u00a0"):
        return spelt("phone", text, "")
    return spelt("customer_number", text, "")


@dataclass(frozen=True)
class Identifiers:
    """How the identifiers of each tenant are written.

    Args:
        region: country (ISO 3166, two letters) whose numbers come without a country code; `""` for
            none: such numbers stay the digits that they are. `regions` by tenant go before it.
        blocked: further identifiers, as people write them, that stand for nobody in particular.
        shortest_phone: digits below which a number without a country code is an extension of the
            company's own, and stands for nobody.
        pseudonym_keys: by tenant, the key under which values are replaced by their HMAC.
    """

    region: str = ""
    regions: Mapping[str, str] = field(default_factory=dict)
    blocked: frozenset[str] = frozenset()
    shortest_phone: int = 0
    pseudonym_keys: Mapping[str, bytes] = field(default_factory=dict)

    def of(self, tenant: str, texts: Iterable[str]) -> tuple[str, ...]:
        """Identifiers (as `spelt`) in one text for what is the same; in order, each once.

        Those that stand for nobody are left out.
        """
        found: dict[str, None] = {}
        for text in texts:
            normal = self._one(tenant, text)
            if normal:
                found[normal] = None
        return tuple(found)

    def one(self, tenant: str, text: str) -> str:
        """The same of one identifier as a person types it; `""` where it stands for nobody."""
        return self._one(tenant, guessed(text))

    def _one(self, tenant: str, text: str) -> str:
        region = self.regions.get(tenant, self.region)
        normal = _normal(text, region, self.shortest_phone)
        if not normal or (self.blocked and normal in _normals(self.blocked, region)):
            return ""
        key = self.pseudonym_keys.get(tenant)
        return normal if key is None else _pseudonym(normal, key)


@lru_cache(maxsize=REMEMBERED)
def _normal(text: str, region: str, shortest_phone: int) -> str:
    kind, _, value = text.partition(":")
    value = value.strip().strip("\"'<>").strip()
    if value.casefold() in NOBODY:
        return ""
    if value.startswith(PSEUDONYM):
        return f"{kind}:{value}"
    if kind == "phone":
        number = _phone(value, region, shortest_phone)
        return number and f"phone:{number}"
    if kind == "email":
        address = _email(value)
        return address and f"email:{address}"
    if kind == "handle":
        network, _, name = value.partition(":")
        name = name.lstrip("@").casefold()
        return f"handle:{network}:{name}" if name and name not in NOBODY else ""
    return f"{kind}:{value}" if value else ""


@lru_cache(maxsize=16)
def _normals(texts: frozenset[str], region: str) -> frozenset[str]:
    return frozenset(_normal(guessed(text), region, 0) for text in texts)


def _phone(value: str, region: str, shortest: int) -> str:
    if _is_e164(value):
        return value
    value = value.removeprefix("tel:")
    digits = "".join(c for c in value if c.isdecimal() and c.isascii())
    international = value.startswith("+")
    if not digits.strip("0") or (len(digits) < shortest and not international):
        return ""
    bare = f"+{digits}" if international else digits
    if not international and not region:
        return bare
    number = _e164(value, region) or _e164(bare, region) or bare
    while (again := _e164(number, region)) not in ("", number):
        number = again  # leading zeros of a number that is none go one after the other
    return number


def _is_e164(value: str) -> bool:
    """Whether a number is written in E.164 already; False where only taking it apart tells.

    Most are, and taking one apart takes a hundred times as long. It goes by what that goes by: who
    has the country code, whether something before the number is to go, which lengths there are.
    """
    if _INTERNATIONAL.fullmatch(value) is None:
        return False
    for width in (1, 2, 3):
        country = int(value[1 : width + 1])
        if country in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            national = value[width + 1 :]
            if national.startswith("0") or _national_prefix(country).match(national):
                return False
            return _is_possible(country, len(national))
    return False


@cache
def _national_prefix(country: int) -> re.Pattern[str]:
    """What may stand before a country's numbers and is no part of them."""
    region = phonenumbers.region_code_for_country_code(country)
    known = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(country, region)
    return re.compile((known and known.national_prefix_for_parsing) or _NEVER)


@cache
def _is_possible(country: int, digits: int) -> bool:
    """Whether a country has numbers of so many digits."""
    number = phonenumbers.PhoneNumber(country_code=country, national_number=10 ** (digits - 1))
    return phonenumbers.is_possible_number(number)


def _e164(form: str, region: str) -> str:
    """A number in E.164; `""` where it is none."""
    with suppress(phonenumbers.NumberParseException):
        number = phonenumbers.parse(form, region or None)
        if phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return ""


def _email(value: str) -> str:
    address = value.casefold()
    # What is not valid may be so at home.
    if _SIMPLE_ADDRESS.fullmatch(value) is None or _ENCODED in address:
        with suppress(EmailNotValidError):
            checked = validate_email(value, check_deliverability=False, test_environment=True)
            address = checked.normalized.casefold()
    return "" if address.partition("@")[0] in NO_PERSON else address


@lru_cache(maxsize=REMEMBERED)
def _pseudonym(text: str, key: bytes) -> str:
    kind, _, value = text.partition(":")
    if value.startswith(PSEUDONYM):
        return text
    return f"{kind}:{PSEUDONYM}{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]}"


def identifier_texts(identifiers: Iterable[Any]) -> tuple[str, ...]:
    """The identifiers of an event, as `spelt`."""
    return tuple(spelt(i.kind, i.value, i.network) for i in identifiers)
