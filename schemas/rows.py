"""The rows that are written to ClickHouse: one model a table, columns in table order.

A field is `Annotated[python type, ClickHouse type]`. The hot path writes plain tuples in this order
(a model per row would cost more than the fold); the models are the contract: a test holds the
migrated tables to them, and tests validate rows against them.

Inside a row, instants are whole milliseconds since the epoch in UTC (`DateTime64(3, 'UTC')` takes
them as they are) and durations whole milliseconds in columns named `*_ms`: sums of integers do not
depend on their order. Views show seconds.

`log` names one incarnation of one topic; no two topics share one, so keys need not name the topic.
Pure.
"""

from typing import Annotated, ClassVar, Final

from pydantic import BaseModel, ConfigDict

QUEUE_PANE_SECONDS: Final = 10
AGENT_PANE_SECONDS: Final = 300
"""An agent's day has few contacts and long states: at a minute, panes of agents would be more than
events, at five they are a fifth of that."""

VERSION_OFFSET_BITS: Final = 44
"""A row's version is `epoch << 44 | next offset`: rows of a later log win over an earlier one's.
An event's counts down from `LAST_OFFSET` instead."""
LAST_OFFSET: Final = (1 << VERSION_OFFSET_BITS) - 1

Symbol = Annotated[str, "LowCardinality(String)"]
Str = Annotated[str, "String"]
Strs = Annotated[list[str], "Array(String)"]
Bytes = Annotated[bytes, "String"]
Instant = Annotated[int, "DateTime64(3, 'UTC')"]
MaybeInstant = Annotated[int | None, "Nullable(DateTime64(3, 'UTC'))"]
U8 = Annotated[int, "UInt8"]
U32 = Annotated[int, "UInt32"]
U64 = Annotated[int, "UInt64"]
I64 = Annotated[int, "Int64"]
MaybeU8 = Annotated[int | None, "Nullable(UInt8)"]
MaybeI64 = Annotated[int | None, "Nullable(Int64)"]
Within = Annotated[dict[int, int], "Map(UInt32, Int64)"]
"""Threshold in milliseconds -> how many waited at most that long."""
Bins = Annotated[dict[int, int], "Map(Int32, Int64)"]
"""Bin of a sketch (`schemas.sketch`) -> how many durations fell into it."""


