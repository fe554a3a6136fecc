"""Rows of what events say that is counted when it is read: surveys, menus, self-service, states.

One row an event, under the event's identity and with the version of its row in `events`: the first
telling stays. So these rows need no state, and their order does not matter. Names inside `labels`
and `numbers` are those of the event's fields: an event type whose facts are worth counting needs
no column of its own. Pure.
"""

from typing import Annotated

from schemas.rows import U64, Instant, MaybeU8, Row, Str, Strs, Symbol

Labels = Annotated[dict[str, str], "Map(LowCardinality(String), String)"]
Numbers = Annotated[dict[str, float], "Map(LowCardinality(String), Float64)"]
MaybeSlots = Annotated[int | None, "Nullable(UInt32)"]


class EventFactRow(Row):
    """What one event says beside the course of its contact.

    `occurred_at` is the event's own time; `counted_at` the one at which it counts, which differs
    where the clock of its source was ahead. `customer_key` is the key of the subject where that is
    a customer's identifier, empty where it is an interaction or an agent.
    """

    TABLE = "event_facts"
    KEY = ("tenant", "type", "subject", "source", "event_id")
    tenant: Symbol
    type: Symbol
    subject: Str
    occurred_at: Instant
    source: Symbol
    event_id: Str
    counted_at: Instant
    customer_key: Str
    labels: Labels
    numbers: Numbers
    version: U64


class AgentStateRow(Row):
    """A change of an agent's state, as it was told; `queue` is empty for the agent as a whole."""

    TABLE = "agent_states"
    KEY = ("tenant", "agent", "source", "event_id")
    tenant: Symbol
    agent: Symbol
    occurred_at: Instant
    source: Symbol
    event_id: Str
    counted_at: Instant
    state: Symbol
    queue: Symbol
    reason: Symbol
    site: Symbol
    remote: MaybeU8
    skills: Strs
    slots_used: MaybeSlots
    slots_max: MaybeSlots
    version: U64
