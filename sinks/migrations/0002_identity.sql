-- Which identifiers are one customer, and why: the tables of schemas/identity_rows.py.
--
-- History is stored under the key of one identifier and never rewritten; identity_map binds keys to
-- customers when history is read. None of these has a time of its own that never changes, so none
-- is partitioned: replacing never crosses partitions. They are read by key, a few rows at a time,
-- hence the small granules.

-- Two rows a piece of evidence, one from either end.
CREATE TABLE IF NOT EXISTS identity_links{local}{on_cluster}
(
    tenant LowCardinality(String),
    customer_key String,
    other_key String,
    identifier String,
    other_identifier String,
    rule LowCardinality(String),
    detail String,
    evidence String,
    happened_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    log LowCardinality(String),
    source_partition UInt32,
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (tenant, customer_key, other_key, rule, evidence)
SETTINGS index_granularity = 1024;

-- cluster only
CREATE TABLE IF NOT EXISTS identity_links{on_cluster} AS identity_links{local}
ENGINE = Distributed('{cluster}', currentDatabase(), identity_links{local}, cityHash64(tenant, customer_key));

-- Two rows an edge, one from either end.
CREATE TABLE IF NOT EXISTS identity_edges{local}{on_cluster}
(
    tenant LowCardinality(String),
    customer_key String,
    other_key String,
    state LowCardinality(String),
    reason LowCardinality(String),
    seen_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    rule LowCardinality(String),
    evidence String,
    unlinked_at Nullable(DateTime64(3, 'UTC')),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (tenant, customer_key, other_key)
SETTINGS index_granularity = 1024;

-- cluster only
CREATE TABLE IF NOT EXISTS identity_edges{on_cluster} AS identity_edges{local}
ENGINE = Distributed('{cluster}', currentDatabase(), identity_edges{local}, cityHash64(tenant, customer_key));

-- From a key to its customer: rows only for keys that are not their own customer.
CREATE TABLE IF NOT EXISTS identity_map{local}{on_cluster}
(
    tenant LowCardinality(String),
    customer_key String,
    customer_id String,
    version UInt64,
    is_deleted UInt8
)
ENGINE = {replicated}ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, customer_key)
SETTINGS index_granularity = 1024;

-- cluster only
CREATE TABLE IF NOT EXISTS identity_map{on_cluster} AS identity_map{local}
ENGINE = Distributed('{cluster}', currentDatabase(), identity_map{local}, cityHash64(tenant, customer_key));

-- From a customer to keys that are its own, or once were: what identity_map says of them decides.
CREATE TABLE IF NOT EXISTS identity_members{local}{on_cluster}
(
    tenant LowCardinality(String),
    customer_id String,
    customer_key String,
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (tenant, customer_id, customer_key)
SETTINGS index_granularity = 1024;

-- cluster only
CREATE TABLE IF NOT EXISTS identity_members{on_cluster} AS identity_members{local}
ENGINE = Distributed('{cluster}', currentDatabase(), identity_members{local}, cityHash64(tenant, customer_id));
