"""From changes of an agent's state to how long they were in each."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.fold.agents import LONGEST_STATE_MS, AgentTimeline, Stretch, overall

HOUR = 3_600_000


def timeline(*changes: tuple[int, str, str]) -> AgentTimeline:
    told = AgentTimeline("t", "ada")
    for key, (at, queue, state) in enumerate(changes):
        told.take((at, key, queue, state))
    return told


def test_each_state_lasts_until_the_next_change() -> None:
    told = timeline((0, "", "available"), (10, "", "on_contact"), (40, "", "offline"))
    assert told.stretches == [(0, 10, "available"), (10, 40, "on_contact")]


def test_nothing_is_known_before_the_first_change_or_after_the_last() -> None:
    assert timeline((5, "", "available")).stretches == []
    assert timeline().stretches == []


@pytest.mark.parametrize(
    ("scopes", "state"),
    [
        ({}, "offline"),
        ({"": "available"}, "available"),
        ({"IT": "available"}, "available"),
        ({"IT": "paused", "sales": "available"}, "available"),
        ({"IT": "paused", "sales": "offline"}, "paused"),
        ({"": "available", "IT": "paused"}, "paused"),
        ({"": "on_contact", "IT": "available"}, "on_contact"),
        ({"": "paused", "IT": "available"}, "paused"),
        ({"IT": "wrapup", "sales": "on_contact"}, "on_contact"),
    ],
)
def test_states_in_several_queues_make_one(scopes: dict[str, str], state: str) -> None:
    assert overall(scopes) == state


def test_joining_a_queue_after_a_log_off_is_being_there_and_leaving_one_is_not() -> None:
    joined = timeline((0, "", "offline"), (1, "IT", "available"), (2, "", "offline"))
    assert joined.stretches == [(0, 1, "offline"), (1, 2, "available")]
    left = timeline((0, "", "offline"), (1, "IT", "offline"), (2, "", "available"))
    assert [state for _, _, state in left.stretches] == ["offline", "offline"]


def test_a_pause_as_a_whole_ends_with_being_available_in_one_queue() -> None:
    told = timeline(
        (0, "IT", "available"), (1, "", "paused"), (2, "IT", "available"), (9, "", "offline")
    )
    assert [state for _, _, state in told.stretches] == ["available", "paused", "available"]


def test_a_log_off_ends_memberships() -> None:
    told = timeline(
        (0, "IT", "available"), (1, "", "offline"), (2, "sales", "paused"), (3, "", "offline")
    )
    assert [state for _, _, state in told.stretches] == ["available", "offline", "paused"]


@pytest.mark.parametrize(
    ("before", "together", "after"),
    [
        ("paused", ("available", "paused"), "paused"),
        ("available", ("paused", "available"), "available"),
        ("available", ("offline", "available"), "available"),
        ("paused", ("available", "offline"), "offline"),
        ("offline", ("available", "paused"), "paused"),
        ("on_contact", ("wrapup", "available"), "available"),
        ("available", ("on_contact", "wrapup"), "wrapup"),
    ],
)
def test_changes_of_one_second_are_put_into_the_order_that_makes_sense(
    before: str, together: tuple[str, str], after: str
) -> None:
    for some in permutations(together):
        told = timeline((0, "IT", before), *((5, "IT", s) for s in some), (9, "IT", "offline"))
        assert told.stretches == [(0, 5, before), (5, 9, after)]


def test_settling_changes_no_stretch_that_is_still_to_come() -> None:
    changes = [
        (0, "", "available"),
        (10, "IT", "paused"),
        (10, "IT", "available"),
        (30, "", "offline"),
    ]
    whole = timeline(*changes)
    for before in range(40):
        part = timeline(*changes)
        part.settle(before)
        settled_at = -1 if part.settled_at is None else part.settled_at
        assert part.stretches == [s for s in whole.stretches if s[0] >= settled_at]
        assert all(change[0] >= before for change in part.changes.values())


def test_what_is_settled_takes_no_earlier_change() -> None:
    told = timeline((10, "", "available"))
    assert not told.is_settled(5)
    told.settle(11)
    assert told.is_settled(5)
    assert told.is_settled(10)
    assert not told.is_settled(11)


def test_a_state_whose_end_was_lost_is_counted_up_to_a_week() -> None:
    told = timeline((0, "", "available"), (LONGEST_STATE_MS * 50, "", "offline"))
    assert told.stretches == [(0, LONGEST_STATE_MS, "available")]


_CHANGES = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from(("", "IT", "sales")),
        st.sampled_from(("available", "on_contact", "wrapup", "paused", "offline")),
    ),
    max_size=12,
)


@given(_CHANGES, st.randoms(use_true_random=False))
def test_any_order_of_arrival_makes_the_same_stretches_by_differences(
    changes: list[tuple[int, str, str]], dice: object
) -> None:
    """Also: what goes and what comes, added up, is what is there in the end."""
    numbered = [(at, key, queue, state) for key, (at, queue, state) in enumerate(changes)]
    in_order = AgentTimeline("t", "ada")
    for change in sorted(numbered):
        in_order.take(change)
    shuffled = AgentTimeline("t", "ada")
    dice.shuffle(numbered)  # type: ignore[attr-defined]
    contained = Counter[Stretch]()
    for change in numbered:
        gone, come = shuffled.take(change)
        contained.subtract(gone)
        contained.update(come)
    assert shuffled.stretches == in_order.stretches
    assert +contained == Counter(set(in_order.stretches))
    assert min(contained.values(), default=0) >= 0
