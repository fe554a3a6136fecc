"""The configuration: one TOML file, environment variables over it, command line over both.

`load_settings` is the one way in and reads the file and the environment; `Settings` itself is pure
data, so that `Settings()` is the same everywhere.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableVariable

from schemas.api import ApiSettings
from schemas.identity import IdentitySettings
from schemas.queues import QueueSettings
from schemas.sections import BrokerSettings, ClickHouseSettings, HttpSettings, ProcessingSettings
from schemas.webhooks import WebhookSettings

PREFIX: Final = "SWITCHBOARD_"
DEFAULT_FILE: Final = Path("switchboard.toml")
DEFAULT_QUEUE: Final = "default"

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the key, where it was given, what was found and what is right."""

    key: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.key} ({self.where}): {self.message}"


class SettingsError(Exception):
    """The configuration cannot be used. Lists every problem, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Path("data")
    """Directory of everything that is kept on this machine: the embedded engine's tables, bookmarks
    of sources, logs of child processes."""
    tenant: str = Field(default="default", min_length=1, max_length=128)
    """Tenant of events that name none, and of the queues configured here."""
    broker: BrokerSettings = BrokerSettings()
    """Where events come from."""
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    """Where results go."""
    processing: ProcessingSettings = ProcessingSettings()
    """How events become results."""
    identity: IdentitySettings = IdentitySettings()
    """Which identifiers are one customer."""
    http: HttpSettings = HttpSettings()
    """The worker's own web server."""
    api: ApiSettings = ApiSettings()
    """The HTTP API about customers. It is served where there is a token."""
    webhooks: WebhookSettings = WebhookSettings()
    """Whom `switchboard alerts deliver` tells of breaches, with the Standard Webhooks signature."""
    queues: dict[str, QueueSettings] = Field(default_factory=dict)
    """Queues by name; `default` holds what the others leave out."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - given by the caller
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments alone: `load_settings` reads the rest, and knows where each came from."""
        return (init_settings,)

    @cached_property
    def _merged(self) -> dict[str, QueueSettings]:
        default = self.queues.get(DEFAULT_QUEUE, QueueSettings())
        return {DEFAULT_QUEUE: default} | {
            name: default.model_copy(update={f: getattr(queue, f) for f in queue.model_fields_set})
            for name, queue in self.queues.items()
        }

    def queue(self, name: str) -> QueueSettings:
        """The settings of a queue: its own over the default ones. Any name has some."""
        return self._merged.get(name) or self._merged[DEFAULT_QUEUE]

    @property
    def named_queues(self) -> tuple[str, ...]:
        """The queues that have settings of their own."""
        return tuple(name for name in self.queues if name != DEFAULT_QUEUE)


def configuration_file(path: Path | None = None) -> Path | None:
    """The file that `load_settings` reads when it is given `path`; None where there is none."""
    named = path or (
        Path(os.environ[PREFIX + "CONFIG"]) if os.environ.get(PREFIX + "CONFIG") else None
    )
    return named or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)


