-- What is counted when it is read (schemas/fact_rows.py): one row an event, under the event's
-- identity. An event that is told
-- again, even with another time, is the row that is there; that holds within a month.
CREATE TABLE IF NOT EXISTS event_facts{local}{on_cluster}
(
    tenant LowCardinality(String),
    type LowCardinality(String),
    subject String,
    occurred_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    source LowCardinality(String),
    event_id String,
    counted_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    customer_key String,
    labels Map(LowCardinality(String), String),
    numbers Map(LowCardinality(String), Float64),
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, type, subject, source, event_id)
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728;

-- cluster only
CREATE TABLE IF NOT EXISTS event_facts{on_cluster} AS event_facts{local}
ENGINE = Distributed('{cluster}', currentDatabase(), event_facts{local}, cityHash64(tenant, subject));

CREATE TABLE IF NOT EXISTS agent_states{local}{on_cluster}
(
    tenant LowCardinality(String),
    agent LowCardinality(String),
    occurred_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    source LowCardinality(String),
    event_id String,
    counted_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    state LowCardinality(String),
    queue LowCardinality(String),
    reason LowCardinality(String),
    site LowCardinality(String),
    remote Nullable(UInt8),
    skills Array(String),
    slots_used Nullable(UInt32),
    slots_max Nullable(UInt32),
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, agent, source, event_id)
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728;

-- cluster only
CREATE TABLE IF NOT EXISTS agent_states{on_cluster} AS agent_states{local}
ENGINE = Distributed('{cluster}', currentDatabase(), agent_states{local}, cityHash64(tenant, agent));
