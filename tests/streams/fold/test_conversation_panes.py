"""What a conversation adds to panes, wherever its contact is told from."""

from schemas.rows import ConversationPaneRow
from streams.fold.contributions import contributions_of
from streams.fold.conversation_panes import SKETCH_SPAN, sketches_of
from streams.fold.interaction import interaction_of, told_more
from streams.fold.panes import Pane, PaneKey, empty_pane, pane_row
from streams.fold.rules import FoldRules
from tests.support.fold import Happening, happening, told

THREAD = (
    happening(0, "interaction.started"),
    happening(0, "message.received", author="customer"),
    happening(2, "queue.entered", queue="IT"),
    happening(60, "message.sent", author="agent", agent="ada"),
    happening(65, "ticket.status_changed", status="solved"),
    happening(300, "message.received", author="customer"),
    happening(301, "ticket.status_changed", status="open"),
    happening(330, "message.sent", author="agent", agent="ada"),
    happening(340, "ticket.status_changed", status="solved"),
)


def rows(*happenings: Happening) -> dict[int, dict[str, object]]:
    """By the seconds at which they begin, the panes of what these say, without zeroes."""
    panes: dict[PaneKey, Pane] = {}
    for contribution in contributions_of(told(*happenings), "t", "email"):
        key = contribution.key
        if len(key) == 5:
            pane = panes.setdefault(key, empty_pane(key, 0, FoldRules()))
            pane.add(contribution, 1)
    found: dict[int, dict[str, object]] = {}
    for key, pane in panes.items():
        row: dict[str, object] = dict(
            zip(ConversationPaneRow.columns(), pane_row(pane, ("log", 0), 1), strict=True)
        )
        counted = ConversationPaneRow.columns()[
            ConversationPaneRow.columns().index("version") + 1 :
        ]
        assert row["queue"] == "IT"
        found[key[-1]] = {name: row[name] for name in counted if row[name]}
    return found


def test_every_figure_counts_where_and_when_it_happened() -> None:
    found = rows(*THREAD)
    sketches = {
        at: {n: sum(b.values()) for n, b in p.items() if isinstance(b, dict)}
        for at, p in found.items()
    }
    counts = {
        at: {n: v for n, v in p.items() if not isinstance(v, dict)} for at, p in found.items()
    }
    assert counts == {
        60: {
            "first_responses": 1,
            "first_response_ms": 60_000,
            "replies": 1,
            "reply_ms": 60_000,
            "first_resolutions": 1,
            "first_resolution_ms": 65_000,
        },
        330: {"replies": 1, "reply_ms": 30_000},
        340: {"full_resolutions": 1, "full_resolution_ms": 340_000},
    }
    assert sketches == {
        60: {"first_response_bins": 1, "reply_bins": 1, "first_resolution_bins": 1},
        330: {"reply_bins": 1},
        340: {"full_resolution_bins": 1},
    }


def test_what_is_taken_back_leaves_nothing() -> None:
    for contribution in contributions_of(told(*THREAD), "t", "email"):
        pane = empty_pane(contribution.key, 0, FoldRules())
        pane.add(contribution, 1)
        pane.add(contribution, -1)
        assert not any(pane.counts)
        assert not pane.bins


def test_sketches_lie_side_by_side_in_one_map() -> None:
    found = sketches_of({-1: 2, 7: 1, SKETCH_SPAN - 1: 3, SKETCH_SPAN: 4, 3 * SKETCH_SPAN + 5: 6})
    assert found == ({-1: 2, 7: 1}, {-1: 3, 0: 4}, {}, {5: 6})


def test_one_more_message_adds_to_what_was_made_of_those_before() -> None:
    facts = [told(h).last_fact for h in THREAD]
    known = interaction_of(facts[:1])
    for number, fact in enumerate(facts[1:], 2):
        if not told_more(known, fact):
            known = interaction_of(facts[:number])
        made = contributions_of(known, "t", "email")
        anew = contributions_of(interaction_of(facts[:number]), "t", "email")
        assert [one.save() for one in made] == [one.save() for one in anew]
