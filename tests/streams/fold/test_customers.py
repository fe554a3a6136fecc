"""The customer of an interaction: which identifier is the strongest, and its key."""

from hypothesis import given
from hypothesis import strategies as st

from streams.fold.customers import customer_key, strongest


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
