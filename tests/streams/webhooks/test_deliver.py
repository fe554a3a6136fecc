"""Webhooks get every breach, in order, again after a failure, and none is lost by a stop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from standardwebhooks import Webhook

from schemas.sections import BrokerSettings
from schemas.topics import QUEUE_BREACHES, QUEUE_BREACHES_UNDELIVERED
from streams.broker_admin import PLAINTEXT
from streams.embedded import EmbeddedBroker
from streams.topic_admin import create_topics, topic_specs
from streams.webhooks.deliver import Delivery, Endpoint
from tests.streams.webhooks.test_message import SECRET, notice

DEADLINE_SECONDS = 60.0
Answers = Callable[[int, str], int]
"""(number of the request, its id) -> the status to answer with."""


@dataclass
class Receiver:
    """A webhook that checks every signature."""

    answers: Answers
    url: str = ""
    ids: list[str] = field(default_factory=list)
    got_one: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        Webhook(SECRET).verify(body, dict(request.headers))
        self.ids.append(request.headers["webhook-id"])
        self.got_one.set()
        return web.Response(status=self.answers(len(self.ids), self.ids[-1]), text="as told")


@asynccontextmanager
async def receiving(answers: Answers = lambda *_: 204) -> AsyncIterator[Receiver]:
    receiver = Receiver(answers)
    application = web.Application()
    application.router.add_post("/", receiver.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def delivered(
    bootstrap: str,
    receiver: Receiver,
    until: Callable[[Delivery], bool],
    *,
    retry_seconds: tuple[float, ...] = (0, 0),
    tenants: tuple[str, ...] = (),
) -> Delivery:
    """Run a delivery until the condition holds, then stop it."""
    stop = asyncio.Event()
    endpoint = Endpoint("pager", receiver.url, SECRET, 10, retry_seconds, tenants)
    delivery = Delivery(endpoint, bootstrap, "test", stop)
    running = asyncio.create_task(delivery.run())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not until(delivery) and not running.done():
            await asyncio.sleep(0.02)
        stop.set()
        await running
    return delivery


async def publish(bootstrap: str, *records: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    async with producer:
        for record in records:
            await producer.send_and_wait(QUEUE_BREACHES, record, key=b"acme support")


async def set_aside(bootstrap: str) -> list[tuple[bytes, dict[str, bytes]]]:
    """What lies on the topic of what could not be delivered."""
    consumer = AIOKafkaConsumer(
        QUEUE_BREACHES_UNDELIVERED, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    )
    async with consumer, asyncio.timeout(DEADLINE_SECONDS):
        while not (found := await consumer.getmany(timeout_ms=200)):
            pass
    return [(record.value, dict(record.headers)) for part in found.values() for record in part]


@pytest.fixture
def bootstrap(embedded_broker: EmbeddedBroker) -> str:
    create_topics(
        embedded_broker.bootstrap, topic_specs(BrokerSettings(partitions=1)), security=PLAINTEXT
    )
    return embedded_broker.bootstrap


def test_in_order_and_again_after_a_failure(bootstrap: str) -> None:
    async def scenario() -> list[str]:
        await publish(bootstrap, notice("opened"), notice("worsened"), notice("closed"))
        async with receiving(lambda number, _: 500 if number <= 2 else 200) as receiver:
            await delivered(bootstrap, receiver, lambda d: d.delivered == 3)
            await publish(bootstrap, notice("opened"))
            again = await delivered(bootstrap, receiver, lambda d: d.delivered == 1)
            assert again.delivered == 1, "nothing that was committed"
            return receiver.ids

    assert asyncio.run(scenario()) == ["b-1.opened"] * 3 + [
        "b-1.worsened", "b-1.closed", "b-1.opened",
    ]  # fmt: skip


def test_after_the_last_try_it_is_set_aside_and_the_next_goes_on(bootstrap: str) -> None:
    def answers(_: int, message_id: str) -> int:
        return {"b-1.opened": 503, "b-1.worsened": 410}.get(message_id, 200)

    async def scenario() -> None:
        records = notice("opened"), notice("worsened"), b"{}", notice("closed")
        await publish(bootstrap, *records)
        async with receiving(answers) as receiver:
            delivery = await delivered(bootstrap, receiver, lambda d: d.delivered == 1)
            assert receiver.ids == ["b-1.opened"] * 3 + ["b-1.worsened", "b-1.closed"]
        assert delivery.set_aside == 3
        left = await set_aside(bootstrap)
        assert [value for value, _ in left] == list(records[:3])
        assert {headers["webhook"] for _, headers in left} == {b"pager"}
        reasons = [headers["reason"] for _, headers in left]
        assert reasons[:2] == [b"status 503: as told", b"status 410: as told"]
        assert reasons[2].startswith(b"not a breach notice: ")

    asyncio.run(scenario())


def test_one_that_is_stopped_between_tries_goes_on_with_the_same(bootstrap: str) -> None:
    async def scenario() -> None:
        await publish(bootstrap, notice("opened"), notice("closed"))
        async with receiving(lambda number, _: 500 if number == 1 else 200) as receiver:
            stopped = await delivered(
                bootstrap, receiver, lambda _: receiver.got_one.is_set(), retry_seconds=(3600,)
            )
            assert (stopped.delivered, stopped.set_aside) == (0, 0)
            await delivered(bootstrap, receiver, lambda d: d.delivered == 2)
            assert receiver.ids == ["b-1.opened", "b-1.opened", "b-1.closed"]

    asyncio.run(scenario())


def test_a_webhook_gets_the_breaches_of_its_tenants_alone(bootstrap: str) -> None:
    async def scenario() -> None:
        others = notice("opened").replace(b'"acme"', b'"other"')
        await publish(bootstrap, others, notice("closed"))
        async with receiving() as receiver:
            await delivered(bootstrap, receiver, lambda d: d.delivered == 1, tenants=("acme",))
            assert receiver.ids == ["b-1.closed"]

    asyncio.run(scenario())


def test_an_address_where_nobody_answers_is_a_failure_like_any_other(bootstrap: str) -> None:
    async def scenario() -> None:
        await publish(bootstrap, notice("opened"))
        async with receiving() as receiver:
            url = receiver.url
        nobody = Receiver(lambda *_: 200, url)
        delivery = await delivered(bootstrap, nobody, lambda d: d.set_aside == 1)
        assert delivery.delivered == 0

    asyncio.run(scenario())


def test_what_was_set_aside_is_delivered_when_asked_and_only_to_whom_it_was_for(
    bootstrap: str,
) -> None:
    async def scenario() -> None:
        await publish(bootstrap, notice("opened"), notice("closed"))
        async with receiving(lambda number, _: 410 if number <= 3 else 200) as receiver:
            await delivered(bootstrap, receiver, lambda d: d.set_aside == 2)
            counted: list[str] = []

            async def again(name: str) -> None:
                endpoint = Endpoint(name, receiver.url, SECRET, 10, ())
                stop = asyncio.Event()
                delivery = Delivery(endpoint, bootstrap, "test", stop, counted=counted.append)
                await asyncio.wait_for(delivery.run_again(), DEADLINE_SECONDS)

            await again("other")
            assert counted == []
            await again("pager")
            assert counted == ["set_aside", "delivered"]
            await again("pager")
            assert counted[2:] == ["delivered"], "what was set aside once more, and nothing else"
            assert receiver.ids[2:] == ["b-1.opened", "b-1.closed", "b-1.opened"]

    asyncio.run(scenario())
