"""What stage 2 knows of queues now: rows of `queue_live` and `queue_breaches`, and their windows.

Conventions as in `schemas.rows`. Pure.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict

from schemas.rows import (
    I64,
    U8,
    U32,
    U64,
    Bytes,
    Instant,
    MaybeI64,
    MaybeInstant,
    Row,
    Str,
    Strs,
    Symbol,
)

WINDOWS: Final[Mapping[str, int]] = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "day": 0,
}
"""Rolling windows, in seconds; they end now. The day (0) begins at midnight in the queue's zone."""

HORIZONS: Final[Mapping[str, int]] = {"5m": 300, "15m": 900, "30m": 1_800}
"""How far ahead a breach is forecast, in seconds."""

QUANTILES: Final = (0.5, 0.9, 0.95)

AGENT_STATES: Final = ("available", "on_contact", "wrapup", "paused", "offline")

EVERY_QUEUE: Final = ""
"""The queue of the row in which each agent of a tenant counts once, in whatever queues they are."""

MaybeU32 = Annotated[int | None, "Nullable(UInt32)"]
Float = Annotated[float, "Float64"]
MaybeFloat = Annotated[float | None, "Nullable(Float64)"]
Counts = Annotated[list[int], "Array(Int64)"]
MaybeFloats = Annotated[list[float | None], "Array(Nullable(Float64))"]


class QueueLiveRow(Row):
    """One queue as it is now: who waits, who works, and its rolling windows.

    The columns from `windows` to `wait_p95_ms` are parallel arrays, one item a window of `WINDOWS`.
    `at` is the instant that the row speaks of. `current` says whether every source partition of the
    queue was read to its end then, and what is read happened just now: where it is 0 (a worker is
    catching up, or a past day is replayed) nothing is judged, and nothing here is news.

    `oldest_enqueued_at` is null when nobody waits. `agents_*` are null where no agent was ever told
    to be on this queue; the row of the queue `""` counts every agent of the tenant once.
    `presumed_lost` are contacts still open that have been silent past their channel's horizon: they
    count neither as waiting nor as active.

    A contact counts in the window in which it was offered, and in its service level from the moment
    when it is answered, leaves, or its wait passes the target, whichever is first; then it is never
    restated. Ratios are null, not 0, where there is nothing to divide by.
    """

    TABLE = "queue_live"
    KEY = ("tenant", "queue")
    tenant: Symbol
    queue: Symbol
    at: Instant
    current: U8
    waiting: U32
    oldest_enqueued_at: MaybeInstant
    active: U32
    presumed_lost: U32
    agents_available: MaybeU32
    agents_on_contact: MaybeU32
    agents_wrapup: MaybeU32
    agents_paused: MaybeU32
    agents_offline: MaybeU32
    target_ms: I64
    target_ratio: Float
    service_level_preset: Symbol
    windows: Annotated[list[str], "Array(LowCardinality(String))"]
    offered: Counts
    answered: Counts
    abandoned: Counts
    flowed_out: Counts
    answered_in_target: Counts
    service_level: MaybeFloats
    abandonment: MaybeFloats
    speed_of_answer_ms: MaybeFloats
    wait_p50_ms: MaybeFloats
    wait_p90_ms: MaybeFloats
    wait_p95_ms: MaybeFloats
    estimated_wait_ms: MaybeI64
    forecast_5m: MaybeFloat
    forecast_15m: MaybeFloat
    forecast_30m: MaybeFloat
    agents_needed: MaybeU32
    version: U64


class QueueBreachRow(Row):
    """One breach of a queue's threshold, from opened to closed.

    `breach_id` follows from tenant, queue, KPI, first severity and `opened_at`, so the same breach
    has one id however often it is found. `severity` is the worst it came to; `value` and
    `threshold` are those of its last change (opened, worsened, closed) and `worst_value` the worst
    seen. `opened_at` is when the condition had held for its duration. `interactions` are contacts
    that caused it, at most `MOST_CAUSES`: of a ratio those in its window that missed, the newest
    first, else those waiting longest. `closed_because` is
    `recovered`, `closed_hours` (business hours ended) or `no_data`; empty while it is open.
    """

    TABLE = "queue_breaches"
    KEY = ("tenant", "queue", "opened_at", "breach_id")
    tenant: Symbol
    queue: Symbol
    opened_at: Instant
    breach_id: Str
    kpi: Symbol
    severity: Symbol
    window: Symbol
    worsened_at: MaybeInstant
    closed_at: MaybeInstant
    closed_because: Symbol
    value: Float
    worst_value: Float
    threshold: Float
    interactions: Strs
    version: U64


class PartialRecord(Row):
    """A record for `kpi.panes`: published with the block that it belongs to, in no table."""

    TABLE = ""
    KEY = ()
    key: Bytes
    value: Bytes


class BreachRecord(Row):
    """A record for `queue.breaches`, likewise."""

    TABLE = ""
    KEY = ()
    key: Bytes
    value: Bytes


MOST_CAUSES: Final = 20
"""Interactions that a breach names."""


class BreachNotice(BaseModel):
    """A record on `queue.breaches`: a breach opened, worsened or closed.

    Published at least once: `(breach_id, change)` names a notice, so whoever reads keeps one of
    each. The record's key is the tenant and the queue, so the notices of a queue keep their order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    breach_id: str
    change: Literal["opened", "worsened", "closed"]
    tenant: str
    queue: str
    kpi: str
    severity: Literal["warning", "critical"]
    window: str
    """The rolling window that the value is of; empty where the KPI is of this moment."""
    value: float
    threshold: float
    """The value that it opened or worsened at; for `closed` the one that it closed at."""
    opened_at: datetime
    at: datetime
    closed_because: str
    interactions: tuple[str, ...]