def load_settings(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the configuration.

    Args:
        path: the file. Without it the one that `SWITCHBOARD_CONFIG` names, and without that
            `switchboard.toml` in the working directory where there is one.
        overrides: values over file and environment, nested as in the file
            (`{"processing": {"lateness_seconds": 60}}`).

    Raises:
        SettingsError: the file cannot be read, or a key or value is not right. Says all that is
            wrong, not only the first.
    """
    file = configuration_file(path)
    given = _Given(
        file=str(file or DEFAULT_FILE),
        values=_read_file(file) if file else {},
        environment=_read_environment(),
        overrides=dict(overrides or {}),
    )
    merged: Tree = {}
    for tree in (given.values, given.environment, given.overrides):
        merged = _over(merged, tree)
    try:
        return Settings(**merged)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise SettingsError([_problem(detail, given, merged) for detail in details]) from error


@dataclass(frozen=True, slots=True)
class _Given:
    """What was given, by where it was given."""

    file: str
    values: Tree
    environment: Tree
    overrides: Tree

    def where(self, steps: tuple[str, ...]) -> str:
        if _has(self.overrides, steps):
            return "command line"
        if _has(self.environment, steps):
            return PREFIX + "__".join(steps).upper()
        return self.file


def _read_file(path: Path) -> Tree:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot be read ({error.strerror}); give the path of a TOML file"
        raise SettingsError([Problem("configuration file", str(path), message)]) from error
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 ({error}); save it as UTF-8"
        raise SettingsError([Problem("configuration file", str(path), message)]) from error
    except tomllib.TOMLDecodeError as error:
        message = f"is not TOML: {error}"
        raise SettingsError([Problem("configuration file", str(path), message)]) from error


def _read_environment() -> Tree:
    problems = list(_misspelt_variables())
    if problems:
        raise SettingsError(problems)
    try:
        return dict(EnvSettingsSource(Settings)())
    except UnreadableVariable as error:
        message = f"{error}; a section or list is given as JSON"
        raise SettingsError([Problem("environment", PREFIX + "…", message)]) from error


def _misspelt_variables() -> Iterator[Problem]:
    """Variables that were meant for us and would be passed over in silence.

    Others share the prefix (an orchestrator that runs a service of our name sets some, and so may a
    test), so a name is only taken for ours if it has two underscores or is nearly one of ours.
    """
    sections = {PREFIX + name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        upper = variable.upper()
        if not upper.startswith(PREFIX) or upper == PREFIX + "CONFIG":
            continue
        section, nested, _ = upper.partition("__")
        near = difflib.get_close_matches(section, sections, n=1, cutoff=0.6 if nested else 0.9)
        if section not in sections and (nested or near):
            hint = f"; did you mean {near[0]}{nested}…?" if near else ""
            yield Problem(variable, "environment", f"no setting is called that{hint}")


def _over(below: Tree, above: Mapping[str, Any]) -> Tree:
    merged = dict(below)
    for key, value in above.items():
        beneath = merged.get(key)
        if isinstance(value, Mapping) and isinstance(beneath, Mapping):
            merged[key] = _over(dict(beneath), value)
        else:
            merged[key] = value
    return merged


def _has(tree: Any, steps: tuple[str, ...]) -> bool:
    for step in steps:
        if not isinstance(tree, Mapping) or step not in tree:
            return False
        tree = tree[step]
    return True


def _problem(detail: ErrorDetails, given: _Given, merged: Tree) -> Problem:
    # Steps into a mapping's key are marked by pydantic with an extra step.
    steps = tuple(str(step) for step in detail["loc"] if step != "[key]")
    key = _dotted(detail["loc"])
    where = given.where(tuple(str(s) for s in detail["loc"] if isinstance(s, str) and s != "[key]"))
    if detail["loc"][-1] == "[key]":
        return Problem(key, where, f"no such key; there are {detail['ctx']['expected']}")
    if detail["type"] == "extra_forbidden":
        return Problem(key, where, _unknown_key(steps))
    if detail["type"] == "value_error":
        needed = str(detail["ctx"]["error"])
    else:
        needed = detail["msg"].removeprefix("Input should be ")
    found = _value(merged, detail["loc"])
    if found is None or isinstance(found, Mapping):
        return Problem(key, where, needed)
    if "password" in key:
        return Problem(key, where, f"{needed} (the value is not shown)")
    if isinstance(found, list) and detail["type"] == "value_error":
        return Problem(key, where, needed)
    return Problem(key, where, f"found {found!r}; right would be: {needed}")


def _dotted(loc: tuple[int | str, ...]) -> str:
    key = ""
    for step in loc:
        if step == "[key]":
            continue
        if isinstance(step, int):
            key += f"[{step}]"
            continue
        plain = step.replace("_", "").replace("-", "").isalnum() and step.isascii()
        name = step if plain else f'"{step}"'
        key = f"{key}.{name}" if key else name
    return key


def _value(tree: Any, loc: tuple[int | str, ...]) -> Any:
    for step in loc:
        if step == "[key]":
            continue
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def _unknown_key(steps: tuple[str, ...]) -> str:
    *parents, last = steps
    known = _keys_at(Settings, parents)
    near = difflib.get_close_matches(last, known, n=1)
    if near:
        return f"no setting is called that; did you mean {near[0]}?"
    elsewhere = [key for key in all_keys() if key.rpartition(".")[2] == last]
    if elsewhere:
        return f"no setting is called that here; did you mean {elsewhere[0]}?"
    return f"no setting is called that; there are {', '.join(known)}"


def _keys_at(model: type[BaseModel], steps: list[str]) -> list[str]:
    for position, step in enumerate(steps):
        field = model.model_fields.get(step)
        if field is None:
            return []
        inner = model_of(field.annotation)
        if inner is None:
            return []
        model = inner
        if getattr(field.annotation, "__origin__", None) is dict:
            return _keys_at(model, steps[position + 2 :])
    return list(model.model_fields)


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a field is, or is a mapping to."""
    arguments = getattr(annotation, "__args__", ())
    candidates = [annotation, *arguments[-1:]]
    sections = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
    return sections[0] if sections else None


def all_keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every key of the configuration, dotted; a queue's as `queues.default.…`."""
    for name, field in model.model_fields.items():
        inner = model_of(field.annotation)
        if inner is None:
            yield prefix + name
        else:
            of_queue = inner is QueueSettings
            yield from all_keys(inner, f"{prefix}{name}." + ("default." if of_queue else ""))
