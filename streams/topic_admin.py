"""Topics as Switchboard needs them: made, compared, and asked for their identity and their ends.

For the `topics` command, the worker's start and tests. I/O: one short-lived connection a call;
nothing is kept between calls. Imports `schemas` and `streams.broker_admin`.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import KafkaError, OffsetOutOfRangeError, for_code

from schemas.events import MAX_EVENT_BYTES
from schemas.sections import BrokerSettings
from schemas.topics import (
    DERIVED_TOPICS,
    EVENTS_DEAD_LETTER,
    SOURCE_TOPICS,
)
from streams.broker_admin import (
    CLIENT_ID,
    DEFAULT_TIMEOUT_SECONDS,
    PLAINTEXT,
    BrokerUnavailableError,
    Security,
    TopicAdminError,
    admin_client,
)

DAY_MS: Final = 86_400_000
FOR_EVER: Final = -1
NO_TOPIC_ID: Final = ("", "00000000-0000-0000-0000-000000000000")

MAX_SOURCE_MESSAGE_BYTES: Final = 16 * MAX_EVENT_BYTES
"""Bytes of a record a source topic takes. Well above `MAX_EVENT_BYTES` on purpose: an event that is
too large should reach the worker and become a dead letter that somebody can read, rather than fail
in a producer that nobody watches."""
MAX_DEAD_LETTER_BYTES: Final = MAX_SOURCE_MESSAGE_BYTES + MAX_EVENT_BYTES
"""A dead letter carries the largest source record and the headers that say what is wrong."""

_TOPIC_ALREADY_EXISTS: Final = 36


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic should be. `config` has Kafka's own names and values."""

    name: str
    partitions: int
    replication: int = 1
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a topic is not as specified."""

    setting: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class TopicResult:
    """What became of one specification. `differences` is empty unless `outcome` is `differs`."""

    name: str
    outcome: Literal["created", "exists", "differs", "missing"]
    differences: tuple[Difference, ...] = ()


class TopicsMissingError(TopicAdminError):
    """Topics that were asked about are not there; `topics` names them."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        """Take the address that was asked and the names it did not know."""
        self.topics = tuple(topics)
        super().__init__(
            f"The broker at {bootstrap} has no topic {', '.join(topics)}. "
            "Create the topics with `switchboard topics create`."
        )


def topic_specs(broker: BrokerSettings) -> tuple[TopicSpec, ...]:
    """Return the specification of every topic of Switchboard, source topics first.

    No topic is compacted: a derived record's key is what it is partitioned by (a queue, an
    identifier), many records share it, and compaction would keep only the last of them.
    """
    retention_ms = str(round(broker.retention_days * DAY_MS) or FOR_EVER)
    common = {
        "cleanup.policy": "delete",
        "retention.ms": retention_ms,
        # acks=all means something only if more than one copy must be in sync; one may be away.
        "min.insync.replicas": str(max(1, broker.replication - 1)),
    }
    # Clock skew and idle partitions are judged by the broker's clock, never by a producer's.
    source = {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_SOURCE_MESSAGE_BYTES),
    }
    special = {
        EVENTS_DEAD_LETTER: {"max.message.bytes": str(MAX_DEAD_LETTER_BYTES)},
    }
    return tuple(
        TopicSpec(name, broker.partitions, broker.replication, common | extra)
        for name, extra in (
            *((name, source) for name in SOURCE_TOPICS),
            *((name, special.get(name, {})) for name in DERIVED_TOPICS),
        )
    )


def create_topics(
    bootstrap: str,
    specs: Sequence[TopicSpec],
    *,
    security: Security = PLAINTEXT,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> list[TopicResult]:
    """Create the topics that are missing, and tell how the others differ. Changes no topic.

    Adding partitions moves keys, and with them interactions, to other partitions: that is a
    decision for a person, so a difference is reported and left alone.

    Returns:
        One result a specification, in order; every topic has a leader for each partition.

    Raises:
        BrokerUnavailableError: nobody answered in time.
        TopicAdminError: the broker refused one (its words, the topic, what to do).
    """
    if not specs:
        return []
    with admin_client(bootstrap, security, timeout_seconds) as admin:
        wanted = {
            spec.name: {
                "num_partitions": spec.partitions,
                "replication_factor": spec.replication,
                "configs": dict(spec.config),
            }
            for spec in specs
        }
        answer = admin.create_topics(wanted, raise_errors=False)
        made = {topic["name"]: topic for topic in answer["topics"]}
        for topic in made.values():
            if topic["error_code"] not in (0, _TOPIC_ALREADY_EXISTS):
                raise TopicAdminError(_not_created(bootstrap, wanted, topic))
        admin.wait_for_topics(list(wanted), timeout_ms=int(timeout_seconds * 1000))
        there = [spec for spec in specs if made[spec.name]["error_code"] == _TOPIC_ALREADY_EXISTS]
        differences = _differences(admin, there)
    return [_result(spec, made[spec.name]["error_code"] == 0, differences) for spec in specs]


def compare_topics(
    bootstrap: str,
    specs: Sequence[TopicSpec],
    *,
    security: Security = PLAINTEXT,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> list[TopicResult]:
    """Tell which topics are there and how they differ. Changes nothing.

    Returns:
        One result a specification, in order: `exists`, `differs` or `missing`.

    Raises:
        BrokerUnavailableError: nobody answered in time.
    """
    with admin_client(bootstrap, security, timeout_seconds) as admin:
        described = admin.describe_topics([spec.name for spec in specs])
        known = {topic["name"] for topic in described if not topic["error_code"]}
        there = [spec for spec in specs if spec.name in known]
        differences = _differences(admin, there)
    return [
        _result(spec, False, differences) if spec in there else TopicResult(spec.name, "missing")
        for spec in specs
    ]


def _not_created(bootstrap: str, wanted: Mapping[str, Any], topic: Mapping[str, Any]) -> str:
    error = for_code(topic["error_code"])
    spec = wanted[topic["name"]]
    return (
        f"The broker at {bootstrap} did not create topic {topic['name']} "
        f"({spec['num_partitions']} partitions, replication {spec['replication_factor']}): "
        f"{error.__name__}: {(topic['error_message'] or error.description).rstrip('.')}. "
        "Check broker.partitions, broker.replication (at most the number of brokers) and the "
        "user's rights (Create on the cluster)."
    )


def _result(
    spec: TopicSpec, created: bool, differences: Mapping[str, tuple[Difference, ...]]
) -> TopicResult:
    if created:
        return TopicResult(spec.name, "created")
    found = differences[spec.name]
    return TopicResult(spec.name, "differs" if found else "exists", found)


def _differences(admin: Any, specs: Sequence[TopicSpec]) -> dict[str, tuple[Difference, ...]]:
    """Compare what is with what should be. A setting the broker does not report is not compared.

    (The embedded broker takes topic settings and keeps none of them.)
    """
    if not specs:
        return {}
    described = {topic["name"]: topic for topic in admin.describe_topics([s.name for s in specs])}
    reported = admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs],
        config_filter="all",
    ).get("topic", {})
    differences = {}
    for spec in specs:
        partitions = described[spec.name]["partitions"]
        replication = min(len(partition["replica_nodes"]) for partition in partitions)
        wanted = {
            "partitions": str(spec.partitions),
            "replication": str(spec.replication),
            **spec.config,
        }
        found = {
            "partitions": str(len(partitions)),
            "replication": str(replication),
            **{key: entry["value"] for key, entry in reported.get(spec.name, {}).items()},
        }
        differences[spec.name] = tuple(
            Difference(setting, value, found[setting])
            for setting, value in wanted.items()
            if found.get(setting, value) != value
        )
    return differences


def _describe(admin: Any, bootstrap: str, topics: Iterable[str]) -> dict[str, Any]:
    """Metadata by topic. Raises TopicsMissingError; metadata requests never create a topic."""
    names = list(topics)
    described = {topic["name"]: topic for topic in admin.describe_topics(names)}
    missing = [name for name in names if described.get(name, {"error_code": 3})["error_code"] == 3]
    if missing:
        raise TopicsMissingError(bootstrap, missing)
    for name in names:
        code = described[name]["error_code"]
        if code:
            raise TopicAdminError(
                f"The broker at {bootstrap} would not describe topic {name}: "
                f"{for_code(code).__name__}. Check the user's rights (Describe on the topic)."
            )
    return described


def topic_logs(
    bootstrap: str,
    topics: Sequence[str],
    *,
    security: Security = PLAINTEXT,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> dict[str, str]:
    """Return, for each topic, the identity of its log: a new one whenever the topic is made anew.

    It is the broker's topic id (KIP-516). A broker without ids (below 2.8) gives cluster id and
    topic name: that tells clusters apart, but not a topic deleted and made again.

    Raises:
        BrokerUnavailableError: nobody answered in time.
        TopicsMissingError: a topic is not there.
    """
    if not topics:
        return {}
    with admin_client(bootstrap, security, timeout_seconds) as admin:
        described = _describe(admin, bootstrap, topics)
        ids = {name: str(described[name].get("topic_id") or "") for name in topics}
        without = [name for name, topic_id in ids.items() if topic_id in NO_TOPIC_ID]
        if without:
            cluster = admin.describe_cluster()["cluster_id"]
            logging.getLogger(__name__).warning(
                "The broker at %s gives topics no id: a topic that is deleted and made again "
                "cannot be told from the old one. Use Kafka 2.8 or newer.",
                bootstrap,
            )
            ids |= {name: f"{cluster}/{name}" for name in without}
    return ids


def end_offsets(
    bootstrap: str,
    topics: Sequence[str],
    *,
    security: Security = PLAINTEXT,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> dict[tuple[str, int], int]:
    """Return the offset that the next record will get, by (topic, partition)."""
    return _offsets(bootstrap, topics, OffsetSpec.LATEST, security, timeout_seconds)


def earliest_offsets(
    bootstrap: str,
    topics: Sequence[str],
    *,
    security: Security = PLAINTEXT,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> dict[tuple[str, int], int]:
    """Return the offset of the oldest record still kept, by (topic, partition)."""
    return _offsets(bootstrap, topics, OffsetSpec.EARLIEST, security, timeout_seconds)


def ends_before(
    bootstrap: str,
    topic: str,
    partition: int,
    offset: int,
    *,
    security: Security = PLAINTEXT,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> bool:
    """Return whether a partition's log ends before `offset`: records that were there are gone.

    Asked by fetching there. `end_offsets` is no proof: the embedded broker answers with the offset
    after the first record of its last batch.

    Raises:
        BrokerUnavailableError: nobody answered in time.
    """
    place = TopicPartition(topic, partition)
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","),
            client_id=CLIENT_ID,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=100,
            **security.options(),
        )
        try:
            consumer.assign([place])
            consumer.seek(place, offset)
            deadline = time.monotonic() + timeout_seconds
            while (high := consumer.highwater(place)) is None:
                if time.monotonic() > deadline:
                    raise BrokerUnavailableError(f"{bootstrap} does not serve {topic} in time.")
                consumer.poll(timeout_ms=200, max_records=1)
            return int(high) < offset
        except OffsetOutOfRangeError:
            return True
        finally:
            consumer.close(autocommit=False)
    except KafkaError as error:
        raise BrokerUnavailableError(f"{bootstrap} does not serve {topic}: {error}") from error


def _offsets(
    bootstrap: str,
    topics: Sequence[str],
    which: OffsetSpec,
    security: Security,
    timeout_seconds: float,
) -> dict[tuple[str, int], int]:
    if not topics:
        return {}
    with admin_client(bootstrap, security, timeout_seconds) as admin:
        described = _describe(admin, bootstrap, topics)
        asked = {
            TopicPartition(name, partition["partition_index"]): which
            for name in topics
            for partition in described[name]["partitions"]
        }
        found = admin.list_partition_offsets(asked)
    return {(at.topic, at.partition): found[at].offset for at in asked}
