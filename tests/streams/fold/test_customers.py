"""Identifiers of customers: spelling, strength, keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Identifier
from streams.fold.customers import customer_key, identifier_texts, strongest


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        (Identifier(kind="phone", value="+1 (342) 555-0145"), "phone:+13425550145"),
        (Identifier(kind="phone", value=" 020 7946 0042"), "phone:02079460042"),
        (Identifier(kind="phone", value="anonymous"), "phone:anonymous"),
        (Identifier(kind="email", value=" Ada@Example.ORG "), "email:ada@example.org"),
        (Identifier(kind="handle", value="Ada", network="X"), "handle:x:ada"),
        (Identifier(kind="customer_number", value=" K-1 "), "customer_number:K-1"),
    ],
)
def test_equal_identifiers_read_alike(identifier: Identifier, text: str) -> None:
    assert identifier_texts([identifier]) == (text,)


def test_the_strongest_identifier_stands_for_the_customer() -> None:
    assert strongest(["phone:+1", "device:z", "email:a@b", "handle:x:a"]) == "email:a@b"
    assert strongest(["customer_number:9", "email:a@b"]) == "customer_number:9"
    assert strongest([]) == ""


@given(st.permutations(["phone:1", "phone:2", "other:x", "handle:x:a", "handle:x:b"]))
def test_which_is_the_strongest_does_not_depend_on_their_order(some: list[str]) -> None:
    assert strongest(some) == "phone:1"


def test_keys_differ_by_tenant_and_nobody_has_none() -> None:
    assert customer_key("a", "phone:1") != customer_key("b", "phone:1")
    assert customer_key("a", "phone:1") == customer_key("a", "phone:1")
    assert customer_key("a", "") == ""
