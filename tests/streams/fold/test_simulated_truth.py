"""The fold of simulated days of every temperament says of each contact what the model decided."""

import random
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rows import InteractionRow
from simulator.run import Run
from simulator.settings import Simulation
from streams.fold.rules import FoldRules
from tests.simulator.centres import centres
from tests.support.fold import LATER_MS, Log, Record, folded
from tests.truth.rows import row_of

PATIENT = FoldRules(lateness_ms=1 << 40)


@settings(max_examples=12)
@given(centres(), st.none() | st.integers(0, 99))
def test_rows_say_what_happened_in_whatever_order_it_is_told(
    simulation: Simulation, shuffled: int | None
) -> None:
    run = Run(simulation)
    rows = {
        row["interaction_id"]: row
        for row in folded(log_of(run, shuffled), PATIENT).tables[InteractionRow].values()
    }
    assert rows.keys() == {contact.interaction for contact in run.truth.contacts}
    for contact in run.truth.contacts:
        row = rows[contact.interaction]
        for name, expected in row_of(contact, simulation.start_at).items():
            found = sorted(row[name]) if name == "agents" else row[name]
            assert found == in_milliseconds(expected), (contact.interaction, name)


def log_of(run: Run, shuffled: int | None) -> Log:
    events = list(run.deliveries())
    if shuffled is not None:
        random.Random(shuffled).shuffle(events)  # noqa: S311 -- to shuffle, not to hide
    log: Log = {}
    for event in events:
        records = log.setdefault((event.topic, 0), [])
        records.append(Record(len(records), LATER_MS, event.subject.encode(), event.value))
    return log


def in_milliseconds(value: Any) -> Any:
    """As rows hold instants before the store makes times of them."""
    if isinstance(value, list):
        return [in_milliseconds(item) for item in value]
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value
