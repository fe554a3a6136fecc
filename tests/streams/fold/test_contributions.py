"""What interactions and agents' states contribute to panes."""

from collections import Counter

from hypothesis import given

from schemas.rows import AgentPaneRow, ConversationPaneRow, KpiPaneRow, Row
from streams.fold.contributions import QUIET, contributions_of, state_contributions
from streams.fold.conversation_panes import COUNTS as CONVERSATION_COUNTS
from streams.fold.interaction import interaction_of, told_more
from streams.fold.panes import (
    AGENT_COUNTS,
    QUEUE_COUNTS,
    Contribution,
    PaneKey,
    table_of,
)
from tests.support.contact_centre import contacts
from tests.support.fold import Happening, fact_told, happening, told

NAMES: dict[type[Row], tuple[str, ...]] = {
    KpiPaneRow: QUEUE_COUNTS,
    ConversationPaneRow: CONVERSATION_COUNTS,
    AgentPaneRow: AGENT_COUNTS,
}


def read(contributions: list[Contribution]) -> dict[PaneKey, Counter[str]]:
    """Counts by name, of several contributions to a pane together."""
    panes: dict[PaneKey, Counter[str]] = {}
    for contribution in contributions:
        key, sparse = contribution.key, contribution.counts
        names = NAMES[table_of(key)]
        counts = panes.setdefault(key, Counter())
        for at in range(0, len(sparse), 2):
            counts[names[sparse[at]]] += sparse[at + 1]
    return panes


CALL = (
    happening(8, "queue.entered", queue="IT"),
    happening(12, "agent.missed", agent="bob", queue="IT"),
    happening(28, "queue.exited", queue="IT", reason="answered"),
    happening(28, "agent.connected", agent="ada", queue="IT", ring_seconds=4),
    happening(128, "interaction.ended", by="agent"),
    happening(140, "wrapup.ended", wrapup_seconds=10),
)


def test_a_visit_counts_when_it_was_offered_and_when_it_was_concluded() -> None:
    panes = read(contributions_of(told(*CALL), "t", "call"))
    place = ("t", "IT", "call", "inbound")
    expected = {
        "offered": 1, "answered": 1, "missed_rings": 1, "wait_answered_ms": 20_000,
        "ring_ms": 4_000, "rung": 1, "ended": 1, "talk_ms": 100_000,
        "wrapup_ms": 10_000, "wrapped_up": 1,
    }  # fmt: skip
    assert panes[*place, "offered", 0] == expected
    assert panes[*place, "ended", 140] == expected


def test_agents_count_answers_misses_and_what_they_handled_in_their_panes() -> None:
    panes = read(contributions_of(told(*CALL), "t", "call"))
    assert panes["t", "ada", 0] == {
        "answered": 1, "ring_ms": 4_000, "handled": 1, "talk_ms": 100_000, "wrapup_ms": 10_000,
    }  # fmt: skip
    assert panes["t", "bob", 0] == {"missed": 1}


def test_a_contact_that_waits_is_offered_and_nothing_else() -> None:
    panes = read(contributions_of(told(CALL[0]), "t", "call"))
    assert panes == {("t", "IT", "call", "inbound", "offered", 0): {"offered": 1}}


def test_a_call_out_counts_attempts_and_connections_apart_from_answers() -> None:
    known = told(
        happening(0, "interaction.started", direction="outbound", agent="ada"),
        happening(305, "agent.connected", agent="ada"),
    )
    panes = read(contributions_of(known, "t", "call"))
    assert panes == {
        ("t", "ada", 0): {"outbound_attempted": 1},
        ("t", "ada", 300): {"outbound_connected": 1},
    }


def test_time_in_a_state_is_cut_at_panes_and_time_offline_is_left_out() -> None:
    found = state_contributions(
        "t", "ada", [(200_000, 650_000, "paused"), (650_000, 999_000, "offline")]
    )
    assert read(found) == {
        ("t", "ada", 0): {"state_paused_ms": 100_000},
        ("t", "ada", 300): {"state_paused_ms": 300_000},
        ("t", "ada", 600): {"state_paused_ms": 50_000},
    }


@given(contacts(0))
def test_every_answered_visit_is_counted_once_wherever_it_is_looked_at(
    happenings: list[Happening],
) -> None:
    known = told(*happenings)
    panes = read(contributions_of(known, "t", "call"))
    for cohort, visits in (
        ("offered", known.visits),
        ("ended", [v for v in known.visits if v.concluded_at is not None]),
    ):
        of_cohort = [c for k, c in panes.items() if table_of(k) is KpiPaneRow and k[4] == cohort]
        assert sum(c["offered"] for c in of_cohort) == len(visits)
        assert sum(c["answered"] for c in of_cohort) == sum(v.outcome == "answered" for v in visits)
        assert sum(c["talk_ms"] for c in of_cohort) == sum(v.talk_ms or 0 for v in visits)


@given(contacts(0))
def test_a_quiet_fact_that_comes_last_changes_no_contribution(happenings: list[Happening]) -> None:
    facts = sorted(map(fact_told, happenings), key=lambda fact: (fact.at, fact.rank, fact.key))
    known = interaction_of(facts[:1])
    for fact in facts[1:]:
        before = [c.save() for c in contributions_of(known, "t", "call")]
        if not told_more(known, fact):
            break
        if fact.kind in QUIET:
            assert [c.save() for c in contributions_of(known, "t", "call")] == before


@given(contacts(0))
def test_no_duration_that_is_contributed_is_negative(happenings: list[Happening]) -> None:
    contributions = contributions_of(told(*happenings), "t", "call")
    assert all(n >= 0 for c in contributions for n in (*c.counts, *c.waits))
