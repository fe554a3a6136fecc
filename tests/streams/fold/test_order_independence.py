"""Laws of the fold: within lateness, what is read depends on what happened, not on its delivery."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rows import AgentPaneRow, CustomerInteractionRow, InteractionRow, KpiPaneRow
from streams.fold.rules import FoldRules
from tests.oracle.batch import tables_of
from tests.support.contact_centre import delivered, shifts
from tests.support.fold import (
    Happening,
    UpsertStore,
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
NOT_OF_WHAT_HAPPENED = {"opened_at", "log", "source_partition", "version"}


def read(store: UpsertStore) -> dict[str, Any]:
    """What can be read of interactions and KPIs, wherever its parts lie."""
    content = store.content()
    interactions = content.get(InteractionRow.TABLE, {})
    return {
        "interactions": {
            key: {n: v for n, v in row.items() if n not in NOT_OF_WHAT_HAPPENED}
            for key, row in interactions.items()
        },
        "customer_interactions": content.get(CustomerInteractionRow.TABLE, {}),
        "kpi_panes": store.summed(KpiPaneRow),
        "agent_panes": store.summed(AgentPaneRow),
    }


@settings(max_examples=150)
@given(data=st.data(), told=shifts(), partitions=st.sampled_from([1, 4, 16]))
def test_any_order_repetition_and_split_gives_the_same_tables(
    data: st.DataObject, told: list[Happening], partitions: int
) -> None:
    expected = read(folded(log_of(told), RULES))
    shuffled = data.draw(delivered(told, LATENESS_MS))
    assert read(folded(log_of(shuffled, partitions), RULES)) == expected


@settings(max_examples=150)
@given(data=st.data(), told=shifts())
def test_fold_and_oracle_agree_on_every_row_of_a_shift(
    data: st.DataObject, told: list[Happening]
) -> None:
    log = log_of(data.draw(delivered(told, LATENESS_MS)), partitions=2)
    expected = tables_of(log, oracle_rules(RULES))
    assert differences(folded(log, RULES).as_tables(), expected) == []
    assert not expected.late_events
