"""Laws of the fold: within lateness, what is read depends on what happened, not on its delivery."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.fold.rules import FoldRules
from tests.oracle.batch import tables_of
from tests.support.contact_centre import delivered, shifts
from tests.support.fold import (
    Happening,
    differences,
    folded,
    log_of,
    oracle_rules,
)

LATENESS_MS = 600_000
RULES = FoldRules(
    lateness_ms=LATENESS_MS,
    # Longer than any silence within a contact, and short enough for many to be let go.
    horizons_ms=dict.fromkeys(("call", "chat", "email", "social"), 1_200_000),
    forget_open_ms=3_000_000,
)


@settings(max_examples=150)
@given(data=st.data(), told=shifts(), partitions=st.sampled_from([1, 4, 16]))
def test_any_order_repetition_and_split_gives_the_same_tables(
    data: st.DataObject, told: list[Happening], partitions: int
) -> None:
    expected = folded(log_of(told), RULES).what_happened()
    shuffled = data.draw(delivered(told, LATENESS_MS))
    assert folded(log_of(shuffled, partitions), RULES).what_happened() == expected


@settings(max_examples=150)
@given(data=st.data(), told=shifts())
def test_fold_and_oracle_agree_on_every_row_of_a_shift(
    data: st.DataObject, told: list[Happening]
) -> None:
    log = log_of(data.draw(delivered(told, LATENESS_MS)), partitions=2)
    expected = tables_of(log, oracle_rules(RULES))
    assert differences(folded(log, RULES).as_tables(), expected) == []
    assert not expected.late_events
