"""What a root makes of its edges, a part at a time."""

from streams.identity.edges import SHOWN, Edge, edge
from streams.identity.guards import Limits, Verdict
from streams.identity.roots import News, Root

LIMITS = Limits(identifiers=4, of_kind={})


def seen(one: str, other: str) -> Edge:
    return edge((one, "phone"), (other, "phone"), at=1, rule=SHOWN, evidence="i")


def test_an_edge_of_two_that_become_shared_at_once_is_quarantined() -> None:
    root, news = Root("t"), News()
    root.take(seen("a", "b"), LIMITS, news)
    assert root.resolved(LIMITS, news).verdicts == {("a", "b"): Verdict("applied")}
    news = News()
    for hub in "ab":
        for other in "cdef":
            root.take(seen(hub, other), LIMITS, news)
    customers, verdicts = root.resolved(LIMITS, news)
    assert set(root.shared) >= {"a", "b"}
    assert verdicts["a", "b"] == Verdict("quarantined", "shared_identifier")
    assert customers == {key: key for key in "abcdef"}
