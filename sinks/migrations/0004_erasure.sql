-- Erased customers: the marks that keep them from coming back, and what was done.
--
-- A mark is a keyed hash of a contact's id, an identifier or a key; whoever has the tables and not
-- the key of the hashes cannot tell whose it is. Events of what is marked, up to erased_at, are
-- passed over wherever they are read again.
CREATE TABLE IF NOT EXISTS erasure_marks{local}{on_cluster}
(
    tenant LowCardinality(String),
    mark String,
    erased_at DateTime64(3, 'UTC'),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (tenant, mark);

-- cluster only
CREATE TABLE IF NOT EXISTS erasure_marks{on_cluster} AS erasure_marks{local}
ENGINE = Distributed('{cluster}', currentDatabase(), erasure_marks{local}, cityHash64(tenant, mark));

CREATE TABLE IF NOT EXISTS erasures{local}{on_cluster}
(
    tenant LowCardinality(String),
    erasure_id String,
    erased_at DateTime64(3, 'UTC'),
    identifiers UInt32,
    contacts UInt32,
    deleted Map(String, UInt64),
    found_after Map(String, UInt64),
    version UInt64
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (tenant, erasure_id);

-- cluster only
CREATE TABLE IF NOT EXISTS erasures{on_cluster} AS erasures{local}
ENGINE = Distributed('{cluster}', currentDatabase(), erasures{local}, cityHash64(tenant, erasure_id));
