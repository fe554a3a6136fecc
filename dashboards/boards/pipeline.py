"""The board of the pipeline's own health: is what the other boards show still true? Pure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import variables
from dashboards.boards.board import board
from dashboards.boards.panels import COUNT, SECONDS, TIME, Panel, lines, listing, numbers
from dashboards.boards.queries import METRICS, STORE, metric, rows

NAME: Final = "pipeline"
_A_SECOND: Final = "short"
_RATE: Final = "[$__rate_interval]"


def pipeline() -> Dashboard:
    """The board."""
    return board(
        NAME,
        "Pipeline health",
        "Whether events arrive, are applied and are stored. While this board is red, calm queues"
        " elsewhere mean nothing.",
        [variables.metrics(), variables.store()],
        [
            ("Now", [*_now(), _watermark()]),
            ("Reading", [_events(), _lag(), _event_lag(), _sources(), _set_aside(), _odd()]),
            ("Storing", [_rows(), _flush(), _checkpoints(), _checkpoint_bytes(), _retries()]),
            ("Cost", [_processor()]),
        ],
        since="now-3h",
        refresh="15s",
    )


def _now() -> list[Panel]:
    return [
        numbers(
            "Workers that answer",
            "Workers that Prometheus scraped at its last try. None: nothing is processed.",
            COUNT,
            METRICS,
            metric('sum(up{job="switchboard"})', "workers"),
            worse={"red": None, "green": 1.0},
        ),
        numbers(
            "Records not applied yet",
            "On the broker and not in the figures, over all partitions.",
            COUNT,
            METRICS,
            metric("sum(min by (topic, partition) (switchboard_consumer_lag_records))", "records"),
        ),
        numbers(
            "Oldest checkpoint",
            "For how long results of some partition have not been stored for good.",
            SECONDS,
            METRICS,
            metric("max(min by (topic, partition) (switchboard_checkpoint_age_seconds))", "oldest"),
            worse={"green": None, "orange": 60.0, "red": 120.0},
        ),
        numbers(
            "ClickHouse refuses since",
            "For how long the insert in hand has been failing; 0 while inserts succeed.",
            SECONDS,
            METRICS,
            metric("max(switchboard_sink_waiting_seconds)", "waiting"),
            worse={"green": None, "orange": 5.0, "red": 60.0},
        ),
    ]


def _watermark() -> Panel:
    return listing(
        "How far figures are final",
        "Intervals that end before the watermark change no more, late events aside; it is held by"
        " the slowest of the active partitions.",
        STORE,
        rows(
            "SELECT watermark_at, latest_event_at, active_partitions, partitions\nFROM watermark"
            "\nWHERE watermark_at <= $__toTime_ms"
        ),
        {"watermark_at": TIME, "latest_event_at": TIME},
        height=4,
    )


def _events() -> Panel:
    return lines(
        "Events by what became of them",
        "A second: applied, repeated, late, or set aside as a dead letter.",
        _A_SECOND,
        METRICS,
        [metric(f"sum by (outcome) (rate(switchboard_events_total{_RATE}))", "{{outcome}}")],
    )


def _lag() -> Panel:
    return lines(
        "Records not applied yet, by topic",
        "Growing for minutes: more arrives than is processed, or something stands still.",
        COUNT,
        METRICS,
        [
            metric(
                "sum by (topic) (min by (topic, partition) (switchboard_consumer_lag_records))",
                "{{topic}}",
            )
        ],
    )


def _event_lag() -> Panel:
    return lines(
        "From an event's own time to its rows",
        "Half and 99 of 100 events were stored within so long; a source that sends late, or a log"
        " that is read again, shows here too.",
        SECONDS,
        METRICS,
        [
            metric(
                f"histogram_quantile({share}, sum by (le)"
                f" (rate(switchboard_event_lag_seconds_bucket{_RATE})))",
                f"p{share * 100:g}",
            ).ref_id(ref_id)
            for share, ref_id in ((0.5, "A"), (0.99, "B"))
        ],
    )


def _sources() -> Panel:
    return lines(
        "Silence of sources",
        "Since the newest event of each source, by its own time.",
        SECONDS,
        METRICS,
        [
            metric(
                "time() - max by (source) (switchboard_feed_last_event_timestamp_seconds)",
                "{{source}}",
            )
        ],
    )


def _set_aside() -> Panel:
    return lines(
        "Dead letters",
        "Records that could not be read or stored, in the interval, by reason. They are kept:"
        " `switchboard dead-letters list`.",
        COUNT,
        METRICS,
        [
            metric(
                f"sum by (reason) (increase(switchboard_dead_letters_total{_RATE}))", "{{reason}}"
            )
        ],
        stacked=True,
    )


def _odd() -> Panel:
    odd = {"A": ("late_events", "late"), "B": ("clock_skew", "clock ahead")}
    return lines(
        "Late events, and clocks that are ahead",
        "In the interval. Late events still correct what is known; a clock ahead is clamped.",
        COUNT,
        METRICS,
        [
            metric(f"sum(increase(switchboard_{name}_total{_RATE})) or vector(0)", legend).ref_id(
                ref_id
            )
            for ref_id, (name, legend) in odd.items()
        ],
    )


def _rows() -> Panel:
    return lines(
        "Rows stored",
        "A second, by table, repeats included.",
        _A_SECOND,
        METRICS,
        [metric(f"sum by (table) (rate(switchboard_sink_rows_total{_RATE}))", "{{table}}")],
        stacked=True,
    )


def _flush() -> Panel:
    buckets = f"sum by (le) (rate(switchboard_sink_flush_seconds_bucket{_RATE}))"
    return lines(
        "Storing a block",
        "Half and 99 of 100 blocks took so long, retries included.",
        SECONDS,
        METRICS,
        [
            metric(f"histogram_quantile({share}, {buckets})", f"p{share * 100:g}").ref_id(ref_id)
            for share, ref_id in ((0.5, "A"), (0.99, "B"))
        ],
    )


def _checkpoints() -> Panel:
    return lines(
        "Age of checkpoints",
        "For how long no stored checkpoint covers all that was read, the oldest partition of each"
        " topic.",
        SECONDS,
        METRICS,
        [
            metric(
                "max by (topic) (min by (topic, partition) (switchboard_checkpoint_age_seconds))",
                "{{topic}}",
            )
        ],
    )


def _checkpoint_bytes() -> Panel:
    return lines(
        "Size of checkpoints",
        "Compressed, over the partitions of each topic: grows with what is open.",
        "bytes",
        METRICS,
        [
            metric(
                "sum by (topic) (max by (topic, partition) (switchboard_checkpoint_bytes))",
                "{{topic}}",
            )
        ],
    )


def _retries() -> Panel:
    return lines(
        "Inserts tried again",
        "In the interval: ClickHouse was away, or needs a person.",
        COUNT,
        METRICS,
        [metric(f"sum(increase(switchboard_sink_retries_total{_RATE})) or vector(0)", "retries")],
    )


def _processor() -> Panel:
    return lines(
        "Processor time by stage",
        "Seconds of one processor a second: fold (decoding included), rows, checkpoint, insert.",
        SECONDS,
        METRICS,
        [metric(f"sum by (stage) (rate(switchboard_stage_cpu_seconds_total{_RATE}))", "{{stage}}")],
        span=24,
        stacked=True,
    )
