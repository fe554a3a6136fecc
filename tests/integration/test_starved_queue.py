"""A simulated centre goes home too early: from there to a person, at the pace that is shipped.

    python -m pytest -n0 -s -m long tests/integration/test_starved_queue.py       # ten minutes

Nothing is hurried: rules, routes, intervals of Prometheus and pace of the worker are those that
people get. The centre's events are told when they happen.
"""

import asyncio
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from gateway.publish import Publisher
from gateway.record import Record
from schemas.sections import BrokerSettings
from simulator.run import Run
from simulator.settings import CallModel, PeopleModel, QueueModel, Simulation
from simulator.telling import Encoded
from streams.child_process import free_port
from streams.embedded import EmbeddedBroker
from streams.topic_admin import create_topics, topic_specs
from tests.support.notifications import Receiver, as_shipped, routed_to
from tests.support.prometheus import Alertmanager, Prometheus, wait_until
from tests.support.worker import WorkerProcess

CRITICAL: Final = 6
THRESHOLDS: Final = {"waiting": {"critical": CRITICAL, "critical_closes": 1}}
MINUTE_MS: Final = 60_000
SHIFT_MS: Final = 510 * MINUTE_MS
LEFT_MS: Final = 60 * MINUTE_MS + SHIFT_MS
"""The early shift begins at one, and leaves then; the late one comes three minutes later."""
STARVED_MS: Final = 3 * MINUTE_MS
BEGIN_MS: Final = LEFT_MS - 90_000
"""What happens from here on is told as it happens."""
PROMISED_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 360.0
STEP_SECONDS: Final = 1.0
ALERT: Final = "SwitchboardManyWaiting"
FIRING: Final = f'ALERTS{{alertname="{ALERT}",severity="critical",alertstate="firing"}}'
JUDGED: Final = 'switchboard:queue_value{queue="support",kpi="waiting"}'
WAITING: Final = 'switchboard_queue_waiting{queue="support"}'


