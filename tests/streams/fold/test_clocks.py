from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from streams.fold.clocks import Clocks
from streams.fold.expiry import MINUTE_MS, minute_of
from streams.fold.interaction_state import InteractionState
from streams.fold.state import NEVER, State
from tests.support.fold import MONDAY_MS

LATE_MS = 5 * MINUTE_MS
HORIZON_MS = 120 * MINUTE_MS
MONTH_MS = 30 * 24 * 60 * MINUTE_MS
SOURCE = "pbx"

Step = tuple[int, Literal["open", "ended", "restart"], int, int]
"""Who, what, how much later than the step before, and how late it is told."""
steps = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(("open", "ended", "restart")),
        st.integers(0, 3 * HORIZON_MS),
        st.sampled_from((0, 0, MINUTE_MS, HORIZON_MS, 2 * HORIZON_MS)),
    ),
    max_size=40,
)


def clocks_of(state: State) -> Clocks:
    return Clocks(state, LATE_MS, HORIZON_MS, MONTH_MS)


def tell(state: State, clocks: Clocks, name: str, at: int, *, ended: bool) -> None:
    """An event at `at`, after which the contact has ended or is open: as `PartitionFold` does.

    `opened_at` stands for the time of its latest event.
    """
    subject = ("default", name)
    contact = state.interactions.get(subject)
    if contact is None:
        contact = state.interactions[subject] = InteractionState(subject, SOURCE, at, {})
    contact.opened_at = max(contact.opened_at, at)
    before = contact.expires_at
    contact.expires_at = contact.opened_at + (HORIZON_MS if ended else MONTH_MS) + LATE_MS
    if not before:
        clocks.expect(contact, at)
    elif contact.expires_at < before:
        clocks.sooner(contact)


@given(steps)
def test_who_is_due_goes_at_the_first_tick_from_then_on_whatever_was_said_between(
    told: list[Step],
) -> None:
    state, at = State(), MONDAY_MS
    clocks = clocks_of(state)
    clocks.advance(SOURCE, at)
    for who, what, later, late in told:
        ticks = minute_of(at + later) != minute_of(at)
        at += later
        if what == "restart":
            clocks = clocks_of(state)
        else:
            tell(state, clocks, f"call-{who}", at - late, ended=what == "ended")
        minute = minute_of(at) if ticks else NEVER
        due = {s for s, contact in state.interactions.items() if contact.due <= minute}
        come = clocks.advance(SOURCE, at)
        gone = [] if come is None else [contact.subject for contact in come.interactions]
        assert len(gone) == len(set(gone))
        assert set(gone) == due
        assert not due & state.interactions.keys()


def test_of_those_that_ended_and_were_let_go_nothing_is_listed() -> None:
    state = State()
    clocks = clocks_of(state)
    for minute in range(3_000):
        at = MONDAY_MS + minute * MINUTE_MS
        tell(state, clocks, f"call-{minute}", at, ended=False)
        tell(state, clocks, f"call-{minute}", at, ended=True)
        clocks.advance(SOURCE, at)
    assert len(state.interactions) == HORIZON_MS // MINUTE_MS + LATE_MS // MINUTE_MS + 1
    assert clocks.listed == len(state.interactions)


def test_one_that_stays_open_is_listed_once() -> None:
    state = State()
    clocks = clocks_of(state)
    tell(state, clocks, "call-1", MONDAY_MS, ended=False)
    for hour in range(20 * 24):
        clocks.advance(SOURCE, MONDAY_MS + hour * 60 * MINUTE_MS)
        assert clocks.listed == 1
    assert len(state.interactions) == 1


def test_an_end_that_is_told_late_of_one_that_was_put_off_lets_it_go_as_soon_as_it_is_due() -> None:
    state = State()
    clocks = clocks_of(state)
    tell(state, clocks, "call-1", MONDAY_MS, ended=False)
    clocks.advance(SOURCE, MONDAY_MS)
    put_off_at = MONDAY_MS + HORIZON_MS + LATE_MS + MINUTE_MS
    clocks.advance(SOURCE, put_off_at)
    assert clocks.listed == len(state.interactions) == 1
    tell(state, clocks, "call-1", MONDAY_MS + MINUTE_MS, ended=True)
    clocks.advance(SOURCE, put_off_at + MINUTE_MS)
    assert not state.interactions
