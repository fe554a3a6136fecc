"""Marks of what was erased: whose they are cannot be told, and they hold up to their time."""

from types import SimpleNamespace

from schemas.events import Identifier
from streams.identity.erased import Erased, mark_of
from streams.identity.normalise import Identifiers

KEY, HOW = b"key", Identifiers()
ADA = Identifier(kind="email", value="Ada@example.org")


def marked(what: str, value: str, at: int = 10, tenant: str = "t") -> Erased:
    return Erased(KEY, {mark_of(KEY, tenant, what, value): at})


def test_a_mark_needs_the_key_and_tells_tenants_and_kinds_apart() -> None:
    mark = mark_of(KEY, "t", "contact", "call-1")
    assert "call-1" not in mark
    others = [
        mark_of(b"another", "t", "contact", "call-1"),
        mark_of(KEY, "u", "contact", "call-1"),
        mark_of(KEY, "t", "identifier", "call-1"),
    ]
    assert mark not in others


def test_what_happened_up_to_the_erasure_is_covered_and_what_came_later_is_not() -> None:
    erased = marked("contact", "call-1", at=10)
    assert erased.covers("t", "call-1", None, 10, HOW)
    assert not erased.covers("t", "call-1", None, 11, HOW)
    assert not erased.covers("u", "call-1", None, 10, HOW)


def test_an_event_is_covered_by_whatever_names_the_customer() -> None:
    erased = marked("identifier", "email:ada@example.org")
    for data in (
        SimpleNamespace(customer=SimpleNamespace(identifiers=(ADA,))),
        SimpleNamespace(identifiers=(ADA,)),
        SimpleNamespace(a=Identifier(kind="phone", value="+49123456"), b=ADA),
    ):
        assert erased.covers("t", "new", data, 5, HOW)
    assert erased.covers("t", "Ada@Example.org", SimpleNamespace(), 5, HOW)
    assert not erased.covers("t", "call-2", SimpleNamespace(), 5, HOW)


def test_nothing_is_covered_without_marks_and_learning_tells_what_is_new() -> None:
    erased = Erased(KEY)
    assert not erased
    assert not erased.covers("t", "call-1", None, 0, HOW)
    marks = {mark_of(KEY, "t", "contact", "call-1"): 10}
    assert erased.learn(marks)
    assert not erased.learn(marks)
    assert erased.covers("t", "call-1", None, 0, HOW)
