"""What the oracle reads in events that state who is one customer; expectations are by hand."""

from collections.abc import Mapping

from schemas.topics import EVENTS_CUSTOMER
from streams.fold.rules import FoldRules
from tests.oracle.batch import tables_of
from tests.oracle.contact import customer_key
from tests.oracle.identity import Evidence, partition
from tests.support.fold import LATER_MS, MONDAY_MS, Happening, happening, log_of, oracle_rules

PHONE = {"kind": "phone", "value": "+49 30 1234567"}
MAIL = {"kind": "email", "value": "Ada@example.org"}
NUMBER = {"kind": "customer_number", "value": "K-7"}
OTHER = {"kind": "customer_number", "value": "K-8"}
P, M, N, N_OTHER = (
    customer_key("default", text)
    for text in (
        *("phone:+49301234567", "email:ada@example.org"),
        *("customer_number:K-7", "customer_number:K-8"),
    )
)


def told(at_seconds: float, what: str, *, id: str = "", **data: object) -> Happening:  # noqa: A002
    return happening(at_seconds, f"customer.{what}", "k-7", on=EVENTS_CUSTOMER, id=id, **data)


def evidence_of(*happenings: Happening) -> Evidence:
    return tables_of(log_of(happenings), oracle_rules(FoldRules())).evidence


def customers(evidence: Evidence) -> tuple[Mapping[str, str], Mapping[tuple[str, str], str]]:
    said = evidence.said["default"]
    return partition(said, evidence.kinds, most=50, most_of_kind={}, strong="customer_number")


def pair(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)


def test_whoever_is_identified_is_linked_each_with_each_under_the_event() -> None:
    found = evidence_of(told(5, "identified", id="e-1", identifiers=[PHONE, MAIL, NUMBER, PHONE]))
    both_ways = [(P, M), (M, P), (P, N), (N, P), (M, N), (N, M)]
    assert found.links == {
        ("default", *ends, "customer.identified", "pbx e-1"): MONDAY_MS + 5_000
        for ends in both_ways
    }
    assert found.kinds == {P: "phone", M: "email", N: "customer_number"}
    assert set(customers(found)[0].values()) == {min(P, M, N)}


def test_one_identifier_or_the_same_twice_links_nothing() -> None:
    spelt_otherwise = MAIL | {"value": "ADA@EXAMPLE.ORG"}
    found = evidence_of(
        told(1, "identified", identifiers=[PHONE]), told(2, "linked", a=MAIL, b=spelt_otherwise)
    )
    assert not found.links
    assert not found.said


def test_what_is_unlinked_is_apart_until_somebody_links_it_again() -> None:
    seen = told(10, "identified", identifiers=[PHONE, MAIL])
    gone = told(20, "unlinked", a=MAIL, b=PHONE)
    seen_again = told(30, "identified", identifiers=[PHONE, MAIL])
    back = told(40, "linked", a=PHONE, b=MAIL, rule="manual")
    of_key, states = customers(evidence_of(seen, gone, seen_again))
    assert of_key == {P: P, M: M}
    assert states == {pair(P, M): "unlinked"}
    for order in ([seen, gone, seen_again, back], [back, seen_again, gone, seen]):
        of_key, states = customers(evidence_of(*order))
        assert of_key == {P: min(P, M), M: min(P, M)}
        assert states == {pair(P, M): "applied"}


def test_an_unlink_of_what_nobody_linked_is_an_edge_that_is_out() -> None:
    found = evidence_of(told(1, "unlinked", a=PHONE, b=MAIL, id="e-1"))
    assert {key[3:] for key in found.links} == {("customer.unlinked", "pbx e-1")}
    assert customers(found)[1] == {pair(P, M): "unlinked"}


def test_a_link_by_hand_does_not_make_one_customer_of_two_numbers() -> None:
    states = customers(evidence_of(told(1, "linked", a=NUMBER, b=OTHER)))[1]
    assert states == {pair(N, N_OTHER): "quarantined"}


def test_an_event_counts_no_later_than_its_broker_allows() -> None:
    rules = FoldRules()
    ahead = told((LATER_MS - MONDAY_MS) / 1000 + 86_400, "linked", a=PHONE, b=MAIL)
    assert set(evidence_of(ahead).links.values()) == {LATER_MS + rules.max_skew_ms}
