"""The wiring, without a broker: settings become rules and pace, trouble becomes a reason."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from faust.types import TP

from schemas.settings import load_settings
from sinks.metrics import Metrics
from sinks.store import EMBEDDED, Store, open_store
from streams.app import Pipeline
from streams.broker_admin import BrokerUnavailableError
from streams.health import Health
from streams.progress import Progress
from streams.topic_admin import TopicsMissingError
from streams.watchdog import Watchdog
from tests.support.clickhouse import embedded_path, unused_database
from tests.support.worker_bench import run, until


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store(EMBEDDED, path=embedded_path(), database=unused_database()) as opened:
        yield opened


class Away:
    """A broker that fails as it is told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def logs(self, _: frozenset[str]) -> Mapping[str, str]:
        raise self.error


def pipeline_with(broker: Away, directory: Path, store: Store, metrics: Metrics) -> Pipeline:
    settings = load_settings(None, {"data_dir": str(directory)})
    pipeline = Pipeline(settings, "127.0.0.1:1", store, metrics)
    pipeline._broker = broker  # type: ignore[assignment]
    return pipeline


def test_a_broker_that_is_away_is_waited_for_and_named(tmp_path: Path, store: Store) -> None:
    async def test() -> None:
        away = Away(BrokerUnavailableError("nobody answered at 127.0.0.1:1"))
        pipeline = pipeline_with(away, tmp_path, store, Metrics())
        pipeline.start()
        await until(lambda: "waiting for the broker" in pipeline.not_ready())
        assert "nobody answered at 127.0.0.1:1" in pipeline.not_ready()
        assert pipeline.failure() == ""
        assert await pipeline.stop()

    run(test)


def test_missing_topics_end_the_worker_and_say_how_to_make_them(
    tmp_path: Path, store: Store
) -> None:
    async def test() -> None:
        missing = Away(TopicsMissingError("127.0.0.1:1", ["events.call"]))
        pipeline = pipeline_with(missing, tmp_path, store, Metrics())
        with pytest.raises(TopicsMissingError, match="switchboard topics create"):
            await pipeline.run_until({TP("events.call", 0): 1})

    run(test)


def test_a_crash_of_faust_ends_the_worker_with_its_reason(tmp_path: Path, store: Store) -> None:
    async def test() -> None:
        pipeline = pipeline_with(Away(BrokerUnavailableError("away")), tmp_path, store, Metrics())
        pipeline.start()
        await pipeline.app.crash(RuntimeError("the consumer's thread died"))
        with pytest.raises(RuntimeError, match="the consumer's thread died"):
            await pipeline.failed
        assert pipeline.failure() == "failed: the consumer's thread died"
        assert pipeline.not_ready() == pipeline.failure()
        await pipeline.stop()

    run(test)


def test_the_watch_ends_though_an_answer_comes_as_it_is_told_to(
    tmp_path: Path, store: Store
) -> None:
    async def test() -> None:
        pipeline = pipeline_with(Away(BrokerUnavailableError("away")), tmp_path, store, Metrics())
        answer = asyncio.get_running_loop().create_future()
        watchdog = Watchdog(pipeline.app, pipeline.worker, Health(60), Progress(Metrics()))
        asking = asyncio.create_task(watchdog._answer(answer))
        await asyncio.sleep(0)
        answer.set_result(None)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    run(test)


def test_what_runs_is_shown(tmp_path: Path, store: Store) -> None:
    async def test() -> None:
        metrics = Metrics()
        pipeline_with(Away(BrokerUnavailableError("away")), tmp_path, store, metrics)
        [sample] = [s for m in metrics.build.collect() for s in m.samples]
        assert set(sample.labels) == {"version", "faust", "python"}
        assert all(sample.labels.values())

    run(test)
