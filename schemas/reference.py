"""The configuration's reference page and example file, made from where settings are defined.

`python -m schemas.reference` writes both into the checkout. Rendering is pure; imports
`schemas.settings`.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from schemas.queues import QueueSettings
from schemas.settings import PREFIX, Settings, model_of

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "configuration.md"
EXAMPLE: Final = ROOT / "switchboard.example.toml"

_INTRODUCTION: Final = f"""\
# Configuration

Made from `schemas/settings.py` by `python -m schemas.reference`; edit the texts there.

Settings come from one TOML file: the one given by `--config`, or by `{PREFIX}CONFIG`, or
`switchboard.toml` in the working directory. Every setting has a default, so the file may be missing
or empty. An environment variable goes over the file, an option of the command line over both. Lists
and mappings in variables are JSON. A key that is not known and a value that is not right stop the
start, and all of them are named at once.

`switchboard.example.toml` holds every setting with its default. Copy what you change.
"""
_QUEUES: Final = f"""\
`[queues.default]` holds for every queue. `[queues."NAME"]` says what is different for one of them,
and takes the rest from `default`:

```toml
[queues.default]
target_seconds = 30

[queues."IT"]
short_abandon_seconds = 10
timezone = "Europe/Berlin"
business_hours = {{ monday = ["08:00-17:30"], tuesday = ["08:00-12:00", "13:00-17:30"] }}
alerts.waiting = {{ warning = 5, critical = 10 }}
```

Names of queues are case-sensitive, those of variables are not: set single queues in the file, or
all of them as JSON in `{PREFIX}QUEUES`.
"""
_EXAMPLE_HEAD: Final = """\
# Every setting of Switchboard with its default; a line that is commented out is not set.
# Copy this file to switchboard.toml and keep what you change. More: docs/configuration.md
"""


def render_configuration() -> str:
    """The reference page, in Markdown: every key, its default, what it takes and what it means."""
    schema = Settings.model_json_schema()
    parts = [_INTRODUCTION]
    for section, model, text in _sections():
        parts.append(f"## {f'`[{section}]`' if section else 'At the top of the file'}\n")
        if model is QueueSettings:
            parts.append(_QUEUES)
        elif text:
            parts.append(f"{text}\n")
        properties = _properties(schema, section)
        rows = [
            f"| `{name}` | {_shown(field)} | {_accepted(properties[name], schema)} | "
            f"{_one_line(field.description)} | `{_variable(section, name)}` |"
            for name, field in _settings_of(model)
        ]
        table = ["| key | default | takes | meaning | variable |", "|---|---|---|---|---|", *rows]
        parts.append("\n".join(table) + "\n")
    return "\n".join(parts)


def render_example() -> str:
    """A configuration file with every setting at its default, commented."""
    parts = [_EXAMPLE_HEAD]
    for section, model, text in _sections():
        lines = _comment(text) if section else []
        lines += [f"[{section}]"] if section else []
        for name, field in _settings_of(model):
            lines += ["", *_comment(field.description)] if lines else _comment(field.description)
            default = _default(field)
            unset = default is None or isinstance(default, SecretStr)
            lines.append(f"# {name} =" if unset else f"{name} = {_toml(default)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _sections(
    model: type[BaseModel] = Settings, name: str = "", text: str = ""
) -> Iterator[tuple[str, type[BaseModel], str]]:
    yield name, model, text
    for key, field in model.model_fields.items():
        inner = model_of(field.annotation)
        if inner is not None and model is not QueueSettings:
            of_queue = inner is QueueSettings
            path = f"{name}.{key}".lstrip(".") + (".default" if of_queue else "")
            inner_text = _one_line(field.description)
            yield from _sections(inner, path, inner_text)


def _settings_of(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if model is QueueSettings or model_of(field.annotation) is None:
            yield name, field


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _comment(text: str | None) -> list[str]:
    return [f"# {line}" for line in wrap(_one_line(text), 96)]


def _variable(section: str, name: str) -> str:
    steps = [*section.split("."), name] if section else [name]
    return PREFIX + "__".join(steps).upper()


def _shown(field: FieldInfo) -> str:
    default = _default(field)
    unset = default is None or isinstance(default, SecretStr)
    return "not set" if unset else f"`{_toml(default)}`"


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case Mapping():
            items = [f"{key} = {_toml(item)}" for key, item in value.items()]
            return "{ " + ", ".join(items) + " }" if items else "{}"
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False)
        case Sequence():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case _:
            raise TypeError(f"no TOML for {value!r}")


def _properties(schema: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """The JSON Schemas of a section's fields."""
    found = schema
    for step in section.split(".") if section else []:
        # `queues` is a mapping, and `default` any name in it.
        inner = found["additionalProperties"] if step == "default" else found["properties"][step]
        found = _resolved(inner, schema)
    properties: Mapping[str, Any] = found["properties"]
    return properties


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = part.get("$ref")
    resolved: Mapping[str, Any] = (
        schema["$defs"][reference.rpartition("/")[2]] if reference else part
    )
    return resolved


def _accepted(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What a JSON Schema takes, in words."""
    if "anyOf" in part:
        kinds = [_accepted(p, schema) for p in part["anyOf"] if p.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    match part.get("type"):
        case "integer" | "number" as kind:
            number = "a whole number" if kind == "integer" else "a number"
            limits = [
                f"{words} {part[key]:,.15g}"
                for key, words in (
                    ("exclusiveMinimum", "above"),
                    ("minimum", "from"),
                    ("maximum", "up to"),
                )
                if key in part
            ]
            return " ".join([number, *limits])
        case "array":
            return f"a list, each {_accepted(part['items'], schema)}"
        case "object":
            return "a mapping"
        case _:
            return "a path" if part.get("format") == "path" else "a text"


if __name__ == "__main__":
    for file, rendered in ((PAGE, render_configuration()), (EXAMPLE, render_example())):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(rendered, encoding="utf-8")
        sys.stdout.write(f"wrote {file.relative_to(ROOT)}\n")
