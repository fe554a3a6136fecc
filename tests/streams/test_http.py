"""The worker's web server, asked over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from schemas.sections import HttpSettings
from sinks.metrics import Metrics
from streams.http import serving


@dataclass
class StateDouble:
    why_not_ready: str = ""
    why_failed: str = ""
    shown: int = 0

    def not_ready(self) -> str:
        return self.why_not_ready

    def failure(self) -> str:
        return self.why_failed

    def show_queues(self) -> None:
        self.shown += 1


Get = Callable[[str], Awaitable[tuple[int, str]]]


def asked(state: StateDouble, test: Callable[[Get, Metrics], Awaitable[None]]) -> None:
    async def within() -> None:
        metrics = Metrics()
        async with (
            serving(HttpSettings(port=0), state, metrics) as address,
            aiohttp.ClientSession() as client,
        ):

            async def get(path: str) -> tuple[int, str]:
                async with client.get(f"http://{address}{path}") as answer:
                    return answer.status, await answer.text()

            await test(get, metrics)

    asyncio.run(within())


def test_health_and_readiness_follow_the_state_and_give_its_reasons() -> None:
    state = StateDouble()

    async def test(get: Get, _: Metrics) -> None:
        assert await get("/healthz") == (200, "ok\n")
        assert await get("/readyz") == (200, "ready\n")
        state.why_not_ready = "waiting for ClickHouse"
        assert await get("/readyz") == (503, "waiting for ClickHouse\n")
        assert await get("/healthz") == (200, "ok\n")
        state.why_failed = "failed: a bug"
        assert await get("/healthz") == (503, "failed: a bug\n")

    asked(state, test)


def test_metrics_are_exposed_as_prometheus_reads_them() -> None:
    state = StateDouble()

    async def test(get: Get, metrics: Metrics) -> None:
        metrics.sink_rows.labels("events").inc(3)
        status, text = await get("/metrics")
        assert status == 200
        assert 'switchboard_sink_rows_total{table="events"} 3.0' in text
        assert state.shown == 1  # what is known of queues is known when it is asked

    asked(state, test)


def test_who_names_series_is_given_those_and_queues_are_laid_out_for_nobody_else() -> None:
    state = StateDouble()

    async def test(get: Get, metrics: Metrics) -> None:
        metrics.sink_rows.labels("events").inc(3)
        _, text = await get("/metrics?name[]=switchboard_sink_rows_total&name[]=no_such")
        told = [line for line in text.splitlines() if not line.startswith("#")]
        assert told == ['switchboard_sink_rows_total{table="events"} 3.0']
        before = state.shown
        await get("/metrics?name[]=switchboard_queue_waiting")
        assert (before, state.shown) == (0, 1)

    asked(state, test)
