"""From metrics of a queue to a person: the shipped rules and routes, by real programs.

Only intervals and receivers differ from what is shipped.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from sinks.queue_metrics import QueueCollector, Sample
from tests.support.exposition import exposition
from tests.support.notifications import SOON, Receiver, hurried, routed_to
from tests.support.prometheus import Alertmanager, Prometheus, wait_until

ROOT = Path(__file__).parents[2]


@dataclass
class Worker:
    """What a worker says of two queues, one of which is in trouble or not."""

    waiting: int = 1
    agents: int = 2
    knows: bool = True
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.registry.register(QueueCollector(self._samples))

    def _samples(self) -> list[Sample]:
        if not self.knows:
            return []
        return [self._sample("support", self.waiting), self._sample("sales", 0)]

    def _sample(self, queue: str, waiting: int) -> Sample:
        values: dict[tuple[str, tuple[str, ...]], float] = {
            ("queue_current", ()): 1,
            ("queue_open", ()): 1,
            ("queue_waiting", ()): waiting,
            ("queue_agents", ("available",)): self.agents,
        }
        for severity, opens, closes in (("warning", 5, 3), ("critical", 10, 6)):
            values["queue_threshold", ("waiting", severity)] = opens
            values["queue_closing_threshold", ("waiting", severity)] = closes
            values["queue_threshold", ("longest_wait_now_seconds", severity)] = opens * 10
            values["queue_closing_threshold", ("longest_wait_now_seconds", severity)] = closes * 10
        if waiting:
            values["queue_oldest_enqueued_timestamp_seconds", ()] = 1.6e9 if waiting > 5 else 4e9
        return Sample("acme", queue, values)


@dataclass(frozen=True)
class Watched:
    """All parts, running."""

    worker: Worker
    prometheus: Prometheus
    alertmanager: Alertmanager
    receiver: Receiver


@contextmanager
def watched(
    directory: Path, target: str, worker: Worker, group_interval: str = SOON
) -> Iterator[Watched]:
    with (
        Receiver() as receiver,
        Alertmanager(directory, routed_to(receiver, group_interval=group_interval)) as alertmanager,
        Prometheus(
            directory,
            [target],
            rule_files=hurried(directory),
            alertmanager=alertmanager.address,
        ) as prometheus,
    ):
        yield Watched(worker, prometheus, alertmanager, receiver)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_a_queue_in_trouble_is_told_once_and_over_once(tmp_path: Path, worker: Worker) -> None:
    """A restart of its worker in between tells nobody anything."""
    with exposition(worker.registry) as target, watched(tmp_path, target, worker) as all_parts:
        ask, told = all_parts.prometheus.query, all_parts.receiver
        wait_until(lambda: ask("switchboard:queue_judged"), "queues to be judged")
        assert told.sent == []

        worker.waiting = 12
        wait_until(lambda: told.of("SwitchboardManyWaiting", "firing"), "a notification")

        worker.knows = False
        wait_until(lambda: not ask("switchboard_queue_waiting"), "the worker to be gone")
        worker.knows = True
        wait_until(lambda: ask("switchboard:queue_judged"), "the worker to be back")
        assert len(told.sent) == 1

        worker.waiting = 0
        wait_until(told.all_over, "the end of it")

    told_once_and_over_once(told)
    first = told.sent[0]
    assert first["groupLabels"] == {"tenant": "acme", "queue": "support"}
    alerts = {alert["labels"]["alertname"]: alert for alert in first["alerts"]}
    assert set(alerts) == {"SwitchboardManyWaiting", "SwitchboardLongWait"}
    many = alerts["SwitchboardManyWaiting"]
    assert many["labels"]["severity"] == "critical", "and the warning is silent beside it"
    assert many["annotations"]["summary"] == "12 contacts wait in support"
    assert many["annotations"]["description"] == (
        "12 contacts wait in support (acme); the critical threshold is 10. Agents at work: 2."
    )
    page, _, section = many["annotations"]["runbook_url"].partition("#")
    assert f"## {many['labels']['alertname']}" in (ROOT / page).read_text()
    assert section == "switchboardmanywaiting"


def test_that_nobody_is_at_work_is_not_told_after_that_too_many_wait(
    tmp_path: Path, worker: Worker
) -> None:
    with exposition(worker.registry) as target, watched(tmp_path, target, worker) as all_parts:
        told, states = all_parts.receiver, all_parts.alertmanager
        worker.waiting = 12
        wait_until(lambda: told.of("SwitchboardManyWaiting", "firing"), "a notification")
        worker.agents = 0
        wait_until(
            lambda: state_of(states, "SwitchboardNoAgents") == "suppressed", "it to be silenced"
        )
        worker.agents = 2
        wait_until(lambda: not state_of(states, "SwitchboardNoAgents"), "agents to be seen")
        assert len(told.sent) == 1
        worker.waiting = 0
        wait_until(told.all_over, "the end of it")
    told_once_and_over_once(told)


def test_a_critical_alert_does_not_wait_because_a_warning_was_told(
    tmp_path: Path, worker: Worker
) -> None:
    worker.waiting = 5
    with (
        exposition(worker.registry) as target,
        watched(tmp_path, target, worker, group_interval="1h") as all_parts,
    ):
        told = all_parts.receiver
        wait_until(lambda: told.of("SwitchboardManyWaiting", "firing"), "the warning")
        worker.waiting = 12
        wait_until(lambda: len(told.sent) > 1, "the critical alert")
    severities = [n["commonLabels"]["severity"] for n in told.sent]
    assert severities == ["warning", "critical"]


def test_a_dead_pipeline_speaks_for_itself_and_silences_queues(
    tmp_path: Path, worker: Worker
) -> None:
    worker.waiting = 12
    with ExitStack() as serving:
        target = serving.enter_context(exposition(worker.registry))
        with watched(tmp_path, target, worker) as all_parts:
            told = all_parts.receiver
            wait_until(lambda: told.of("SwitchboardManyWaiting", "firing"), "a notification")
            serving.close()
            wait_until(lambda: told.of("SwitchboardAbsent", "firing"), "the pipeline's own alert")
            wait_until(
                lambda: state_of(all_parts.alertmanager, "SwitchboardManyWaiting") == "suppressed",
                "the queue's alert to be silenced",
            )
            queues = [n for n in told.sent if n["groupLabels"].get("queue")]
    assert [n["status"] for n in queues] == ["firing"], "told before, and not that it is over"


def told_once_and_over_once(told: Receiver) -> None:
    """Of both alerts together that they fire, and of each that it is over.

    The rules tell one after the other that it is over, and a notification may go out between.
    """
    fired = {alert: course for alert, course in told.courses().items() if "firing" in course}
    assert fired == {
        ("SwitchboardManyWaiting", "critical"): ["firing", "resolved"],
        ("SwitchboardLongWait", "critical"): ["firing", "resolved"],
    }
    said = [{alert["status"] for alert in n["alerts"]} for n in told.sent]
    assert said in (
        [{"firing"}, {"resolved"}],
        [{"firing"}, {"firing", "resolved"}, {"resolved"}],
    )
    assert len(told.sent[0]["alerts"]) == 2


def state_of(alertmanager: Alertmanager, alertname: str) -> str:
    """What Alertmanager does with the critical alert of that name."""
    wanted = {"alertname": alertname, "severity": "critical"}
    found = [a for a in alertmanager.alerts() if wanted.items() <= a["labels"].items()]
    return str(found[0]["status"]["state"]) if found else ""
