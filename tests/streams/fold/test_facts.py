"""Events as facts."""

from itertools import pairwise

import pytest

from schemas.events import EVENT_DATA
from streams.fold.facts import FACT_PARTS, UNMEASURED, fact_of, in_order, key_of, ms_of

ORDER = [
    ("interaction.started", {}),
    ("ivr.entered", {}),
    ("queue.entered", {"queue": "q"}),
    ("agent.offered", {"agent": "a"}),
    ("agent.missed", {"agent": "a"}),
    ("queue.exited", {"queue": "q", "reason": "timed_out"}),
    ("queue.exited", {"queue": "q", "reason": "answered"}),
    ("agent.connected", {"agent": "a"}),
    ("hold.started", {}),
    ("hold.ended", {}),
    ("transfer.started", {"kind": "blind"}),
    ("transfer.completed", {"kind": "blind"}),
    ("interaction.ended", {"by": "agent"}),
    ("wrapup.started", {}),
    ("wrapup.ended", {}),
    ("survey.submitted", {"kind": "csat", "score": 1.0, "scale_max": 5.0}),
]


def test_facts_of_one_instant_are_in_causal_order() -> None:
    facts = [
        fact_of(kind, EVENT_DATA[kind].model_validate(data), 0, key)
        for key, (kind, data) in zip(range(99, 0, -1), ORDER, strict=False)
    ]
    assert all(second.follows(first) for first, second in pairwise(facts))
    assert in_order(reversed(facts)) == facts


def test_every_event_of_an_interaction_is_a_fact_and_no_other() -> None:
    elsewhere = ("agent.state_changed", "agent.scheduled", "selfservice.", "campaign.", "customer.")
    expected = {kind for kind in EVENT_DATA if not kind.startswith(elsewhere)}
    assert set(FACT_PARTS) == expected


@pytest.mark.parametrize(
    ("seconds", "milliseconds"), [(None, UNMEASURED), (0.0, 0), (1.2345, 1234), (2, 2000)]
)
def test_durations_are_whole_milliseconds(seconds: float | None, milliseconds: int) -> None:
    assert ms_of(seconds) == milliseconds


def test_an_identity_is_source_and_id_together() -> None:
    assert len({key_of("a", "bc"), key_of("ab", "c"), key_of("a", "b"), key_of("b", "a")}) == 4
