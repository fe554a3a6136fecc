"""`switchboard topics` makes what is missing, tells what differs, and changes nothing else."""

import json
from pathlib import Path

import pytest

from schemas.topics import DERIVED_TOPICS, SOURCE_TOPICS
from streams.cli.topics import differences
from streams.embedded import EmbeddedBroker
from streams.topic_admin import Difference, TopicResult
from tests.support.command_line import switchboard

ALL = {*SOURCE_TOPICS, *DERIVED_TOPICS}


def test_listed_made_and_made_again(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    outcomes = []
    for command in ("list", "create", "create", "list"):
        arguments = ("topics", command, "--broker", embedded_broker.bootstrap, "--format", "json")
        done = switchboard(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert {topic["name"] for topic in found} == ALL
        outcomes.append({topic["outcome"] for topic in found})
    assert outcomes == [{"missing"}, {"created"}, {"exists"}, {"exists"}]


def test_another_number_of_partitions_is_told_with_what_to_do(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    where = ("--broker", embedded_broker.bootstrap)
    switchboard("topics", "create", *where, cwd=tmp_path)
    wanted = {"SWITCHBOARD_BROKER__PARTITIONS": "8"}
    done = switchboard("topics", "create", *where, cwd=tmp_path, settings=wanted)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "partitions is 4, should be 8" in text
    assert "--partitions 8" in text


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ("partitions", "kafka-topics.sh"),
        ("replication", "kafka-reassign-partitions.sh"),
        ("retention.ms", "--add-config retention.ms=2"),
    ],
)
def test_topics_that_differ_alike_are_told_together(setting: str, remedy: str) -> None:
    difference = Difference(setting, "2", "1")
    results = [
        TopicResult("a", "differs", (difference,)),
        TopicResult("b", "exists"),
        TopicResult("c", "differs", (difference,)),
    ]
    ((found, advice),) = differences(results)
    assert found == f"{setting} is 1, should be 2: a, c"
    assert remedy in advice
