import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sinks.metrics import Metrics

PIPELINE = {
    "switchboard_events_total": {"topic", "outcome"},
    "switchboard_event_lag_seconds": {"topic"},
    "switchboard_consumer_lag_records": {"topic", "partition"},
    "switchboard_checkpoint_age_seconds": {"topic", "partition"},
    "switchboard_sink_rows_total": {"table"},
    "switchboard_sink_flush_seconds": set(),
    "switchboard_dead_letters_total": {"reason"},
    "switchboard_late_events_total": {"topic"},
    "switchboard_clock_skew_total": {"topic"},
    "switchboard_feed_last_event_timestamp_seconds": {"source"},
}


@pytest.mark.parametrize("name", PIPELINE)
def test_a_promised_metric_exists_with_its_labels(name: str) -> None:
    metrics = Metrics()
    found = {
        collector._name: set(collector._labelnames)
        for collector in vars(metrics).values()
        if not isinstance(collector, CollectorRegistry)
    }
    assert found[name.removesuffix("_total")] == PIPELINE[name]


def test_every_metric_says_what_it_means_and_is_exposed() -> None:
    metrics = Metrics()
    metrics.build.info({"version": "1"})
    text = generate_latest(metrics.registry).decode()
    helps = [line.split(" ", 3) for line in text.splitlines() if line.startswith("# HELP")]
    helps = [line for line in helps if not line[2].endswith("_created")]
    assert len(helps) == len(vars(metrics)) - 1
    for _, _, name, meaning in helps:
        assert name.startswith("switchboard_")
        assert meaning.endswith(".")
    assert 'switchboard_build_info{version="1"} 1.0' in text


def test_two_processes_worth_of_metrics_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.sink_rows.labels("events").inc()
    labels = {"table": "events"}
    assert other.registry.get_sample_value("switchboard_sink_rows_total", labels) is None
