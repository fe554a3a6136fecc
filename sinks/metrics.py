"""Every pipeline metric, in one list: its name, its labels, and what it means.

Prefix `switchboard_`, base units, counters end in `_total`. Labels never carry customer data.
Touches nothing but the registry it is given; the worker exposes that.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

PREFIX: Final = "switchboard"

FLUSH_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
LAG_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class Metrics:
    """The metrics of one process."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry(auto_describe=True)

        # What was read
        self.events = self._counter(
            "events_total",
            "Records read, by what became of them: applied, repeated, late, dead_letter.",
            ("topic", "outcome"),
        )
        self.event_lag = self._histogram(
            "event_lag_seconds",
            "From an event's own time to the moment its rows were stored, of a sample of events.",
            ("topic",),
            LAG_SECONDS,
        )
        self.consumer_lag = self._gauge(
            "consumer_lag_records",
            "Records on the broker that are not applied yet, as far as the consumer has heard.",
            ("topic", "partition"),
        )
        self.offset_gaps = self._counter(
            "offset_gaps_total",
            "Places where a log holds no records: markers of transactions, or retention.",
            ("topic", "partition"),
        )
        self.late_events = self._counter(
            "late_events_total", "Events beyond their partition's lateness horizon.", ("topic",)
        )
        self.clock_skew = self._counter(
            "clock_skew_total",
            "Events whose time was ahead of the broker's by more than allowed, and was clamped.",
            ("topic",),
        )
        self.dead_letters = self._counter(
            "dead_letters_total",
            "Records set aside because they could not be read or stored, by reason.",
            ("reason",),
        )
        self.identity_quarantined = self._counter(
            "identity_quarantined_total",
            "Pairs of identifiers that were shown together and kept apart, because they would make"
            " one customer of several, by reason. `switchboard customer quarantine` lists them.",
            ("reason",),
        )
        self.feed_last_event = self._gauge(
            "feed_last_event_timestamp_seconds",
            "Time of the newest event of a source, as Unix time. Silence shows here.",
            ("source",),
        )
        self.unknown_fields = self._gauge(
            "unknown_fields",
            "Fields in a source's events that the contract does not know, found by sampling.",
            ("source",),
        )

        # What was stored
        self.sink_rows = self._counter(
            "sink_rows_total", "Rows stored in ClickHouse, repeats included.", ("table",)
        )
        self.sink_flush = self._histogram(
            "sink_flush_seconds",
            "Storing one block of rows and its checkpoints, retries included.",
            (),
            FLUSH_SECONDS,
        )
        self.sink_retries = self._counter(
            "sink_retries_total",
            "Inserts tried again because ClickHouse was away (unavailable) or needs a person"
            " (misconfigured).",
            ("reason",),
        )
        self.sink_waiting = self._gauge(
            "sink_waiting_seconds",
            "For how long the insert in hand has been failing; 0 when inserts succeed.",
        )
        self.announced = self._counter(
            "announced_records_total",
            "Dead letters and late events that were published on their topic, repeats included.",
            ("topic",),
        )
        self.announce_waiting = self._gauge(
            "announce_waiting_seconds",
            "For how long dead letters or late events in hand could not be published; 0 when they"
            " can. Reading pauses meanwhile.",
        )
        self.stage_cpu = self._counter(
            "stage_cpu_seconds_total",
            "Processor time of a stage: fold (decoding included), rows, checkpoint, insert. What"
            " the process takes beside these is fetching, Faust and the embedded engine's threads.",
            ("stage",),
        )
        self.checkpoint_offset = self._gauge(
            "checkpoint_offset_records",
            "Offset up to which a stored checkpoint covers a source partition.",
            ("topic", "partition"),
        )
        self.checkpoint_age = self._gauge(
            "checkpoint_age_seconds",
            "For how long no stored checkpoint covers all that was read of a source partition.",
            ("topic", "partition"),
        )
        self.checkpoint_bytes = self._gauge(
            "checkpoint_bytes",
            "Size of the last checkpoint of a source partition, compressed.",
            ("topic", "partition"),
        )
        self.checkpoints_unreadable = self._counter(
            "checkpoints_unreadable_total",
            "Checkpoints that could not be read when a partition was taken over.",
            ("topic", "partition"),
        )

        # Who was told (`switchboard alerts deliver`)
        self.webhook_messages = self._counter(
            "webhook_messages_total",
            "Breaches by what became of them at a webhook: delivered, retried (once for each try"
            " that is followed by another), set_aside.",
            ("webhook", "outcome"),
        )
        self.build = Info(
            f"{PREFIX}_build", "Version of the running program.", registry=self.registry
        )

    def _counter(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(f"{PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, labels: Sequence[str], buckets: Sequence[float]
    ) -> Histogram:
        return Histogram(
            f"{PREFIX}_{name}", meaning, labels, registry=self.registry, buckets=buckets
        )
