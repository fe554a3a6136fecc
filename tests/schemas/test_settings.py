"""The configuration: where values come from, and how it refuses wrong ones."""

import os
from pathlib import Path
from typing import Any

import pytest

from schemas.queues import QueueSettings
from schemas.settings import Settings, SettingsError, all_keys, load_settings


@pytest.fixture(autouse=True)
def bare_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variables of ours, and a directory without a configuration file."""
    for variable in list(os.environ):
        if variable.startswith("SWITCHBOARD_"):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


def file_with(tmp_path: Path, text: str, name: str = "given.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def problems(path: Path | None = None, overrides: dict[str, Any] | None = None) -> dict[str, str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(path, overrides)
    found = {p.key: f"{p.where}: {p.message}" for p in refused.value.problems}
    assert all(text in str(refused.value) for text in found)
    return found


def test_without_anything_there_are_defaults() -> None:
    assert load_settings() == Settings()
    assert Settings().queue("any") == QueueSettings()


def test_command_line_over_environment_over_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_with(tmp_path, "[broker]\npartitions = 1\nreplication = 1\ngroup = 'file'\n")
    monkeypatch.setenv("SWITCHBOARD_BROKER__REPLICATION", "2")
    monkeypatch.setenv("SWITCHBOARD_BROKER__GROUP", "environment")
    broker = load_settings(path, {"broker": {"group": "line"}}).broker
    assert (broker.partitions, broker.replication, broker.group) == (1, 2, "line")


def test_the_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file_with(tmp_path, "tenant = 'here'", "switchboard.toml")
    assert load_settings().tenant == "here"
    monkeypatch.setenv("SWITCHBOARD_CONFIG", str(file_with(tmp_path, "tenant = 'named'")))
    assert load_settings().tenant == "named"
    assert load_settings(file_with(tmp_path, "tenant = 'given'", "x.toml")).tenant == "given"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"a = ", "not TOML"), (b"a = '\xff'", "not UTF-8")],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    found = problems(path)["configuration file"]
    assert str(path) in found
    assert words in found


def test_lists_and_queues_in_variables_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBOARD_QUEUES", '{"IT": {"thresholds_seconds": [10, 30]}}')
    monkeypatch.setenv("SWITCHBOARD_QUEUES__DEFAULT__TARGET_SECONDS", "60")
    settings = load_settings()
    assert settings.queue("IT").thresholds_seconds == (10, 30)
    assert settings.queue("IT").target_seconds == 60
    monkeypatch.setenv("SWITCHBOARD_QUEUES", "{")
    assert "JSON" in problems()["environment"]


def test_queues_inherit_what_they_leave_out(tmp_path: Path) -> None:
    text = """
        [queues.default]
        target_seconds = 30
        timezone = "Europe/Berlin"
        [queues."IT Desk"]
        target_seconds = 20  # the same as the built-in default, and still this queue's own
    """
    settings = load_settings(file_with(tmp_path, text))
    assert settings.queue("IT Desk").target_seconds == 20
    assert settings.queue("IT Desk").timezone == "Europe/Berlin"
    assert settings.queue("other").target_seconds == 30
    assert settings.named_queues == ("IT Desk",)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("tennant = 'x'", "tennant", "did you mean tenant?"),
        ("[broker]\nurls = 'x'", "broker.urls", "did you mean url?"),
        ("port = 1", "port", "did you mean http.port?"),
        ("[clickhouse.retention_days]\nevent = 1", "clickhouse.retention_days.event", "events?"),
        ("[broker]\nurl = 'localhost'", "broker.url", "found 'localhost'; right would be: \"emb"),
        ("[broker]\nurl = 'a:9092,b:99999'", "broker.url", "host:port"),
        ("[broker]\npartitions = 0", "broker.partitions", "found 0; right would be: greater than"),
        ("[broker]\nprotocol = 'SASL_SSL'", "broker", "mechanism, username, password"),
        ("[clickhouse]\nurl = 'clickhouse://a:9000'", "clickhouse.url", "http(s)://host:port"),
        ("[clickhouse]\nurl = 'http://me:x@a:8123'", "clickhouse.url", "settings of their own"),
        ("[clickhouse]\ndatabase = 'a-b'", "clickhouse.database", "found 'a-b'"),
        ("[http]\nport = 65536", "http.port", "65535"),
        ("[processing]\nlateness_seconds = nan", "processing.lateness_seconds", "found nan"),
        ("[queues.default]\ntarget_seconds = 0", "queues.default.target_seconds", "found 0"),
        ("[queues.'I T']\ntarget_seconds = 'x'", 'queues."I T".target_seconds', "found 'x'"),
        ("[queues.x]\ntimezone = 'Europe/Berln'", "queues.x.timezone", "mean Europe/Berlin?"),
        ("[queues.x]\ntimezone = '/etc/passwd'", "queues.x.timezone", "IANA"),
        ("[queues.x]\ntimezone = 'Europe'", "queues.x.timezone", "IANA"),
        ("[queues.x]\nservice_level_preset = 'o'", "queues.x.service_level_preset", "all_exits"),
        ("[queues.x]\nthresholds_seconds = [1, 0]", "queues.x.thresholds_seconds[1]", "found 0"),
        ("[queues.x]\nalerts.wating = {}", "queues.x.alerts.wating", "'waiting'"),
        ("[queues.x]\nalerts.waiting.warn = 1", "queues.x.alerts.waiting.warn", "warning?"),
        (
            "[queues.x]\nalerts.waiting = { warning = 10, critical = 5 }",
            "queues.x",
            "critical must be at or above warning",
        ),
        (
            "[queues.x]\nalerts.service_level_ratio = { warning = 0.5, critical = 0.8 }",
            "queues.x",
            "critical must be at or below warning",
        ),
        ("[queues.x]\nbusiness_hours.mon = []", "queues.x.business_hours.mon", "'monday'"),
        (
            "[queues.x]\nbusiness_hours.monday = ['8:00-9:00']",
            "queues.x.business_hours.monday",
            "'8:00-9:00' is not HH:MM-HH:MM",
        ),
        (
            "[queues.x]\nbusiness_hours.monday = ['22:00-06:00']",
            "queues.x.business_hours.monday",
            "two days",
        ),
        (
            "[queues.x]\nbusiness_hours.monday = ['09:00-12:00', '11:00-13:00']",
            "queues.x.business_hours.monday",
            "overlap",
        ),
    ],
)
def test_wrong_values_are_refused_with_key_value_and_remedy(
    tmp_path: Path, text: str, key: str, words: str
) -> None:
    path = file_with(tmp_path, text)
    found = problems(path)
    assert list(found) == [key]
    assert found[key].startswith(f"{path}: ")
    assert words in found[key]


def test_all_problems_are_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBOARD_HTTP__PORT", "http")
    path = file_with(tmp_path, "[broker]\npartitions = 'many'\n[processing]\nflush_rows = -1\n")
    found = problems(path, {"tenant": ""})
    assert {key: text.split(":")[0] for key, text in found.items()} == {
        "broker.partitions": str(path),
        "processing.flush_rows": str(path),
        "http.port": "SWITCHBOARD_HTTP__PORT",
        "tenant": "command line",
    }


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    path = file_with(tmp_path, "[clickhouse]\npassword = ['hunter2']\n")
    assert "hunter2" not in problems(path)["clickhouse.password"]
    settings = load_settings(overrides={"clickhouse": {"password": "hunter2"}})
    assert "hunter2" not in repr(settings)
    assert settings.clickhouse.password.get_secret_value() == "hunter2"


@pytest.mark.parametrize("variable", ["SWITCHBOARD_BROKR__URL", "SWITCHBOARD_TENANTS"])
def test_misspelt_variables_are_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "x")
    assert "did you mean" in problems()[variable]


@pytest.mark.parametrize("variable", ["SWITCHBOARD_PORT_8080_TCP", "SWITCHBOARD_SERVICE_HOST"])
def test_variables_of_an_orchestrator_are_left_alone(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "tcp://10.0.0.1:8080")
    assert load_settings() == Settings()


def test_session_timeout_suits_the_broker() -> None:
    assert load_settings().broker.session_seconds == 6
    assert load_settings(overrides={"broker": {"url": "kafka:9092"}}).broker.session_seconds == 45
    explicit = {"broker": {"session_timeout_seconds": 10}}
    assert load_settings(overrides=explicit).broker.session_seconds == 10


def test_keys_are_listed() -> None:
    keys = list(all_keys())
    assert "clickhouse.retention_days.events" in keys
    assert "queues.default.target_seconds" in keys
    assert len(keys) == len(set(keys))
