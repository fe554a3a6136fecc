"""How a fold of `kpi.panes` begins: from a checkpoint, or from the panes that are stored.

A new log of the topic (it was made anew, or an embedded broker forgot it) holds nothing of what the
old one said. Panes of the last day are stored in `kpi_panes`, and open breaches in
`queue_breaches`; who waits and who works is told anew by the folds of the sources, which begin
again when a topic is made anew. Reads the store it is given; blocks.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

from schemas.queues import Severity
from schemas.topics import KPI_PANES
from sinks.checkpoints import Checkpoint
from sinks.store import Store
from streams.fold.panes import QUEUE_COUNTS
from streams.monitor.breaches import Breach, Watch
from streams.monitor.fold import MonitorFold
from streams.monitor.messages import PanePart, Partial
from streams.monitor.queue import KEPT_SECONDS
from streams.monitor.rules import MonitorRules

_WITHIN: Final = ("answered_within", "abandoned_within", "callback_within", "ended_within")
_HERE: Final = """
    -- As the producer spreads keys over partitions.
    bitAnd(kafkaMurmurHash(concat(tenant, char(0), queue)), 0x7fffffff) % {partitions:UInt32}
        = {partition:UInt32}
"""
_STORED: Final = f"""
SELECT tenant, queue, channel, direction, toUnixTimestamp(pane_at) AS at, log, source_partition,
    generation, p.version AS version, {", ".join((*QUEUE_COUNTS, *_WITHIN))}, wait_bins,
    l.topic AS topic
FROM kpi_panes AS p FINAL
LEFT JOIN (SELECT log, any(topic) AS topic FROM topic_logs GROUP BY log) AS l ON l.log = p.log
WHERE cohort = 'offered' AND pane_at >= now() - {{kept:UInt32}} AND {_HERE}
"""  # noqa: S608 -- from constants; values are bound
_OPEN: Final = f"""
SELECT tenant, queue, toUnixTimestamp64Milli(opened_at) AS opened_ms, breach_id, kpi, severity,
    window, toUnixTimestamp64Milli(worsened_at) AS worsened_ms, value, worst_value, threshold,
    interactions
FROM queue_breaches FINAL
WHERE closed_at IS NULL AND {_HERE}
"""  # noqa: S608


class MonitorBeginning:
    """Begins folds of `kpi.panes`."""

    topic: Final = KPI_PANES

    def __init__(self, store: Store, rules: MonitorRules) -> None:
        self._store = store
        self._rules = rules

    def restored(self, partition: int, log: str, epoch: int, saved: Checkpoint) -> MonitorFold:
        """The fold as its checkpoint left it.

        Raises:
            StateUnreadable: the checkpoint cannot be read.
        """
        state = (saved.state, saved.state_version)
        return MonitorFold(self.topic, partition, log, epoch, self._rules, state)

    def first(self, partition: int, partitions: int, log: str, epoch: int) -> MonitorFold:
        """The fold of a log of which no checkpoint was ever written. Raises `StoreError`."""
        fold = MonitorFold(self.topic, partition, log, epoch, self._rules)
        here = {"partition": partition, "partitions": partitions}
        for said in self._stored(here):
            fold.take(said)
        for row in self._store.query(_OPEN, here):
            fold.watch((row["tenant"], row["queue"]), row["kpi"], _watch(row))
        return fold

    def _stored(self, here: dict[str, Any]) -> Iterator[Partial]:
        for row in self._store.query(_STORED, {**here, "kept": KEPT_SECONDS}):
            pane = PanePart(
                row["channel"],
                row["direction"],
                row["at"],
                row["generation"],
                {name: row[name] for name in QUEUE_COUNTS if row[name]},
                row["answered_within"],
                row["abandoned_within"],
                row["callback_within"],
                row["ended_within"],
                row["wait_bins"],
            )
            yield Partial(
                tenant=row["tenant"],
                queue=row["queue"],
                topic=row["topic"],
                partition=row["source_partition"],
                log=row["log"],
                epoch=0,  # who waits is told by the log that is there
                version=row["version"],
                event_time=0,
                produced_at=0,
                panes=(pane,),
            )


def _watch(row: dict[str, Any]) -> Watch:
    breach = Breach(
        breach_id=row["breach_id"],
        kpi=row["kpi"],
        window=row["window"],
        severity=cast("Severity", row["severity"]),
        opened_at=row["opened_ms"],
        value=row["value"],
        worst_value=row["worst_value"],
        threshold=row["threshold"],
        interactions=tuple(row["interactions"]),
        worsened_at=row["worsened_ms"],
    )
    return Watch({}, breach)
