"""Fixtures that every area may use: brokers, and the seed of all property tests."""

import os
import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from streams.embedded import EmbeddedBroker
from tests.support.kafka import ApacheKafka, missing_tools

# A failure is reported with a blob that replays it. No deadlines: they measure the machine's load.
settings.register_profile("switchboard", print_blob=True, deadline=None)
settings.load_profile("switchboard")

TESTS: Final = Path(__file__).parent
LONGEST: Final = ("faults", "deploy", "integration", "streams/cli", "dashboards")
"""Folders whose tests start programs."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed here, before Hypothesis does, so that the header can show it."""
    if config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(secrets.randbits(32))


def pytest_report_header(config: pytest.Config) -> str:
    """Show the seed: the same run again is `--hypothesis-seed=` with it."""
    return f"hypothesis seed: {config.option.hypothesis_seed}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: side by side, a long file that begins last is waited for alone."""

    def place(item: pytest.Item) -> int:
        folder = item.path.parent.relative_to(TESTS).as_posix()
        return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)

    items.sort(key=place)


def unavailable(what: str) -> None:
    """Skip a test whose tool is not installed, by name; in CI nothing may go missing unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """Apache Kafka, one node, for the whole run. Use topics of your own name."""
    if missing := missing_tools():
        unavailable(f"Apache Kafka needs the packages {', '.join(missing)} (Debian's names)")
    with ApacheKafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture
def embedded_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """An embedded broker of the test's own."""
    with EmbeddedBroker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture(
    params=["tansu", pytest.param("apache-kafka", marks=pytest.mark.kafka)],
)
def broker(request: pytest.FixtureRequest) -> str:
    """`host:port` of each kind of broker in turn; what holds on one must hold on the other."""
    fixture = "embedded_broker" if request.param == "tansu" else "apache_kafka"
    running: EmbeddedBroker | ApacheKafka = request.getfixturevalue(fixture)
    return running.bootstrap


@pytest.fixture
def topic() -> str:
    """A topic name that nobody else uses."""
    return f"test.{uuid.uuid4()}"
