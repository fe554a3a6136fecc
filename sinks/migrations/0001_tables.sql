-- Every table of schemas/rows.py. Columns and types follow it exactly; a test compares the two.
--
-- Version is the last applied source offset + 1 under its log's epoch, never a wall clock.
-- Partitions follow the row's own time, never the time of the insert: neither the partition nor
-- the sorting key of a row may change as it is updated.
--
-- In a cluster ({on_cluster}, {local}, {replicated}, {cluster} are filled in by sinks.migrate),
-- each table is a replicated local one behind a Distributed one of the plain name. Shards are
-- chosen by a prefix of the sorting key, so all versions of a row meet on one shard. When adding
-- a column, alter the local table first; when dropping one, the Distributed first.

-- One row an event. The same (source, event_id) again, at a new offset, replaces itself.
CREATE TABLE IF NOT EXISTS events{local}{on_cluster}
(
    tenant LowCardinality(String),
    subject String,
    occurred_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    source LowCardinality(String),
    event_id String,
    type LowCardinality(String),
    topic LowCardinality(String),
    payload String CODEC(ZSTD(1)),
    produced_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    log LowCardinality(String),
    source_partition UInt32,
    source_offset UInt64 CODEC(Delta, ZSTD(1)),
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, subject, occurred_at, source, event_id)
SETTINGS ttl_only_drop_parts = 1;

-- cluster only
CREATE TABLE IF NOT EXISTS events{on_cluster} AS events{local}
ENGINE = Distributed('{cluster}', currentDatabase(), events{local}, cityHash64(tenant, subject));

-- opened_at never changes, so a row that is updated stays in its month, where replacing finds it.
CREATE TABLE IF NOT EXISTS interactions{local}{on_cluster}
(
    tenant LowCardinality(String),
    interaction_id String,
    channel LowCardinality(String),
    direction LowCardinality(String),
    purpose LowCardinality(String),
    language LowCardinality(String),
    site LowCardinality(String),
    opened_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    started_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    last_event_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    ended_at Nullable(DateTime64(3, 'UTC')),
    status LowCardinality(String),
    ended_by LowCardinality(String),
    disposition LowCardinality(String),
    resolved Nullable(UInt8),
    topic LowCardinality(String),
    linked_to String,
    customer_key String,
    customer_name String,
    identifiers Array(String),
    agents Array(String),
    wait_ms Int64,
    talk_ms Int64,
    hold_ms Int64,
    wrapup_ms Int64,
    missed_rings UInt32,
    transfers Array(String),
    messages_by_customer UInt32,
    messages_by_agent UInt32,
    messages_by_bot UInt32,
    messages_automatic UInt32,
    first_response_ms Nullable(Int64),
    disagreements UInt32,
    events UInt32,
    visits_queue Array(String),
    visits_entered_at Array(DateTime64(3, 'UTC')),
    visits_exited_at Array(Nullable(DateTime64(3, 'UTC'))),
    visits_ended_at Array(Nullable(DateTime64(3, 'UTC'))),
    visits_outcome Array(LowCardinality(String)),
    visits_agent Array(String),
    visits_wait_ms Array(Nullable(Int64)),
    visits_talk_ms Array(Nullable(Int64)),
    visits_hold_ms Array(Int64),
    visits_holds Array(UInt32),
    visits_wrapup_ms Array(Nullable(Int64)),
    visits_ring_ms Array(Nullable(Int64)),
    visits_missed_rings Array(UInt32),
    visits_transfer Array(LowCardinality(String)),
    log LowCardinality(String),
    source_partition UInt32,
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened_at)
ORDER BY (tenant, interaction_id)
SETTINGS ttl_only_drop_parts = 1;

-- cluster only
CREATE TABLE IF NOT EXISTS interactions{on_cluster} AS interactions{local}
ENGINE = Distributed('{cluster}', currentDatabase(), interactions{local}, cityHash64(tenant, interaction_id));

-- Not partitioned: started_at may change, and replacing never crosses partitions.
CREATE TABLE IF NOT EXISTS customer_interactions{local}{on_cluster}
(
    tenant LowCardinality(String),
    customer_key String,
    interaction_id String,
    started_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    channel LowCardinality(String),
    version UInt64 CODEC(Delta, ZSTD(1)),
    is_deleted UInt8
)
ENGINE = {replicated}ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, customer_key, interaction_id);

-- cluster only
CREATE TABLE IF NOT EXISTS customer_interactions{on_cluster} AS customer_interactions{local}
ENGINE = Distributed('{cluster}', currentDatabase(), customer_interactions{local}, cityHash64(tenant, customer_key));