class Row(BaseModel):
    """Base of all rows. `TABLE` is the table they go to, `KEY` what makes a row replace another."""

    model_config = ConfigDict(strict=True, extra="forbid")
    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]]

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Column names in the order in which the hot path writes values."""
        return tuple(cls.model_fields)

    @classmethod
    def types(cls) -> tuple[str, ...]:
        """ClickHouse types, in the same order."""
        return tuple(str(f.metadata[-1]) for f in cls.model_fields.values())


class EventRow(Row):
    """One event as it came. The same `(source, event_id)` again is the same row.

    Its version is `epoch << 44 | LAST_OFFSET - offset`: of a log's tellings of one event the first
    stays, which is the one that counted, at the place where it did.
    """

    TABLE = "events"
    KEY = ("tenant", "subject", "occurred_at", "source", "event_id")
    tenant: Symbol
    subject: Str
    occurred_at: Instant
    source: Symbol
    event_id: Str
    type: Symbol
    topic: Symbol
    payload: Bytes
    produced_at: Instant
    log: Symbol
    source_partition: U32
    source_offset: U64
    version: U64


class InteractionRow(Row):
    """The latest facts of one interaction. `visits_*` are parallel arrays, one item a queue visit.

    `opened_at` is the time of the first event applied in log order: it never changes, so the row
    stays in its month. `started_at` is the earliest event time known, and may. `waiting_since` is
    the customer's first message that nobody answered yet, as long as the contact is open.
    `responses_*` are parallel, too, one item a response that answered something: the first took
    `first_response_ms`, and one that is no reply has no `responses_reply_ms`. `solved_at` and
    `reopened_at` go by turns: each solution (`solved_agent`: who is said to have found it), and
    when it was undone.
    """

    TABLE = "interactions"
    KEY = ("tenant", "interaction_id")
    tenant: Symbol
    interaction_id: Str
    channel: Symbol
    direction: Symbol
    purpose: Symbol
    language: Symbol
    site: Symbol
    opened_at: Instant
    started_at: Instant
    last_event_at: Instant
    ended_at: MaybeInstant
    status: Symbol
    ended_by: Symbol
    disposition: Symbol
    resolved: MaybeU8
    topic: Symbol
    linked_to: Str
    customer_key: Str
    customer_name: Str
    identifiers: Strs
    agents: Strs
    wait_ms: I64
    talk_ms: I64
    hold_ms: I64
    wrapup_ms: I64
    missed_rings: U32
    transfers: Strs
    messages_by_customer: U32
    messages_by_agent: U32
    messages_by_bot: U32
    messages_automatic: U32
    first_response_ms: MaybeI64
    replies: U32
    reply_ms: I64
    responses_at: Annotated[list[int], "Array(DateTime64(3, 'UTC'))"]
    responses_reply_ms: Annotated[list[int | None], "Array(Nullable(Int64))"]
    responses_agent: Strs
    waiting_since: MaybeInstant
    ticket_status: Symbol
    ticket_status_at: MaybeInstant
    solved_at: Annotated[list[int], "Array(DateTime64(3, 'UTC'))"]
    solved_agent: Strs
    reopened_at: Annotated[list[int], "Array(DateTime64(3, 'UTC'))"]
    disagreements: U32
    events: U32
    visits_queue: Strs
    visits_entered_at: Annotated[list[int], "Array(DateTime64(3, 'UTC'))"]
    visits_exited_at: Annotated[list[int | None], "Array(Nullable(DateTime64(3, 'UTC')))"]
    visits_ended_at: Annotated[list[int | None], "Array(Nullable(DateTime64(3, 'UTC')))"]
    visits_outcome: Annotated[list[str], "Array(LowCardinality(String))"]
    visits_agent: Strs
    visits_wait_ms: Annotated[list[int | None], "Array(Nullable(Int64))"]
    visits_talk_ms: Annotated[list[int | None], "Array(Nullable(Int64))"]
    visits_hold_ms: Annotated[list[int], "Array(Int64)"]
    visits_holds: Annotated[list[int], "Array(UInt32)"]
    visits_wrapup_ms: Annotated[list[int | None], "Array(Nullable(Int64))"]
    visits_ring_ms: Annotated[list[int | None], "Array(Nullable(Int64))"]
    visits_missed_rings: Annotated[list[int], "Array(UInt32)"]
    visits_transfer: Annotated[list[str], "Array(LowCardinality(String))"]
    log: Symbol
    source_partition: U32
    version: U64


class CustomerInteractionRow(Row):
    """The way from a customer to their interactions."""

    TABLE = "customer_interactions"
    KEY = ("tenant", "customer_key", "interaction_id")
    tenant: Symbol
    customer_key: Str
    interaction_id: Str
    started_at: Instant
    channel: Symbol
    version: U64
    is_deleted: U8


class KpiPaneRow(Row):
    """What one source partition knows of a queue in ten seconds: absolute, summed when read.

    `cohort` says by which instant contacts were put into panes: `offered` (entered the queue) or
    `ended` (their visit was concluded). `generation` tells apart partials of the same pane that
    were begun again after the first had been dropped from memory; they add up.
    """

    TABLE = "kpi_panes"
    KEY = (
        "tenant",
        "queue",
        "channel",
        "direction",
        "cohort",
        "pane_at",
        "log",
        "source_partition",
        "generation",
    )
    tenant: Symbol
    queue: Symbol
    channel: Symbol
    direction: Symbol
    cohort: Symbol
    pane_at: Annotated[int, "DateTime('UTC')"]
    log: Symbol
    source_partition: U32
    generation: U64
    version: U64
    offered: I64
    answered: I64
    abandoned: I64
    timed_out: I64
    overflowed: I64
    key_pressed: I64
    callback_accepted: I64
    emptied: I64
    transferred_waiting: I64
    ended: I64
    wait_answered_ms: I64
    wait_abandoned_ms: I64
    wait_exited_ms: I64
    talk_ms: I64
    hold_ms: I64
    held: I64
    wrapup_ms: I64
    wrapped_up: I64
    ring_ms: I64
    rung: I64
    missed_rings: I64
    transferred_blind: I64
    transferred_consult: I64
    transferred_recall: I64
    answered_within: Within
    abandoned_within: Within
    callback_within: Within
    ended_within: Within
    wait_bins: Bins


class AgentPaneRow(Row):
    """What one source partition knows of an agent in five minutes: absolute, summed when read.

    Time offline is not among the states: it is no staffed time, and would fill days of panes.
    """

    TABLE = "agent_panes"
    KEY = ("tenant", "agent", "pane_at", "log", "source_partition", "generation")
    tenant: Symbol
    agent: Symbol
    pane_at: Annotated[int, "DateTime('UTC')"]
    log: Symbol
    source_partition: U32
    generation: U64
    version: U64
    answered: I64
    missed: I64
    handled: I64
    transferred: I64
    outbound_attempted: I64
    outbound_connected: I64
    talk_ms: I64
    hold_ms: I64
    wrapup_ms: I64
    ring_ms: I64
    state_available_ms: I64
    state_on_contact_ms: I64
    state_wrapup_ms: I64
    state_paused_ms: I64


class ConversationPaneRow(Row):
    """What one source partition knows of a queue's messages and tickets in ten seconds: absolute,
    summed when read.

    A response and a resolution count when they came, in the queue that the contact had entered last
    by then (`""` where it met none). The full resolution of a contact, that
    to its last solution, moves when it is solved anew.
    """

    TABLE = "conversation_panes"
    KEY = (
        "tenant",
        "queue",
        "channel",
        "direction",
        "pane_at",
        "log",
        "source_partition",
        "generation",
    )
    tenant: Symbol
    queue: Symbol
    channel: Symbol
    direction: Symbol
    pane_at: Annotated[int, "DateTime('UTC')"]
    log: Symbol
    source_partition: U32
    generation: U64
    version: U64
    first_responses: I64
    first_response_ms: I64
    replies: I64
    reply_ms: I64
    first_resolutions: I64
    first_resolution_ms: I64
    full_resolutions: I64
    full_resolution_ms: I64
    first_response_bins: Bins
    reply_bins: Bins
    first_resolution_bins: Bins
    full_resolution_bins: Bins


class DeadLetterRow(Row):
    """A record that could not be read or stored: as it came, where it lay, and why."""

    TABLE = "dead_letters"
    KEY = ("topic", "log", "source_partition", "source_offset", "key")
    topic: Symbol
    source_partition: U32
    source_offset: U64
    log: Symbol
    reason: Symbol
    error_path: Str
    error: Str
    key: Bytes
    value: Bytes
    headers: Annotated[list[tuple[str, bytes]], "Array(Tuple(String, String))"]
    produced_at: Instant
    version: U64


class LateEventRow(Row):
    """An event beyond its partition's lateness; `applied` where its interaction was known."""

    TABLE = "late_events"
    KEY = ("topic", "log", "source_partition", "source_offset")
    topic: Symbol
    source_partition: U32
    source_offset: U64
    log: Symbol
    tenant: Symbol
    subject: Str
    type: Symbol
    occurred_at: Instant
    watermark_at: Instant
    applied: U8
    version: U64


