from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sinks.queue_metrics import MOST_QUEUES, QUEUE_METRICS, QueueCollector, Sample

PROMISED = {
    "queue_waiting": (),
    "queue_oldest_enqueued_timestamp_seconds": (),
    "queue_agents": ("state",),
    "queue_service_level_ratio": ("window", "preset"),
    "queue_abandonment_ratio": ("window",),
    "queue_average_speed_of_answer_seconds": ("window",),
    "queue_wait_seconds": ("quantile", "window"),
    "queue_contacts_total": ("outcome",),
    "queue_estimated_wait_seconds": (),
    "queue_forecast_breach_probability": ("horizon",),
    "queue_threshold": ("kpi", "severity"),
}


def exposed(samples: list[Sample]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(QueueCollector(lambda: samples))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_promised_metrics_have_their_labels_and_say_what_they_mean() -> None:
    for name, labels in PROMISED.items():
        assert QUEUE_METRICS[name][0] == labels
    assert all(meaning.endswith(".") for _, meaning in QUEUE_METRICS.values())


def test_a_value_stands_under_tenant_queue_and_its_labels() -> None:
    found = exposed(
        [
            Sample(
                "t",
                "help",
                {("queue_waiting", ()): 3, ("queue_contacts_total", ("answered",)): 7},
            )
        ]
    )
    whose = (("queue", "help"), ("tenant", "t"))
    assert found["switchboard_queue_waiting", whose] == 3
    assert found["switchboard_queue_contacts_total", (("outcome", "answered"), *whose)] == 7


def test_queues_beyond_the_most_are_added_up_as_other_and_counted() -> None:
    values: dict[tuple[str, tuple[str, ...]], float] = {
        ("queue_waiting", ()): 2.0,
        ("queue_current", ()): 1.0,
    }
    found = exposed([Sample("t", f"q-{n}", values) for n in range(MOST_QUEUES + 3)])
    other = (("queue", "other"), ("tenant", ""))
    assert found["switchboard_queue_waiting", other] == 6
    assert ("switchboard_queue_current", other) not in found
    assert found["switchboard_queues_unnamed", ()] == 3
