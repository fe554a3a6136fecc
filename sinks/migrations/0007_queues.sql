-- What stage 2 knows of each queue now, and every breach from opened to closed (schemas/live.py).
-- opened_at never changes, so a breach that worsens or closes stays in its month.
CREATE TABLE IF NOT EXISTS queue_live{local}{on_cluster}
(
    tenant LowCardinality(String),
    queue LowCardinality(String),
    at DateTime64(3, 'UTC'),
    current UInt8,
    waiting UInt32,
    oldest_enqueued_at Nullable(DateTime64(3, 'UTC')),
    active UInt32,
    presumed_lost UInt32,
    agents_available Nullable(UInt32),
    agents_on_contact Nullable(UInt32),
    agents_wrapup Nullable(UInt32),
    agents_paused Nullable(UInt32),
    agents_offline Nullable(UInt32),
    target_ms Int64,
    target_ratio Float64,
    service_level_preset LowCardinality(String),
    windows Array(LowCardinality(String)),
    offered Array(Int64),
    answered Array(Int64),
    abandoned Array(Int64),
    flowed_out Array(Int64),
    answered_in_target Array(Int64),
    service_level Array(Nullable(Float64)),
    abandonment Array(Nullable(Float64)),
    speed_of_answer_ms Array(Nullable(Float64)),
    wait_p50_ms Array(Nullable(Float64)),
    wait_p90_ms Array(Nullable(Float64)),
    wait_p95_ms Array(Nullable(Float64)),
    estimated_wait_ms Nullable(Int64),
    forecast_5m Nullable(Float64),
    forecast_15m Nullable(Float64),
    forecast_30m Nullable(Float64),
    agents_needed Nullable(UInt32),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (tenant, queue);

-- cluster only
CREATE TABLE IF NOT EXISTS queue_live{on_cluster} AS queue_live{local}
ENGINE = Distributed('{cluster}', currentDatabase(), queue_live{local}, cityHash64(tenant, queue));

CREATE TABLE IF NOT EXISTS queue_breaches{local}{on_cluster}
(
    tenant LowCardinality(String),
    queue LowCardinality(String),
    opened_at DateTime64(3, 'UTC'),
    breach_id String,
    kpi LowCardinality(String),
    severity LowCardinality(String),
    window LowCardinality(String),
    worsened_at Nullable(DateTime64(3, 'UTC')),
    closed_at Nullable(DateTime64(3, 'UTC')),
    closed_because LowCardinality(String),
    value Float64,
    worst_value Float64,
    threshold Float64,
    interactions Array(String),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened_at)
ORDER BY (tenant, queue, opened_at, breach_id)
SETTINGS ttl_only_drop_parts = 1;

-- cluster only
CREATE TABLE IF NOT EXISTS queue_breaches{on_cluster} AS queue_breaches{local}
ENGINE = Distributed('{cluster}', currentDatabase(), queue_breaches{local}, cityHash64(tenant, queue));
