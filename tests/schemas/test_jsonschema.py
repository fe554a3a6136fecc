"""The published schemas: current, and true to what the decoder accepts."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from schemas.decode import Event, decode
from schemas.events import EVENT_DATA
from schemas.jsonschema import check, main, schemas, write
from schemas.queues import QueueSettings
from schemas.tables import ROWS
from tests.support.events import Document, documents, plain

SCHEMAS = dict(schemas())
VALIDATORS = {
    name: jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    for name, schema in SCHEMAS.items()
}


def test_the_shipped_files_are_current() -> None:
    assert check() == [], "write them anew: python -m schemas.jsonschema write"
    assert main(["check"]) == 0


def test_there_is_one_for_everything() -> None:
    events = {f"event.{event_type}.json" for event_type in EVENT_DATA}
    rows = {f"row.{row.TABLE}.json" for row in ROWS}
    assert set(SCHEMAS) == events | rows | {"late_notice.json", "queue_settings.json"}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_events_that_are_accepted_are_valid(document: Document) -> None:
    document = {"specversion": "1.0"} | document
    assert isinstance(decode(json.dumps(document).encode()), Event)
    VALIDATORS[f"event.{document['type']}.json"].validate(document)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "queue.exited"},
        {"id": ""},
        {"subject": "x" * 129},
        {"source": "a\x00"},
        {"specversion": "0.3"},
        {"data": {}},
        {"data": {"queue": 7}},
        {"data": {"queue": "IT", "position": -1}},
        {"data": {"queue": "IT", "customer": {"identifiers": [{"kind": "fax", "value": "1"}]}}},
    ],
)
def test_what_is_refused_is_not_valid(change: dict[str, Any]) -> None:
    document = plain() | change
    assert not isinstance(decode(json.dumps(document).encode()), Event) or "type" in change
    assert not VALIDATORS["event.queue.entered.json"].is_valid(document)


def test_queue_settings_are_valid() -> None:
    queue = QueueSettings(
        business_hours={"monday": ("08:00-17:30",)}, thresholds_seconds=(10.0, 30.0)
    )
    VALIDATORS["queue_settings.json"].validate(queue.model_dump(mode="json"))
    assert not VALIDATORS["queue_settings.json"].is_valid({"target_seconds": 0})
    assert not VALIDATORS["queue_settings.json"].is_valid({"target": 1})


def test_rows_carry_their_clickhouse_types() -> None:
    for row in ROWS:
        properties = SCHEMAS[f"row.{row.TABLE}.json"]["properties"]
        assert list(properties) == list(row.columns())
        assert [p["x-clickhouse-type"] for p in properties.values()] == list(row.types())


def test_differences_are_told_and_mended(tmp_path: Path) -> None:
    write(tmp_path)
    assert check(tmp_path) == []
    (tmp_path / "row.events.json").unlink()
    (tmp_path / "event.gone.json").write_text("{}")
    (tmp_path / "queue_settings.json").write_text("{}")
    assert check(tmp_path) == [
        "row.events.json is missing",
        "event.gone.json belongs to no model",
        "queue_settings.json differs from its model",
    ]
    write(tmp_path)
    assert check(tmp_path) == []


def test_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "write|check" in capsys.readouterr().err
