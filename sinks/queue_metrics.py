"""The metrics of live queues: their names, labels and meaning, in one list.

They are not counted here: `QueueCollector` asks for the queues that this worker owns whenever it is
scraped, so a restart or a rebalance moves a series to another worker and changes no value. One
worker owns a queue. A queue is exposed once its owner has caught up, and stays exposed, with
`queue_current` 0, while its sources do not; it vanishes with its owner.

Touches nothing but what it is given.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sinks.metrics import PREFIX

MOST_QUEUES: Final = 1_000
"""Queues of one worker that have series of their own."""
OTHER: Final = "other"
"""The queue under which what adds up of all further queues is exposed, with no tenant."""
_ADDS_UP: Final = frozenset(
    {"queue_waiting", "queue_active", "queue_presumed_lost", "queue_contacts_total"}
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one queue. A value that is not known is left out, never 0.

    `values` are by metric (a name of `QUEUE_METRICS`) and by the labels beside tenant and queue, in
    the order of the metric's.
    """

    tenant: str
    queue: str
    values: Mapping[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)


QUEUE_METRICS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "queue_current": (
        (),
        (
            "1 where every source partition of the queue is read to its end and what is read"
            " happens now; 0 while a worker catches up, is gone, or replays a past day: values"
            " stand still then, and must not be judged."
        ),
    ),
    "queue_waiting": ((), "Contacts waiting in the queue now."),
    "queue_oldest_enqueued_timestamp_seconds": (
        (),
        (
            "When the contact that waits longest entered the queue, as Unix time; absent when"
            " nobody waits. The longest wait now is time() minus it."
        ),
    ),
    "queue_active": ((), "Contacts of the queue that agents are talking or writing to now."),
    "queue_presumed_lost": (
        (),
        "Open contacts that were silent past their channel's horizon: neither waiting nor active.",
    ),
    "queue_agents": (
        ("state",),
        (
            "Agents on the queue by state: available, on_contact, wrapup, paused, offline. Absent"
            ' where no agent was ever told to be on it. Queue "" counts each agent of the tenant'
            " once."
        ),
    ),
    "queue_service_level_ratio": (
        ("window", "preset"),
        (
            "Service level of the contacts offered in the rolling window, by the queue's preset. A"
            " contact counts once answered, gone, or waiting for longer than the target."
        ),
    ),
    "queue_abandonment_ratio": (
        ("window",),
        "Share of the contacts offered in the rolling window that hung up while they waited.",
    ),
    "queue_average_speed_of_answer_seconds": (
        ("window",),
        "Mean wait of the contacts offered in the rolling window and answered.",
    ),
    "queue_wait_seconds": (
        ("quantile", "window"),
        "Quantiles of the concluded waits of contacts offered in the rolling window, within 1 %.",
    ),
    "queue_offered": (
        ("window",),
        "Contacts offered in the rolling window: the traffic that its ratios stand on.",
    ),
    "queue_contacts_total": (
        ("outcome",),
        (
            "Contacts by what became of them: offered, answered, answered_in_target, abandoned,"
            " flowed_out (every other exit); and, of those that the queue's service-level preset"
            " counts, service_level_met and service_level_missed, once they are concluded."
        ),
    ),
    "queue_estimated_wait_seconds": (
        (),
        "How long a contact that enters now is expected to wait; absent without agents or data.",
    ),
    "queue_forecast_breach_probability": (
        ("horizon",),
        (
            "Probability that the service level of the contacts offered from now until the horizon"
            " (5m, 15m, 30m) is below the queue's target."
        ),
    ),
    "queue_forecast_agents_needed": (
        (),
        "Agents at work that keep the target over the next 30 minutes at the measured load.",
    ),
    "queue_forecast_brier_score": (
        ("horizon",),
        (
            "Mean squared difference between forecast probabilities and what came to pass, of the"
            " forecasts of the last day that have come due: 0 is perfect, 0.25 knows nothing."
        ),
    ),
    "queue_judged_value": (
        ("kpi",),
        (
            "The KPI of a rolling window that the queue has an alert for, in that alert's window;"
            " absent with less traffic than the alert asks for."
        ),
    ),
    "queue_threshold": (
        ("kpi", "severity"),
        (
            "The value from which a KPI of the queue is a warning or critical, as configured; the"
            " queue's target itself is kpi service_level_target, severity target."
        ),
    ),
    "queue_closing_threshold": (
        ("kpi", "severity"),
        "The value at which an alert of that severity closes again.",
    ),
    "queue_open": (
        (),
        "1 in the queue's business hours, 0 outside: alerts may speak when it is 1.",
    ),
    "queue_breaches_open": (
        ("kpi", "severity"),
        "1 while the stream itself holds a breach of the KPI open (`queue.breaches`).",
    ),
}
"""Name without prefix -> labels beside tenant and queue, and meaning. `queue_contacts_total` is a
counter, the others are gauges."""

_UNNAMED: Final = "queues_unnamed"


class QueueCollector(Collector):
    """Exposes the queues that `queues` gives when it is called."""

    def __init__(self, queues: Callable[[], Iterable[Sample]]) -> None:
        self._queues = queues

    def describe(self) -> Iterator[Metric]:
        """Every metric, without samples: the registry asks when it is told of this."""
        yield from self._families().values()

    def collect(self) -> Iterator[Metric]:
        """Every metric with the present values."""
        families = self._families()
        unnamed = 0
        other: defaultdict[tuple[str, tuple[str, ...]], float] = defaultdict(float)
        for number, sample in enumerate(self._queues()):
            if number >= MOST_QUEUES:
                unnamed += 1
                for at, value in sample.values.items():
                    if at[0] in _ADDS_UP:
                        other[at] += value
                continue
            for (name, labels), value in sample.values.items():
                families[name].add_metric([sample.tenant, sample.queue, *labels], value)
        for (name, labels), value in other.items():
            families[name].add_metric(["", OTHER, *labels], value)
        families[_UNNAMED].add_metric([], unnamed)
        yield from families.values()

    def _families(self) -> dict[str, GaugeMetricFamily | CounterMetricFamily]:
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for name, (labels, meaning) in QUEUE_METRICS.items():
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            full = f"{PREFIX}_{name}".removesuffix("_total")
            families[name] = kind(full, meaning, labels=["tenant", "queue", *labels])
        families[_UNNAMED] = GaugeMetricFamily(
            f"{PREFIX}_{_UNNAMED}",
            f"Queues of this worker beyond the {MOST_QUEUES} that have series of their own.",
            labels=[],
        )
        return families
