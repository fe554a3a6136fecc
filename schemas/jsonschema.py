"""The contract as JSON Schema files, for sources and readers that are not written in Python.

`python -m schemas.jsonschema write` makes `schemas/json/*.json`, `… check` tells whether they are
current. Imports the models, and touches only the directory it is given.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from schemas.authority import EVENT_MODELS
from schemas.derived import LateNotice
from schemas.queues import QueueSettings
from schemas.tables import ROWS

DIRECTORY: Final = Path(__file__).parent / "json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def schemas() -> Iterator[tuple[str, Schema]]:
    """Every file's name and content: `event.TYPE.json`, `row.TABLE.json`, `late_notice.json`,
    `queue_settings.json`.

    An event's schema is that of its structured form. Limits that JSON Schema cannot express (the
    size of an event, one key once, the years of a time) are in `schemas.authority`.
    """
    for event_type, model in EVENT_MODELS.items():
        schema = _schema(model, f"event:{event_type}")
        # The models forgive its absence; who writes events should not count on it.
        schema["required"] = ["specversion", *schema["required"]]
        yield f"event.{event_type}.json", schema
    for row in ROWS:
        schema = _schema(row, f"row:{row.TABLE}")
        for column, type_name in zip(row.columns(), row.types(), strict=True):
            schema["properties"][column]["x-clickhouse-type"] = type_name
        yield f"row.{row.TABLE}.json", schema
    yield "late_notice.json", _schema(LateNotice, "late_notice")
    yield "queue_settings.json", _schema(QueueSettings, "queue_settings")


def _schema(model: type[BaseModel], name: str) -> Schema:
    found = model.model_json_schema(mode="validation", by_alias=True)
    return {"$schema": DIALECT, "$id": f"urn:switchboard:{name}"} | found


def _rendered() -> dict[str, str]:
    return {name: json.dumps(schema, indent=2) + "\n" for name, schema in schemas()}


def write(directory: Path = DIRECTORY) -> None:
    """Write every schema, and remove those of types that are no more."""
    directory.mkdir(parents=True, exist_ok=True)
    rendered = _rendered()
    for name, text in rendered.items():
        (directory / name).write_text(text, encoding="utf-8")
    for stale in set(directory.glob("*.json")) - {directory / name for name in rendered}:
        stale.unlink()


def check(directory: Path = DIRECTORY) -> list[str]:
    """What differs between the files and the models, a line each; empty where they are current."""
    rendered = _rendered()
    present = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.json")}
    missing = [f"{name} is missing" for name in rendered if name not in present]
    stale = [f"{name} belongs to no model" for name in sorted(present) if name not in rendered]
    changed = [
        f"{name} differs from its model"
        for name, text in rendered.items()
        if present.get(name, text) != text
    ]
    return missing + stale + changed


def main(arguments: list[str]) -> int:
    """Run `write` or `check` on the shipped files; the exit code."""
    match arguments:
        case ["write"]:
            write()
            return 0
        case ["check"]:
            differences = check()
            for difference in differences:
                sys.stderr.write(f"schemas/json/{difference}\n")
            if differences:
                sys.stderr.write("write them anew: python -m schemas.jsonschema write\n")
            return 1 if differences else 0
        case _:
            sys.stderr.write("usage: python -m schemas.jsonschema write|check\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