def centre(start_at: datetime) -> Run:
    """One queue, ten contacts a minute around the change of shifts, and nobody gives up.

    One agent stays, at lunch: a queue without any sends its callers away.
    """
    load = tuple(float(hour == LEFT_MS // 3_600_000) for hour in range(24))
    queue = QueueModel(
        name="support", contacts_a_day=600, load_by_hour=load, talk_seconds=12, wrapup_seconds=2,
        patience_seconds=7_200, timeout_seconds=7_200,
    )  # fmt: skip
    calls = CallModel(
        menu_share=0, short_abandon_share=0, miss_share=0, hold_share=0, key_share=0,
        moved_share=0, blind_share=0, consult_share=0,
    )  # fmt: skip
    people = PeopleModel(
        agents=20, customers=500, languages={"en": 1.0}, unplanned_pauses=0, lateness_seconds=0.1,
        shift_seconds=SHIFT_MS / 1000,
        shift_starts=(5.0, *[1.0] * 8, *[(LEFT_MS + STARVED_MS) / 3_600_000] * 11),
    )  # fmt: skip
    return Run(
        Simulation(
            seed=1, start_at=start_at, queues=(queue,), people=people, calls=calls, campaigns=()
        )
    )


def passed_at(run: Run) -> int:
    """When so many wait that the threshold is reached, in milliseconds of the day."""
    visits = [visit for contact in run.truth.contacts for visit in contact.visits]
    changes = sorted(
        [(v.entered_at, 1) for v in visits]
        + [(v.entered_at + v.wait_ms, -1) for v in visits if v.wait_ms is not None]
    )
    waiting = 0
    for at, change in changes:
        waiting += change
        if at >= BEGIN_MS and waiting >= CRITICAL:
            return at
    raise AssertionError("the threshold is never reached")


def told_at_once(bootstrap: str, events: list[Encoded]) -> None:
    async def publish() -> None:
        async with Publisher(bootstrap, idempotent=False) as publisher:
            await publisher.publish(map(_record, events))

    asyncio.run(publish())


@contextmanager
def told_in_time(bootstrap: str, events: list[Encoded], begin: float) -> Iterator[None]:
    """Tell events when they are due; `begin` is when the day began, by `time.time`."""
    over = threading.Event()

    async def publish() -> None:
        async with Publisher(bootstrap, idempotent=False) as publisher:
            for event in events:
                while not over.is_set() and (due := begin + event.due_at / 1000) > time.time():
                    await asyncio.sleep(min(0.1, max(0.0, due - time.time())))
                if over.is_set():
                    return
                await publisher.publish([_record(event)])

    teller = threading.Thread(target=lambda: asyncio.run(publish()))
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _record(event: Encoded) -> Record:
    return Record(event.topic, event.subject.encode(), event.value, 0)


def longest_gap(moments: list[float]) -> float:
    """Seconds between two neighbours, where they are furthest apart."""
    return max(later - earlier for earlier, later in pairwise(moments))


def told_in_order(told: Receiver, begin: float) -> None:
    """Print every notification, with seconds since the agents left."""
    for at, notification in zip(told.at, told.sent, strict=True):
        alerts = ", ".join(
            f"{alert['labels']['alertname']} {alert['status']}" for alert in notification["alerts"]
        )
        print(f"{at - begin - LEFT_MS / 1000:7.1f} s  {notification['status']}: {alerts}")  # noqa: T201


@pytest.mark.long
@pytest.mark.timeout(1_500)
def test_people_are_told_within_half_a_minute_once_and_when_it_is_over(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    bootstrap = embedded_broker.bootstrap
    create_topics(bootstrap, topic_specs(BrokerSettings(partitions=2)))
    port = free_port("127.0.0.1")
    settings = {
        "BROKER__URL": bootstrap,
        "BROKER__PARTITIONS": "2",
        "BROKER__SESSION_TIMEOUT_SECONDS": "6",
        "HTTP__PORT": str(port),
        "QUEUES__DEFAULT__ALERTS": json.dumps(THRESHOLDS),
    }
    rules, interval = as_shipped()
    with (
        Receiver() as told,
        Alertmanager(tmp_path, routed_to(told, at_once=False)) as alertmanager,
        Prometheus(
            tmp_path,
            [f"127.0.0.1:{port}"],
            rule_files=rules,
            alertmanager=alertmanager.address,
            interval=interval,
        ) as prometheus,
    ):

        def many(status: str) -> list[float]:
            """When people were told of the alert in this state, by notification."""
            return [
                told.at[at]
                for at, notification in enumerate(told.sent)
                for alert in notification["alerts"]
                if alert["labels"]["alertname"] == ALERT
                and (alert["labels"]["severity"], alert["status"]) == ("critical", status)
            ]

        with WorkerProcess(tmp_path / "worker", settings) as worker:
            worker.wait_ready()
            # A past day, starved as well.
            past = list(centre(datetime.now(UTC) - timedelta(days=2)).deliveries())
            told_at_once(bootstrap, past)
            stored = f'switchboard_sink_rows_total{{table="events"}} >= {len(past)}'
            wait_until(lambda: prometheus.query(stored), "the past day", PATIENCE_SECONDS)
            begin = time.time() - BEGIN_MS / 1000
            run = centre(datetime.fromtimestamp(begin, UTC))
            events = list(run.deliveries())
            now = next(at for at, event in enumerate(events) if event.due_at > BEGIN_MS)
            told_at_once(bootstrap, events[:now])
            with told_in_time(bootstrap, events[now:], begin):
                wait_until(lambda: many("firing"), "a notification", PATIENCE_SECONDS)
                passed = begin + passed_at(run) / 1000
                took = many("firing")[0] - passed
                print(f"told {took:.1f} s after the threshold was passed")  # noqa: T201
                worker.send(signal.SIGKILL)
                killed = time.time()
                worker.ended()
                with WorkerProcess(tmp_path / "worker", settings) as again:
                    again.wait_ready()
                    wait_until(
                        lambda: "switchboard_queue_waiting{" in again.get("/metrics")[1],
                        "the queue to be shown again",
                        PATIENCE_SECONDS,
                    )
                    away = time.time() - killed
                    wait_until(lambda: many("resolved"), "the end of it", PATIENCE_SECONDS)
                    came = begin + (LEFT_MS + STARVED_MS) / 1000
                    over = many("resolved")[0] - came
                    print(f"told that it is over {over:.1f} s after agents came")  # noqa: T201
                    ended = time.time()
                    seen = {
                        what: prometheus.moments(what, passed, ended, STEP_SECONDS)
                        for what in (FIRING, JUDGED, WAITING)
                    }
        wait_until(
            lambda: told.of("SwitchboardAbsent", "firing"), "the pipeline's own", PATIENCE_SECONDS
        )
    told_in_order(told, begin)
    gaps = {what: longest_gap(moments) for what, moments in seen.items()}
    print(f"the worker was away for {away:.1f} s; gaps: {gaps}")  # noqa: T201
    assert 0 <= took <= PROMISED_SECONDS
    of_queues = [sent["status"] for sent in told.sent if sent["groupLabels"].get("queue")]
    assert of_queues == ["firing", "resolved"]
    assert (len(many("firing")), len(many("resolved"))) == (1, 1)
    # The alert never ceased, nor what it judges, until agents came; and of the worker's own series
    # nothing is missing but what there was nobody to ask for.
    assert seen[FIRING][-1] >= came
    assert gaps[FIRING] == gaps[JUDGED] == STEP_SECONDS
    assert gaps[WAITING] <= away + 2 * float(interval.removesuffix("s"))
    (alert,) = [
        alert
        for notification in told.of(ALERT, "firing")
        for alert in notification["alerts"]
        if alert["labels"]["alertname"] == ALERT
    ]
    assert (alert["labels"]["tenant"], alert["labels"]["queue"]) == ("default", "support")
    assert f"the critical threshold is {CRITICAL}" in alert["annotations"]["description"]
    assert alert["annotations"]["runbook_url"].endswith("#switchboardmanywaiting")
