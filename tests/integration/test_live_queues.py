"""Stage 2 in workers as people run them: what is live is shown, and a breach is told once."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from schemas.live import BreachNotice
from schemas.topics import EVENTS_CALL, QUEUE_BREACHES
from tests.integration.conftest import DEADLINE_SECONDS, Sent, wait_for
from tests.integration.test_lifecycle import (
    PARTITIONS,
    SOURCES,
    Workplace,
    on_one_broker,
    place,
)
from tests.support.worker import WorkerProcess

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


def entered(number: int, queue: str = "help") -> Sent:
    """A caller enters the queue."""
    return event(f"call-{number}", "queue.entered", {"queue": queue})


def gone(number: int) -> Sent:
    """A caller hangs up."""
    return event(f"call-{number}", "queue.exited", {"queue": "help", "reason": "abandoned"})


STEADY = {
    "switchboard_queue_waiting",
    "switchboard_queue_oldest_enqueued_timestamp_seconds",
    "switchboard_queue_contacts_total",
    "switchboard_queue_breaches_open",
}


def breaches(place: Workplace) -> list[dict[str, Any]]:
    return place.store.query("SELECT * FROM queue_breaches FINAL")


def waiting(place: Workplace) -> int:
    rows = place.store.query("SELECT waiting FROM queue_live FINAL WHERE queue = 'help'")
    return int(rows[0]["waiting"]) if rows else -1


def shown(worker: WorkerProcess) -> dict[str, dict[tuple[str, ...], float]]:
    """What a scrape of a worker says of queues and must not change while nothing happens.

    By queue, and by metric and further labels.
    """
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(worker.get("/metrics")[1]):
        for sample in family.samples:
            if sample.name in STEADY and (queue := sample.labels["queue"]):
                labels = {k: v for k, v in sample.labels.items() if k not in {"queue", "tenant"}}
                found.setdefault(queue, {})[sample.name, *labels.values()] = sample.value
    return found


async def notices(bootstrap: str, count: int) -> set[tuple[str, str]]:
    """What `queue.breaches` tells, as breach and change: `count` of them, and whatever is there
    beside.
    """
    found: set[tuple[str, str]] = set()
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        partitions = [TopicPartition(QUEUE_BREACHES, n) for n in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()

        async def read() -> None:
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                for record in records:
                    notice = BreachNotice.model_validate_json(record.value)
                    found.add((notice.breach_id, notice.change))

        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < count:
                await read()
        await read()
    return found


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
    said = asyncio.run(notices(place.run.bootstrap, 2))
    assert said == {(breach["breach_id"], "opened"), (breach["breach_id"], "closed")}


@on_one_broker
def test_no_scrape_shows_a_jump_while_another_worker_takes_over(place: Workplace) -> None:
    workers = [place.start(**ALERTS), place.start(**ALERTS)]
    half = SOURCES * PARTITIONS // 2
    wait_for(lambda: all(worker.partitions == half for worker in workers), "half each")
    queues = [f"queue-{n}" for n in range(8)]  # some of them lie in either partition
    place.publish([entered(n, queues[n % len(queues)]) for n in range(3 * len(queues))])
    complete = {
        ("switchboard_queue_waiting",): 3,
        ("switchboard_queue_contacts_total", "offered"): 3,
        ("switchboard_queue_breaches_open", "waiting", "warning"): 1,
    }

    def all_shown() -> bool:
        before.clear()
        before.extend(shown(worker) for worker in workers)
        together = before[0] | before[1]
        return len(together) == len(queues) and all(
            complete.items() <= values.items() for values in together.values()
        )

    before: list[dict[str, dict[tuple[str, ...], float]]] = []
    wait_for(all_shown, "every queue at one of two workers")
    assert all(before), "each worker owns some queues"
    assert not before[0].keys() & before[1].keys(), "one owner a queue"
    workers[0].process.kill()
    expected = before[0] | before[1]
    scrapes = []

    def taken_over() -> bool:
        scrapes.append(shown(workers[1]))
        return scrapes[-1].keys() == expected.keys()

    wait_for(taken_over, "the queues of the one that was killed")
    for scrape in scrapes:
        assert {queue: expected[queue] for queue in scrape} == scrape