class WatermarkRow(Row):
    """How far event time has come in a source partition (greatest seen, lateness not deducted)."""

    TABLE = "watermarks"
    KEY = ("topic", "log", "source_partition")
    topic: Symbol
    source_partition: U32
    log: Symbol
    event_time_at: Instant
    lateness_ms: I64
    produced_at: Instant
    version: U64


class CheckpointRow(Row):
    """A fold's state after every row up to `next_offset` is stored.

    Checkpoints of a source partition take turns in a few slots, so the one before the newest stays
    and older ones are replaced without deletes. `state` is compressed (`sinks.checkpoints`).
    """

    TABLE = "checkpoints"
    KEY = ("pipeline", "topic", "source_partition", "log", "slot")
    pipeline: Symbol
    topic: Symbol
    source_partition: U32
    log: Symbol
    slot: U8
    next_offset: U64
    state_version: U32
    state: Bytes
    version: U64


class TopicLogRow(Row):
    """The order of a topic's incarnations. A log's epoch is the greatest that was registered."""

    TABLE = "topic_logs"
    KEY = ("topic", "log", "epoch")
    topic: Symbol
    log: Symbol
    epoch: U32


class QueueSettingRow(Row):
    """A queue's settings as the views read them; `queue` is empty for queues not named."""

    TABLE = "queue_settings"
    KEY = ("tenant", "queue")
    tenant: Symbol
    queue: Symbol
    target_ms: I64
    target_ratio: Annotated[float, "Float64"]
    short_abandon_ms: I64
    service_level_preset: Symbol
    timezone: Symbol
    business_minutes: Annotated[list[int], "Array(UInt16)"]
    """Minutes of the week from Monday 00:00 on: from, to, from, to; none where always open."""
    version: U64
    is_deleted: U8
