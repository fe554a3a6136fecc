"""How identifiers are written: spelling, regions, nobody, pseudonyms."""

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.events import Identifier
from streams.identity.normalise import Identifiers, guessed, identifier_texts

PLAIN = Identifiers()
GERMAN = Identifiers(region="DE", regions={"uk": "GB"})


def written(identifiers: Identifiers, *shown: Identifier, tenant: str = "t") -> tuple[str, ...]:
    return identifiers.of(tenant, identifier_texts(shown))


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        (Identifier(kind="phone", value="+1 (342) 555-0145"), "phone:+13425550145"),
        (Identifier(kind="phone", value="+49 (0)30 123456"), "phone:+4930123456"),
        (Identifier(kind="phone", value="tel:+49-30-123456;ext=7"), "phone:+4930123456"),
        (Identifier(kind="phone", value=" 020 7946 0042"), "phone:02079460042"),
        (Identifier(kind="email", value=" Ada@Example.ORG "), "email:ada@example.org"),
        (Identifier(kind="email", value="ada@xn--exmple-cua.org"), "email:ada@exämple.org"),
        (Identifier(kind="email", value="Ada@intranet"), "email:ada@intranet"),
        (Identifier(kind="handle", value="@Ada", network="X"), "handle:x:ada"),
        (Identifier(kind="customer_number", value=" K-1 "), "customer_number:K-1"),
    ],
)
def test_equal_identifiers_read_alike(identifier: Identifier, text: str) -> None:
    assert written(PLAIN, identifier) == (text,)


def taken_apart(value: str, region: str) -> str:
    """What a number is by `phonenumbers`, until that changes nothing any more."""
    try:
        number = phonenumbers.parse(value, region or None)
    except phonenumbers.NumberParseException:
        return value
    if not phonenumbers.is_possible_number(number):
        return value
    form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return form if form == value else taken_apart(form, region)


@given(
    country=st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)),
    national=st.text("0123456789", min_size=4, max_size=14),
    region=st.sampled_from(("", "DE", "US", "CA", "RU")),
)
@example(country=1, national="13425550145", region="US")
@example(country=39, national="0612345678", region="")
@example(country=44, national="02079460042", region="DE")
@example(country=52, national="15512345678", region="")
@settings(max_examples=200)
def test_a_number_that_is_not_taken_apart_is_what_it_would_be(
    country: int, national: str, region: str
) -> None:
    value = f"+{country}{national}"
    found = Identifiers(region=region).of("t", [f"phone:{value}"])
    assert found == (f"phone:{taken_apart(value, region)}",)


@given(
    local=st.text("abXY09._+-!", min_size=1, max_size=12),
    domain=st.text("abXY09.-", min_size=1, max_size=20),
    ending=st.sampled_from((".org", ".Test", ".xn--p1ai", ".onion", "", ".")),
)
@example(local="ada", domain="exa--mple", ending=".org")
@settings(max_examples=200)
def test_a_simple_address_is_written_as_one_that_was_validated(
    local: str, domain: str, ending: str
) -> None:
    value = f"{local}@{domain}{ending}"
    try:
        checked = validate_email(value, check_deliverability=False, test_environment=True)
        address = checked.normalized.casefold()
    except EmailNotValidError:
        address = value.casefold()
    assert PLAIN.of("t", [f"email:{value}"]) == (f"email:{address}",)


@pytest.mark.parametrize("value", ["030 123456", "0049 30 123456", "+49 30 123456", "030/123456"])
def test_a_region_makes_numbers_of_one_country_the_same(value: str) -> None:
    assert written(GERMAN, Identifier(kind="phone", value=value)) == ("phone:+4930123456",)


def test_each_tenant_has_its_own_region() -> None:
    number = Identifier(kind="phone", value="020 7946 0042")
    assert written(GERMAN, number, tenant="uk") == ("phone:+442079460042",)
    assert written(GERMAN, number) != written(GERMAN, number, tenant="uk")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("phone", "anonymous"),
        ("phone", "0"),
        ("phone", "000000"),
        ("phone", '"Anonymous"'),
        ("email", "noreply@example.org"),
        ("email", "MAILER-DAEMON@example.org"),
        ("other", "Unknown"),
        ("device", "null"),
        ("customer_number", "0"),
        ("handle", "unknown"),
    ],
)
def test_what_stands_for_nobody_is_no_identifier(kind: str, value: str) -> None:
    nobody = Identifier(kind=kind, value=value, network="x" if kind == "handle" else "")  # type: ignore[arg-type]
    ada = Identifier(kind="email", value="ada@example.org")
    assert written(PLAIN, nobody, ada) == ("email:ada@example.org",)


def test_a_blocked_number_is_nobodys_however_it_is_written() -> None:
    switchboard = Identifiers(region="DE", blocked=frozenset({"030 1234-0", "info@example.org"}))
    assert written(switchboard, Identifier(kind="phone", value="+493012340")) == ()
    assert written(switchboard, Identifier(kind="email", value="Info@Example.org")) == ()
    assert written(switchboard, Identifier(kind="phone", value="+493012341")) != ()


def test_a_short_number_is_an_extension_where_that_is_configured() -> None:
    short = Identifier(kind="phone", value="7010")
    assert written(PLAIN, short) == ("phone:7010",)
    assert written(Identifiers(shortest_phone=5), short) == ()


def test_the_same_twice_is_one() -> None:
    spellings = ("+49 30 123456", "+4930123456", "(+49) 30 / 123456")
    shown = [Identifier(kind="phone", value=value) for value in spellings]
    assert written(GERMAN, *shown) == ("phone:+4930123456",)


def test_pseudonyms_tell_people_apart_and_nothing_else() -> None:
    hidden = Identifiers(pseudonym_keys={"t": b"key"})
    other = Identifiers(pseudonym_keys={"t": b"another"})
    ada, bob = (Identifier(kind="email", value=f"{name}@example.org") for name in ("ada", "bob"))
    ((mine,), (his,)) = written(hidden, ada), written(hidden, bob)
    assert mine.startswith("email:~")
    assert "ada" not in mine
    assert mine != his
    assert written(other, ada) != (mine,)
    assert written(hidden, ada, tenant="u") == ("email:ada@example.org",)
    assert hidden.of("t", [mine]) == (mine,)


@settings(max_examples=500)
@given(
    st.text(max_size=40) | st.text("+0123456789 ()-x", max_size=18),
    st.sampled_from(["phone", "email", "customer_number", "other"]),
)
def test_writing_what_is_written_changes_nothing(value: str, kind: str) -> None:
    for identifiers in (PLAIN, GERMAN):
        once = identifiers.of("t", [f"{kind}:{value}"])
        assert identifiers.of("t", once) == once


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("030 123456", "phone:+4930123456"),
        ("Ada@example.org", "email:ada@example.org"),
        ("K-1", "customer_number:K-1"),
        ("phone:030123456", "phone:+4930123456"),
        ("handle:x:@Ada", "handle:x:ada"),
        ("customer_number:030123456", "customer_number:030123456"),
        ("withheld", ""),
    ],
)
def test_what_a_person_types_is_recognised(typed: str, text: str) -> None:
    assert GERMAN.one("t", typed) == text


def test_a_kind_goes_before_what_a_value_looks_like() -> None:
    assert guessed("other:030 123456") == "other:030 123456"
