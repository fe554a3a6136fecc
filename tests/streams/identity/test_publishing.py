"""Which links are published: new ones, and each but once while it is remembered."""

from typing import Any

from schemas.identity_rows import IdentityLinkRow
from streams.identity.publishing import PublishedLinks
from tests.support.rows import row

A, B = "phone:+491", "email:a@example.org"


def link(key: str = "a", other: str = "b", at: int = 10, **changed: Any) -> tuple[Any, ...]:
    fields = {"customer_key": key, "other_key": other, "identifier": A, "other_identifier": B}
    return row(IdentityLinkRow, **fields, happened_at=at, **changed)


def test_a_link_is_published_once_from_one_of_its_ends() -> None:
    links = PublishedLinks()
    new = links.new([link(), link("b", "a")])
    (message,) = new["a", "b"]
    assert (message.to, message.edges[0].kind_a, message.edges[0].seen_at) == ("a", "phone", 10)
    # Not acknowledged yet: it is still new.
    assert links.new([link()]) == new
    links.published(new.values())
    assert links.new([link()]) == {}
    assert links.new([link(at=11)]) == {}


def test_earlier_evidence_is_news() -> None:
    links = PublishedLinks()
    links.published(links.new([link(at=10)]).values())
    links.published(links.new([link(at=4)]).values())
    assert links.new([link(at=4)]) == links.new([link(at=10)]) == {}


def test_what_a_person_says_is_always_published() -> None:
    links = PublishedLinks()
    for rule in ("customer.linked", "customer.unlinked"):
        for _ in range(2):
            new = links.new([link(rule=rule)])
            assert len(new) == 1
            links.published(new.values())


def test_what_is_forgotten_is_published_again_and_no_more_is_kept_than_allowed() -> None:
    links = PublishedLinks(remembered=2)
    for other in ("b", "c", "d"):
        links.published(links.new([link("a", other)]).values())
    assert links.new([link("a", "d")]) == {}
    assert links.new([link("a", "c")]) == {}
    assert links.new([link("a", "b")]) != {}
