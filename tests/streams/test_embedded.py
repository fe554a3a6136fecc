"""The embedded broker starts, forgets, stops, and says what is wrong when it cannot."""

from pathlib import Path

import pytest

from streams.broker_admin import BrokerUnavailableError, cluster_id
from streams.embedded import EmbeddedBroker, EmbeddedBrokerError
from streams.topic_admin import TopicsMissingError, TopicSpec, create_topics, topic_logs


def test_answers_once_started_and_no_more_once_stopped(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    assert not broker.running
    bootstrap = broker.start()
    assert broker.running
    assert cluster_id(bootstrap).startswith("switchboard-")
    broker.stop()
    assert not broker.running
    with pytest.raises(BrokerUnavailableError, match=bootstrap):
        cluster_id(bootstrap, timeout_seconds=0.5)
    broker.stop()


def test_its_topics_end_with_it(tmp_path: Path, topic: str) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        create_topics(broker.bootstrap, [TopicSpec(topic, 1)])
        assert topic in topic_logs(broker.bootstrap, [topic])
    with EmbeddedBroker(tmp_path) as broker, pytest.raises(TopicsMissingError):
        topic_logs(broker.bootstrap, [topic])


def test_two_run_side_by_side(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "a") as one, EmbeddedBroker(tmp_path / "b") as other:
        assert cluster_id(one.bootstrap) != cluster_id(other.bootstrap)


def test_has_no_address_unless_it_runs(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    with pytest.raises(EmbeddedBrokerError, match="start"):
        _ = broker.bootstrap
    with broker, pytest.raises(EmbeddedBrokerError, match="already"):
        broker.start()


def test_a_broker_that_cannot_start_leaves_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "tansu"
    broken.write_text("#!/bin/sh\necho 'the dog ate it' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(broken))
    broker = EmbeddedBroker(tmp_path / "data")
    with pytest.raises(EmbeddedBrokerError) as raised:
        broker.start()
    message = str(raised.value)
    assert "the dog ate it" in message
    assert str(broker.log_path) in message
    assert "broker.url" in message
    assert not broker.running


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", str(tmp_path / "nothing"))
    with pytest.raises(EmbeddedBrokerError, match=r"nothing.*broker\.url"):
        EmbeddedBroker(tmp_path).start()
