"""Topics are made once, compared ever after, and a topic made anew is another log."""

from dataclasses import replace

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import UnknownBrokerIdError

from schemas.sections import BrokerSettings
from schemas.topics import DERIVED_TOPICS, EVENTS_CALL, EVENTS_DEAD_LETTER, SOURCE_TOPICS
from streams.broker_admin import (
    PLAINTEXT,
    BrokerUnavailableError,
    Security,
    TopicAdminError,
    admin_client,
)
from streams.child_process import free_port
from streams.topic_admin import (
    MAX_SOURCE_MESSAGE_BYTES,
    Difference,
    TopicResult,
    TopicsMissingError,
    TopicSpec,
    create_topics,
    earliest_offsets,
    end_offsets,
    topic_logs,
    topic_specs,
)
from tests.support.kafka import ApacheKafka
from tests.support.prometheus import wait_until


def test_creating_twice_creates_once(broker: str, topic: str) -> None:
    specs = [TopicSpec(topic, 3), TopicSpec(f"{topic}.b", 1)]
    created = [TopicResult(spec.name, "created") for spec in specs]
    existing = [TopicResult(spec.name, "exists") for spec in specs]
    assert create_topics(broker, specs[:1]) == created[:1]
    assert create_topics(broker, specs) == [existing[0], created[1]]
    assert create_topics(broker, specs) == existing


def test_all_topics_of_switchboard_can_be_made(broker: str, topic: str) -> None:
    specs = topic_specs(BrokerSettings(partitions=2))
    assert {spec.name for spec in specs} == {*SOURCE_TOPICS, *DERIVED_TOPICS}
    # Under names of their own: others make the real ones on this broker, as they need them.
    specs = tuple(replace(spec, name=f"{topic}.{spec.name}") for spec in specs)
    create_topics(broker, specs)
    assert [result.outcome for result in create_topics(broker, specs)] == ["exists"] * len(specs)


def test_another_number_of_partitions_is_reported_and_left_alone(broker: str, topic: str) -> None:
    create_topics(broker, [TopicSpec(topic, 3)])
    assert create_topics(broker, [TopicSpec(topic, 4)]) == [
        TopicResult(topic, "differs", (Difference("partitions", "4", "3"),))
    ]
    assert len(end_offsets(broker, [topic])) == 3


@pytest.mark.kafka
def test_another_setting_is_reported(apache_kafka: ApacheKafka, topic: str) -> None:
    created = TopicSpec(topic, 1, config={"retention.ms": "1000", "cleanup.policy": "delete"})
    wanted = TopicSpec(topic, 1, config={"retention.ms": "2000", "cleanup.policy": "delete"})
    create_topics(apache_kafka.bootstrap, [created])
    assert create_topics(apache_kafka.bootstrap, [wanted]) == [
        TopicResult(topic, "differs", (Difference("retention.ms", "2000", "1000"),))
    ]


def test_a_topic_made_anew_is_another_log(broker: str, topic: str) -> None:
    create_topics(broker, [TopicSpec(topic, 1)])
    first = topic_logs(broker, [topic])
    assert topic_logs(broker, [topic]) == first
    with KafkaAdminClient(bootstrap_servers=broker) as admin:
        admin.delete_topics([topic])
        wait_until(lambda: topic not in admin.list_topics(), f"{topic} to go")
    create_topics(broker, [TopicSpec(topic, 1)])
    second = topic_logs(broker, [topic])
    assert first[topic]
    assert second[topic]
    assert first != second


def test_asking_for_a_topic_does_not_make_it(broker: str, topic: str) -> None:
    for ask in (topic_logs, end_offsets, earliest_offsets):
        with pytest.raises(TopicsMissingError, match="switchboard topics create") as raised:
            ask(broker, [topic])
        assert raised.value.topics == (topic,)


def test_offsets_are_those_of_what_was_written(broker: str, topic: str) -> None:
    create_topics(broker, [TopicSpec(topic, 2)])
    producer = KafkaProducer(bootstrap_servers=broker, acks="all")
    for value in (b"a", b"b", b"c"):
        producer.send(topic, value, partition=1).get(timeout=30)
    producer.close()
    assert end_offsets(broker, [topic]) == {(topic, 0): 0, (topic, 1): 3}
    assert earliest_offsets(broker, [topic]) == {(topic, 0): 0, (topic, 1): 0}


def test_nothing_asked_needs_no_broker() -> None:
    nowhere = "127.0.0.1:1"
    assert create_topics(nowhere, []) == []
    assert topic_logs(nowhere, []) == {}
    assert end_offsets(nowhere, []) == {}


def test_a_broker_that_is_away_is_named_with_what_to_do() -> None:
    nowhere = f"127.0.0.1:{free_port('127.0.0.1')}"
    with pytest.raises(BrokerUnavailableError) as raised:
        topic_logs(nowhere, [EVENTS_CALL], timeout_seconds=0.5)
    assert nowhere in str(raised.value)
    assert "switchboard doctor" in str(raised.value)


def test_a_partition_that_nobody_leads_yet_is_waited_for(broker: str) -> None:
    with (
        pytest.raises(BrokerUnavailableError, match="UnknownBrokerIdError"),
        admin_client(broker, PLAINTEXT, 15),
    ):
        raise UnknownBrokerIdError(-1)  # kafka-python's word where a partition's leader is -1


@pytest.mark.kafka
def test_a_refusal_has_the_brokers_words(apache_kafka: ApacheKafka, topic: str) -> None:
    with pytest.raises(TopicAdminError) as raised:
        create_topics(apache_kafka.bootstrap, [TopicSpec(topic, 1, replication=3)])
    assert topic in str(raised.value)
    assert "only 1 broker" in str(raised.value)
    assert "broker.replication" in str(raised.value)


def test_a_password_is_never_shown() -> None:
    security = Security("SASL_SSL", "PLAIN", "me", "hunter2")
    assert "hunter2" not in repr(security)
    assert security.options()["sasl_plain_password"] == "hunter2"


def test_a_dead_letter_has_room_for_the_largest_source_record() -> None:
    configs = {spec.name: spec.config for spec in topic_specs(BrokerSettings(partitions=1))}
    largest = max(int(configs[name]["max.message.bytes"]) for name in SOURCE_TOPICS)
    assert largest == MAX_SOURCE_MESSAGE_BYTES
    assert int(configs[EVENTS_DEAD_LETTER]["max.message.bytes"]) > largest


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_one_copy_may_be_away(replication: int, in_sync: str) -> None:
    for spec in topic_specs(BrokerSettings(partitions=1, replication=replication)):
        assert spec.config["min.insync.replicas"] == in_sync


def test_negative_retention_is_for_ever() -> None:
    assert {
        s.config["retention.ms"]
        for s in topic_specs(BrokerSettings(partitions=1, retention_days=0))
    } == {"-1"}
