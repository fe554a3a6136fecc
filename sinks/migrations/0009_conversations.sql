-- Messages, tickets and what was solved: columns of a contact, and panes of their own, so that those
-- of calls stay as narrow as they are. Rows that are there say that nothing was written; they are
-- told anew with the next event of their contact, or by a replay.
ALTER TABLE interactions{local}{on_cluster}
    ADD COLUMN IF NOT EXISTS replies UInt32 AFTER first_response_ms,
    ADD COLUMN IF NOT EXISTS reply_ms Int64 AFTER replies,
    ADD COLUMN IF NOT EXISTS waiting_since Nullable(DateTime64(3, 'UTC')) AFTER reply_ms,
    ADD COLUMN IF NOT EXISTS ticket_status LowCardinality(String) AFTER waiting_since,
    ADD COLUMN IF NOT EXISTS ticket_status_at Nullable(DateTime64(3, 'UTC')) AFTER ticket_status,
    ADD COLUMN IF NOT EXISTS solved_at Array(DateTime64(3, 'UTC')) AFTER ticket_status_at,
    ADD COLUMN IF NOT EXISTS reopened_at Array(DateTime64(3, 'UTC')) AFTER solved_at;

-- cluster only
ALTER TABLE interactions{on_cluster}
    ADD COLUMN IF NOT EXISTS replies UInt32 AFTER first_response_ms,
    ADD COLUMN IF NOT EXISTS reply_ms Int64 AFTER replies,
    ADD COLUMN IF NOT EXISTS waiting_since Nullable(DateTime64(3, 'UTC')) AFTER reply_ms,
    ADD COLUMN IF NOT EXISTS ticket_status LowCardinality(String) AFTER waiting_since,
    ADD COLUMN IF NOT EXISTS ticket_status_at Nullable(DateTime64(3, 'UTC')) AFTER ticket_status,
    ADD COLUMN IF NOT EXISTS solved_at Array(DateTime64(3, 'UTC')) AFTER ticket_status_at,
    ADD COLUMN IF NOT EXISTS reopened_at Array(DateTime64(3, 'UTC')) AFTER solved_at;

CREATE TABLE IF NOT EXISTS conversation_panes{local}{on_cluster}
(
    tenant LowCardinality(String),
    queue LowCardinality(String),
    channel LowCardinality(String),
    direction LowCardinality(String),
    pane_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    log LowCardinality(String),
    source_partition UInt32,
    generation UInt64,
    version UInt64 CODEC(Delta, ZSTD(1)),
    first_responses Int64,
    first_response_ms Int64,
    replies Int64,
    reply_ms Int64,
    first_resolutions Int64,
    first_resolution_ms Int64,
    full_resolutions Int64,
    full_resolution_ms Int64,
    first_response_bins Map(Int32, Int64),
    reply_bins Map(Int32, Int64),
    first_resolution_bins Map(Int32, Int64),
    full_resolution_bins Map(Int32, Int64)
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(pane_at)
ORDER BY (tenant, queue, channel, direction, pane_at, log, source_partition, generation)
SETTINGS ttl_only_drop_parts = 1;

-- cluster only
CREATE TABLE IF NOT EXISTS conversation_panes{on_cluster} AS conversation_panes{local}
ENGINE = Distributed('{cluster}', currentDatabase(), conversation_panes{local}, cityHash64(tenant, queue));
