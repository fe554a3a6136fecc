"""What a fold has to say: rows by table, and what it counted. Pure.

Rows are plain tuples in the column order of `schemas.rows`.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from schemas.rows import Row
from streams.fold.interaction import Interaction
from streams.fold.state import InteractionState

Rows = dict[type[Row], list[tuple[Any, ...]]]


@dataclass(slots=True)
class Output:
    """Rows that are due, and counts since the last time; both are taken by `PartitionFold.drain`."""

    rows: Rows = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (what, which): ("event", "stored" | "dead_letter"), ("late", "applied" | "unknown"),
    ("skewed", source), ("repeated", ""), ("dead_letter", reason)."""


def interaction_row(
    state: InteractionState,
    known: Interaction,
    channel: str,
    customer: str,
    position: tuple[str, int],
    version: int,
) -> tuple[Any, ...]:
    """The row of an interaction as it is known now; `position` is (log, source partition)."""
    visits = known.visits
    legs = visits + [leg for leg in known.legs if not leg.queue]
    return (
        state.tenant,
        state.interaction_id,
        channel,
        known.direction,
        known.purpose,
        known.language,
        known.site,
        state.opened_at,
        known.started_at,
        known.last_event_at,
        known.ended_at if known.status != "open" else None,
        known.status,
        known.ended_by,
        known.disposition,
        None if known.resolved is None else int(known.resolved),
        known.topic,
        known.linked_to,
        customer,
        known.customer_name,
        list(known.identifiers),
        list(known.agents),
        sum(leg.wait_ms or 0 for leg in legs),
        sum(leg.talk_ms or 0 for leg in legs),
        sum(leg.hold_ms for leg in legs),
        sum(leg.wrapup_ms or 0 for leg in legs),
        len(known.misses),
        known.transfers,
        *known.messages,
        known.first_response_ms,
        known.disagreements,
        len(state.facts),
        [v.queue for v in visits],
        [v.entered_at for v in visits],
        [v.exited_at for v in visits],
        [v.concluded_at for v in visits],
        [v.outcome or "open" for v in visits],
        [v.agent for v in visits],
        [v.wait_ms for v in visits],
        [v.talk_ms for v in visits],
        [v.hold_ms for v in visits],
        [v.holds for v in visits],
        [v.wrapup_ms for v in visits],
        [v.ring_ms for v in visits],
        [v.missed_rings for v in visits],
        [v.transfer for v in visits],
        *position,
        version,
    )
