"""A queue that is starved of agents, from its events to one notification: every part is real.

A worker as people run it, the shipped rules and routes, Prometheus and Alertmanager.
"""

import asyncio
import json
import signal
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.sections import BrokerSettings
from schemas.topics import EVENTS_CALL
from streams.child_process import free_port
from streams.embedded import EmbeddedBroker
from streams.topic_admin import create_topics, topic_specs
from tests.integration.conftest import Sent, publish
from tests.support.notifications import Receiver, hurried, routed_to
from tests.support.prometheus import Alertmanager, Prometheus, wait_until
from tests.support.worker import WorkerProcess

THRESHOLDS = {"waiting": {"critical": 4, "critical_closes": 1}}


def events(kind: str, contacts: Iterable[str], **data: str) -> list[Sent]:
    """An event of now for each of the contacts."""
    return [
        Sent(
            EVENTS_CALL,
            contact.encode(),
            json.dumps(
                {
                    "specversion": "1.0",
                    "id": f"{contact}/{kind}",
                    "source": "pbx",
                    "type": kind,
                    "time": datetime.now(UTC).isoformat(),
                    "subject": contact,
                    "data": {"queue": "support", **data},
                }
            ).encode(),
        )
        for contact in contacts
    ]


@pytest.fixture
def bootstrap(embedded_broker: EmbeddedBroker) -> str:
    create_topics(embedded_broker.bootstrap, topic_specs(BrokerSettings(partitions=2)))
    return embedded_broker.bootstrap


def test_a_starved_queue_is_told_once_across_a_killed_worker_and_over_once(
    bootstrap: str, tmp_path: Path
) -> None:
    port = free_port("127.0.0.1")
    settings = {
        "BROKER__URL": bootstrap,
        "BROKER__PARTITIONS": "2",
        "BROKER__SESSION_TIMEOUT_SECONDS": "6",
        "HTTP__PORT": str(port),
        "QUEUES__DEFAULT__ALERTS": json.dumps(THRESHOLDS),
    }
    waiting = [f"call-{number}" for number in range(5)]

    def tell(sent: list[Sent]) -> None:
        asyncio.run(publish(bootstrap, sent))

    with (
        Receiver() as told,
        Alertmanager(tmp_path, routed_to(told)) as alertmanager,
        Prometheus(
            tmp_path,
            [f"127.0.0.1:{port}"],
            rule_files=hurried(tmp_path),
            alertmanager=alertmanager.address,
        ) as prometheus,
    ):
        with WorkerProcess(tmp_path / "worker", settings) as worker:
            worker.wait_ready()
            tell(events("queue.entered", waiting))
            wait_until(lambda: told.of("SwitchboardManyWaiting", "firing"), "a notification")
            worker.send(signal.SIGKILL)
            worker.ended()
        with WorkerProcess(tmp_path / "worker", settings) as worker:
            worker.wait_ready()
            known = "switchboard_queue_waiting == 5 and on (queue) switchboard:queue_judged"
            wait_until(lambda: prometheus.query(known), "the queue to be known again")
            (shown,) = json.loads(worker.get("/wallboard/queues.json")[1])["queues"]
            assert (shown["queue"], shown["waiting"]) == ("support", 5)
            tell(events("queue.exited", waiting, reason="abandoned"))
            wait_until(lambda: told.of("SwitchboardManyWaiting", "resolved"), "the end of it")
    many = [
        (notification["status"], alert["status"], alert["annotations"]["description"])
        for notification in told.sent
        for alert in notification["alerts"]
        if alert["labels"]["alertname"] == "SwitchboardManyWaiting"
    ]
    assert [(status, alert) for status, alert, _ in many if status == "firing"] == [
        ("firing", "firing")
    ]
    assert [alert for _, alert, _ in many] == ["firing", "resolved"]
    assert "the critical threshold is 4" in many[0][2]
