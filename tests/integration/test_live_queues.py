"""Stage 2 in workers as people run them: what is live is shown, and a breach is told once."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.live import BreachNotice
from schemas.topics import EVENTS_CALL, QUEUE_BREACHES
from tests.integration.conftest import Sent, wait_for
from tests.integration.test_lifecycle import (
    PARTITIONS,
    Workplace,
    on_one_broker,
    place,
)

__all__ = ["place"]

ALERTS = {"QUEUES": json.dumps({"default": {"alerts": {"waiting": {"warning": 2}}}})}


def event(subject: str, kind: str, data: dict[str, str]) -> Sent:
    """An event of now."""
    said = {
        "specversion": "1.0",
        "id": f"{subject}/{kind}",
        "source": "pbx",
        "type": kind,
        "time": datetime.now(UTC).isoformat(),
        "subject": subject,
        "data": data,
    }
    return Sent(EVENTS_CALL, subject.encode(), json.dumps(said).encode())


def entered(number: int) -> Sent:
    """A caller enters the queue."""
    return event(f"call-{number}", "queue.entered", {"queue": "help"})


def gone(number: int) -> Sent:
    """A caller hangs up."""
    return event(f"call-{number}", "queue.exited", {"queue": "help", "reason": "abandoned"})


def breaches(place: Workplace) -> list[dict[str, Any]]:
    return place.store.query("SELECT * FROM queue_breaches FINAL")


def waiting(place: Workplace) -> int:
    rows = place.store.query("SELECT waiting FROM queue_live FINAL WHERE queue = 'help'")
    return int(rows[0]["waiting"]) if rows else -1


async def notices(bootstrap: str) -> list[BreachNotice]:
    """Everything on `queue.breaches`."""
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        partitions = [TopicPartition(QUEUE_BREACHES, n) for n in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        found = await consumer.getmany(timeout_ms=5_000)
    return [BreachNotice.model_validate_json(r.value) for of in found.values() for r in of]


@on_one_broker
def test_a_worker_that_is_killed_causes_no_second_breach(place: Workplace) -> None:
    first = place.start(**ALERTS)
    place.publish([entered(n) for n in range(3)])
    wait_for(lambda: len(breaches(place)) == 1, "a breach")
    first.process.kill()
    first.ended()
    second = place.start(**ALERTS)
    place.publish([entered(3)])
    wait_for(lambda: waiting(place) == 4, "the fourth caller in queue_live")
    wait_for(lambda: second.metric("switchboard_queue_waiting", queue="help") == 4, "/metrics")
    wait_for(lambda: second.metric("switchboard_queue_current", queue="help") == 1, "the present")
    assert second.metric("switchboard_queue_contacts_total", outcome="offered") == 4
    place.publish([gone(n) for n in range(4)])
    wait_for(lambda: all(row["closed_at"] for row in breaches(place)), "its end")
    (breach,) = breaches(place)
    assert (breach["severity"], breach["closed_because"]) == ("warning", "recovered")
    said = {(n.breach_id, n.change) for n in asyncio.run(notices(place.run.bootstrap))}
    assert said == {(breach["breach_id"], "opened"), (breach["breach_id"], "closed")}
