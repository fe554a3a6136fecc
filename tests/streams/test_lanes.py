"""Blocking calls are tried until they are answered, or until nobody waits for them."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from sinks.errors import StoreMisconfigured, StoreUnavailable
from sinks.writer import WriteAbandoned
from streams.broker_admin import BrokerUnavailableError
from streams.health import Health
from streams.lanes import BROKER, STORE, Lanes

DEADLINE_SECONDS = 20.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.lanes.RETRY_SECONDS", 0.01)


def run(test: Callable[[Lanes], Awaitable[None]], health: Health | None = None) -> None:
    async def within() -> None:
        lanes = Lanes(health or Health(60.0))
        await asyncio.wait_for(test(lanes), DEADLINE_SECONDS)
        assert await lanes.close(DEADLINE_SECONDS)

    asyncio.run(within())


def failing(*errors: Exception) -> Callable[[], str]:
    """A call that raises each of these once, and then answers."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answered"

    return call


def test_who_was_asked_is_busy_until_they_answer_or_fail() -> None:
    async def test(lanes: Lanes) -> None:
        seen: list[tuple[bool, bool]] = []

        def look() -> None:
            seen.append((lanes.busy(BROKER), lanes.busy(STORE)))

        await lanes.once(BROKER, look)
        with pytest.raises(ValueError, match="no"):
            await lanes.once(STORE, failing(ValueError("no")))
        look()
        assert seen == [(True, False), (False, False)]

    run(test)


def test_a_call_is_tried_until_it_is_answered() -> None:
    health = Health(60.0)

    async def test(lanes: Lanes) -> None:
        away = BrokerUnavailableError("away")
        assert await lanes.patiently(BROKER, failing(away, away)) == "answered"
        wrong = StoreMisconfigured("here", "no such table", 60)
        assert await lanes.patiently(STORE, failing(wrong)) == "answered"
        assert health.waiting() == ""

    run(test, health)


def test_a_one_shot_run_waits_for_what_passes_only() -> None:
    async def test(lanes: Lanes) -> None:
        lanes.one_shot = True
        away = StoreUnavailable("here", "away")
        assert await lanes.patiently(STORE, failing(away)) == "answered"
        with pytest.raises(StoreMisconfigured):
            await lanes.patiently(STORE, failing(StoreMisconfigured("here", "no grant", 497)))

    run(test)


def test_a_call_that_nobody_waits_for_is_not_tried_again() -> None:
    async def test(lanes: Lanes) -> None:
        stopping = threading.Event()
        stopping.set()
        away = BrokerUnavailableError("away")
        with pytest.raises(WriteAbandoned, match="away"):
            await lanes.patiently(BROKER, failing(away, away), stopping)
        assert await lanes.patiently(BROKER, failing(), stopping) == "answered"

    run(test)


def test_a_question_to_the_broker_does_not_wait_behind_the_store() -> None:
    async def test() -> None:
        lanes = Lanes(Health(60.0))
        answered = threading.Event()
        storing = asyncio.create_task(lanes.once(STORE, lambda: answered.wait(DEADLINE_SECONDS)))
        assert await lanes.once(BROKER, lambda: "answered") == "answered"
        assert not await lanes.close(0.01)  # the store's is still under way
        answered.set()
        assert await storing

    asyncio.run(asyncio.wait_for(test(), DEADLINE_SECONDS))
