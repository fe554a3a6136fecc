"""SQL alone: JSON inserted as it is, materialised views for timeline rows and visits, one query.

The engine runs in this process, reads files of JSON lines and no broker, and keeps no panes up to
date: they are computed once, at the end. So it is a floor, not a peer.
"""

import sys
from pathlib import Path

import chdb

from benchmarks.peers.job import PANE_SECONDS, TARGET_MS, begin

TABLES = (
    (
        "CREATE TABLE raw (topic LowCardinality(String), event Tuple(specversion String, id String,"
        " source String, type String, time String, subject String, data String)) ENGINE = Null"
    ),
    (
        "CREATE TABLE peer_visits (subject String, at DateTime64(3, 'UTC'), step UInt8,"
        " queue LowCardinality(String), channel LowCardinality(String), reason String,"
        " stated Nullable(Float64)) ENGINE = MergeTree ORDER BY (subject, at, step)"
    ),
    """CREATE MATERIALIZED VIEW to_events TO peer_events AS SELECT topic, event.subject AS subject,
    parseDateTime64BestEffort(event.time, 3, 'UTC') AS occurred_at, event.type AS type,
    event.source AS source, event.id AS event_id, event.data AS payload FROM raw
    WHERE event.specversion = '1.0'""",
    """CREATE MATERIALIZED VIEW to_visits TO peer_visits AS SELECT event.subject AS subject,
    parseDateTime64BestEffort(event.time, 3, 'UTC') AS at, indexOf(['queue.entered',
    'queue.exited', 'agent.connected', 'interaction.ended'], event.type) AS step,
    JSONExtractString(event.data, 'queue') AS queue, splitByChar('.', topic)[2] AS channel,
    JSONExtractString(event.data, 'reason') AS reason,
    JSONExtract(event.data, 'wait_seconds', 'Nullable(Float64)') AS stated
    FROM raw WHERE step > 0 AND channel NOT IN ('agent', 'customer')""",
)
PANES = f"""INSERT INTO peer_panes
WITH next AS (
  SELECT *, leadInFrame(tuple(step, reason, at, stated), 1) OVER contact AS one,
    leadInFrame(tuple(step, reason, at, stated), 2) OVER contact AS two
  FROM peer_visits WINDOW contact AS (PARTITION BY subject ORDER BY at, step
    ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)),
visits AS (
  SELECT queue, channel, toStartOfInterval(at, INTERVAL {PANE_SECONDS} SECOND) AS pane_at,
    one.1 = 3 OR (one.1 = 2 AND one.2 = 'answered') AS is_answered,
    one.1 = 4 OR (one.1 = 2 AND one.2 = 'abandoned') AS is_abandoned,
    if(one.1 = 2 AND two.1 = 3, two, one) AS answer,
    toInt64(if(isNull(answer.4), dateDiff('millisecond', at, answer.3),
      round(answer.4 * 1000))) AS wait
  FROM next WHERE step = 1)
SELECT queue, channel, pane_at, count(), countIf(is_answered), countIf(is_abandoned),
  countIf(is_answered AND wait <= {TARGET_MS}), sumIf(wait, is_answered), 1
FROM visits GROUP BY queue, channel, pane_at"""
SETTINGS = "async_insert = 0, max_threads = 1, max_insert_threads = 1"

_, clickhouse, lines, _ = sys.argv[1:5]


def main() -> None:
    """Insert file by file, then compute the panes."""
    engine = chdb.connect(clickhouse)
    for table in TABLES:
        engine.query(table)
    engine.query("SET input_format_json_read_objects_as_strings = 1")
    begin()
    for file in sorted(Path(lines).iterdir()):
        engine.query(
            f"INSERT INTO raw SELECT topic, event FROM file('{file.resolve()}', JSONEachRow)"
            f" SETTINGS {SETTINGS}"
        )
    engine.query(PANES)
    engine.close()


if __name__ == "__main__":
    main()