-- Absolute partials: one row a source partition and generation, summed when read.
CREATE TABLE IF NOT EXISTS kpi_panes{local}{on_cluster}
(
    tenant LowCardinality(String),
    queue LowCardinality(String),
    channel LowCardinality(String),
    direction LowCardinality(String),
    cohort LowCardinality(String),
    pane_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    log LowCardinality(String),
    source_partition UInt32,
    generation UInt64,
    version UInt64 CODEC(Delta, ZSTD(1)),
    offered Int64,
    answered Int64,
    abandoned Int64,
    timed_out Int64,
    overflowed Int64,
    key_pressed Int64,
    callback_accepted Int64,
    emptied Int64,
    transferred_waiting Int64,
    ended Int64,
    wait_answered_ms Int64,
    wait_abandoned_ms Int64,
    wait_exited_ms Int64,
    talk_ms Int64,
    hold_ms Int64,
    held Int64,
    wrapup_ms Int64,
    wrapped_up Int64,
    ring_ms Int64,
    rung Int64,
    missed_rings Int64,
    transferred_blind Int64,
    transferred_consult Int64,
    transferred_recall Int64,
    answered_within Map(UInt32, Int64),
    abandoned_within Map(UInt32, Int64),
    callback_within Map(UInt32, Int64),
    ended_within Map(UInt32, Int64),
    wait_bins Map(Int32, Int64)
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(pane_at)
ORDER BY (tenant, queue, channel, direction, cohort, pane_at, log, source_partition, generation)
SETTINGS ttl_only_drop_parts = 1;

-- cluster only
CREATE TABLE IF NOT EXISTS kpi_panes{on_cluster} AS kpi_panes{local}
ENGINE = Distributed('{cluster}', currentDatabase(), kpi_panes{local}, cityHash64(tenant, queue));

CREATE TABLE IF NOT EXISTS agent_panes{local}{on_cluster}
(
    tenant LowCardinality(String),
    agent LowCardinality(String),
    pane_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    log LowCardinality(String),
    source_partition UInt32,
    generation UInt64,
    version UInt64 CODEC(Delta, ZSTD(1)),
    answered Int64,
    missed Int64,
    handled Int64,
    transferred Int64,
    outbound_attempted Int64,
    outbound_connected Int64,
    talk_ms Int64,
    hold_ms Int64,
    wrapup_ms Int64,
    ring_ms Int64,
    state_available_ms Int64,
    state_on_contact_ms Int64,
    state_wrapup_ms Int64,
    state_paused_ms Int64
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(pane_at)
ORDER BY (tenant, agent, pane_at, log, source_partition, generation)
SETTINGS ttl_only_drop_parts = 1;

-- cluster only
CREATE TABLE IF NOT EXISTS agent_panes{on_cluster} AS agent_panes{local}
ENGINE = Distributed('{cluster}', currentDatabase(), agent_panes{local}, cityHash64(tenant, agent));

-- key is part of the identity: several rows that the store refused may stem from one offset.
CREATE TABLE IF NOT EXISTS dead_letters{local}{on_cluster}
(
    topic LowCardinality(String),
    source_partition UInt32,
    source_offset UInt64 CODEC(Delta, ZSTD(1)),
    log LowCardinality(String),
    reason LowCardinality(String),
    error_path String,
    error String,
    key String,
    value String CODEC(ZSTD(3)),
    headers Array(Tuple(String, String)),
    produced_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(produced_at)
ORDER BY (topic, log, source_partition, source_offset, key)
SETTINGS ttl_only_drop_parts = 1;

-- cluster only
CREATE TABLE IF NOT EXISTS dead_letters{on_cluster} AS dead_letters{local}
ENGINE = Distributed('{cluster}', currentDatabase(), dead_letters{local}, cityHash64(topic, source_partition));

CREATE TABLE IF NOT EXISTS late_events{local}{on_cluster}
(
    topic LowCardinality(String),
    source_partition UInt32,
    source_offset UInt64 CODEC(Delta, ZSTD(1)),
    log LowCardinality(String),
    tenant LowCardinality(String),
    subject String,
    type LowCardinality(String),
    occurred_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    watermark_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    applied UInt8,
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (topic, log, source_partition, source_offset)
SETTINGS ttl_only_drop_parts = 1;

-- cluster only
CREATE TABLE IF NOT EXISTS late_events{on_cluster} AS late_events{local}
ENGINE = Distributed('{cluster}', currentDatabase(), late_events{local}, cityHash64(topic, source_partition));

CREATE TABLE IF NOT EXISTS watermarks{local}{on_cluster}
(
    topic LowCardinality(String),
    source_partition UInt32,
    log LowCardinality(String),
    event_time_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    lateness_ms Int64,
    produced_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (topic, log, source_partition);

-- cluster only
CREATE TABLE IF NOT EXISTS watermarks{on_cluster} AS watermarks{local}
ENGINE = Distributed('{cluster}', currentDatabase(), watermarks{local}, cityHash64(topic, source_partition));

-- A few slots a source partition, used in turn: replacing retires old states, no deletes needed.
CREATE TABLE IF NOT EXISTS checkpoints{local}{on_cluster}
(
    pipeline LowCardinality(String),
    topic LowCardinality(String),
    source_partition UInt32,
    log LowCardinality(String),
    slot UInt8,
    next_offset UInt64,
    state_version UInt32,
    state String CODEC(NONE),
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (pipeline, topic, source_partition, log, slot);

-- cluster only
CREATE TABLE IF NOT EXISTS checkpoints{on_cluster} AS checkpoints{local}
ENGINE = Distributed('{cluster}', currentDatabase(), checkpoints{local}, cityHash64(pipeline, topic, source_partition));

-- Rows are only added; the epoch of a log is the greatest (sinks.checkpoints).
CREATE TABLE IF NOT EXISTS topic_logs{local}{on_cluster}
(
    topic LowCardinality(String),
    log LowCardinality(String),
    epoch UInt32
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (topic, log, epoch);

-- cluster only
CREATE TABLE IF NOT EXISTS topic_logs{on_cluster} AS topic_logs{local}
ENGINE = Distributed('{cluster}', currentDatabase(), topic_logs{local}, cityHash64(topic));

CREATE TABLE IF NOT EXISTS queue_settings{local}{on_cluster}
(
    tenant LowCardinality(String),
    queue LowCardinality(String),
    target_ms Int64,
    target_ratio Float64,
    short_abandon_ms Int64,
    service_level_preset LowCardinality(String),
    timezone LowCardinality(String),
    version UInt64 CODEC(Delta, ZSTD(1)),
    is_deleted UInt8
)
ENGINE = {replicated}ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, queue);

-- cluster only
CREATE TABLE IF NOT EXISTS queue_settings{on_cluster} AS queue_settings{local}
ENGINE = Distributed('{cluster}', currentDatabase(), queue_settings{local}, cityHash64(tenant, queue));
