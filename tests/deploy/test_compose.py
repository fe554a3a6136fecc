"""docker-compose.yml is valid, pinned, and publishes no secret.

compose-spec.json is the Compose Specification's own schema, as compose-go 2.16.2 carries it
(Apache License 2.0).
"""

import json
import re
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
USERS = ROOT / "deploy/clickhouse/users.xml"
JOBS = {"topics", "migrate"}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN")
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<rest>[^}]*)\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def documented() -> dict[str, str]:
    """Variables of .env.example, those that are commented out included."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    pairs = [re.fullmatch(r"#?([A-Z_]+)=(.*)", line) for line in lines]
    return {pair[1]: pair[2] for pair in pairs if pair}


def test_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(compose)


def test_has_every_part(services: dict[str, Any]) -> None:
    own = {"worker", "api", "alerts"}
    others = {"kafka", "clickhouse", "prometheus", "alertmanager", "grafana"}
    assert set(services) == own | others | JOBS


def test_every_server_is_checked_and_every_job_ends(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name in JOBS:
            assert service["healthcheck"] == {"disable": True}, name
            assert service["restart"].startswith("on-failure"), name
        else:
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert service["restart"] == "unless-stopped", name


def test_nothing_starts_before_what_it_needs_is_ready(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in JOBS else "service_healthy"
            assert how == {"condition": expected}, f"{name} -> {needed}"
    assert set(services["worker"]["depends_on"]) == {"kafka", "clickhouse", *JOBS}


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].partition(":")
        assert re.fullmatch(r"v?\d+\.\d+(\.\d+)*", tag), f"{name}: {service['image']}"


def test_the_worker_is_the_version_of_the_project(services: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert services["worker"]["image"] == f"switchboard:{project['version']}"


def test_kafka_is_the_version_the_tests_run(services: dict[str, Any]) -> None:
    pom = ET.parse(ROOT / "tests/kafka/pom.xml")  # noqa: S314 -- our own file
    version = pom.find(".//{*}kafka.version")
    assert version is not None
    assert services["kafka"]["image"] == f"apache/kafka:{version.text}"


def test_clickhouse_is_the_release_of_the_embedded_engine(services: dict[str, Any]) -> None:
    locked = (ROOT / "requirements/runtime.txt").read_text()
    engine = re.search(r"^chdb-core==(\d+\.\d+)", locked, re.MULTILINE)
    assert engine is not None
    assert services["clickhouse"]["image"] == f"clickhouse/clickhouse-server:{engine[1]}"


def test_no_secret_has_a_published_value(services: dict[str, Any]) -> None:
    secrets = {
        (service, key): value
        for service, body in services.items()
        for key, value in body.get("environment", {}).items()
        if SECRET.search(key)
    }
    assert len(secrets) == 8
    for where, value in secrets.items():
        assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), where
    assert {key: value for key, value in documented().items() if SECRET.search(key) and value} == {}


def test_every_variable_is_documented_and_every_documented_one_used() -> None:
    used = {match["name"] for match in VARIABLE.finditer(COMPOSE.read_text())}
    assert used == set(documented())


def test_optional_variables_are_documented_with_their_defaults() -> None:
    for match in VARIABLE.finditer(COMPOSE.read_text()):
        if match["rest"].startswith(":-") and match["name"] != "SWITCHBOARD_TOML":
            assert documented()[match["name"]] == match["rest"][2:]


def test_everything_mounted_exists_and_is_read_only(
    compose: dict[str, Any], services: dict[str, Any]
) -> None:
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source, target, *mode = VARIABLE.sub(lambda m: m["rest"][2:], volume).split(":")
            if source in compose["volumes"]:
                assert not mode, f"{name}: {target}"
            else:
                assert mode == ["ro"], f"{name}: {source}"
                assert (ROOT / source).exists(), f"{name}: {source}"


def test_named_volumes_are_all_used(compose: dict[str, Any]) -> None:
    mounted = COMPOSE.read_text()
    assert all(f"{volume}:/" in mounted for volume in compose["volumes"])


def test_no_port_is_open_to_the_network(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert "ports" not in services["worker"], "a fixed port would forbid a second worker"
    assert "container_name" not in services["worker"]


def test_the_api_waits_for_a_token_and_is_reached_where_it_listens(
    services: dict[str, Any],
) -> None:
    api, port = services["api"], services["api"]["environment"]["SWITCHBOARD_API__PORT"]
    assert api["profiles"] == ["api"], "without a token it would not start"
    assert api["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert api["healthcheck"]["test"][-2:] == [port, "/openapi.json"]
    assert api["environment"]["SWITCHBOARD_API__HOST"] == "0.0.0.0"  # noqa: S104 -- as above


def test_the_worker_may_read_what_it_reads() -> None:
    """Every table after FROM in what a worker asks for."""
    granted = set(re.findall(r"SELECT ON switchboard\.(\w+)", USERS.read_text()))
    asking = ("sinks/checkpoints.py", "streams/identity/beginning.py", "streams/erasure.py")
    asked = {
        table
        for file in asking
        for table in re.findall(r"\bFROM ([a-z_]+)", (ROOT / file).read_text())
    }
    assert {"checkpoints", "topic_logs", "identity_links", "erasure_marks"} <= asked
    assert asked <= granted


def test_clickhouse_has_three_users_and_each_comes_with_a_password() -> None:
    users = ET.parse(USERS).find("users")  # noqa: S314 -- our own
    assert users is not None
    default, *named = list(users)
    assert (default.tag, default.attrib) == ("default", {"remove": "remove"})
    assert {user.tag for user in named} == {"ingest", "query", "migrate"}
    for user in named:
        password = user.find("password")
        assert password is not None
        assert password.attrib == {"from_env": f"CLICKHOUSE_{user.tag.upper()}_PASSWORD"}
        assert password.text is None
    grants = {
        user.tag: [query.text or "" for query in user.findall("grants/query")] for user in named
    }
    assert grants["query"] == ["GRANT SELECT ON switchboard.*"]
    assert not any(re.search(r"ALL|CREATE|DROP", grant) for grant in grants["ingest"])


def test_services_use_the_user_made_for_their_job(services: dict[str, Any]) -> None:
    for service, user in (("worker", "ingest"), ("migrate", "migrate"), ("api", "query")):
        environment = services[service]["environment"]
        assert environment["SWITCHBOARD_CLICKHOUSE__USER"] == user
        password = environment["SWITCHBOARD_CLICKHOUSE__PASSWORD"]
        assert f"CLICKHOUSE_{user.upper()}_PASSWORD" in password
        offered = services["clickhouse"]["environment"]
        assert f"CLICKHOUSE_{user.upper()}_PASSWORD" in offered


def test_settings_given_to_services_are_settings_that_exist(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from schemas.settings import load_settings

    for service in ("topics", "migrate", "worker", "api"):
        for key, value in services[service]["environment"].items():
            default = VARIABLE.sub(lambda m: m["rest"][2:], value)
            monkeypatch.setenv(key, default)
        monkeypatch.setenv("SWITCHBOARD_CONFIG", str(ROOT / "switchboard.example.toml"))
        settings = load_settings(None, {})
        assert settings.broker.url == "kafka:9092"
        assert settings.clickhouse.url == "http://clickhouse:8123"
        assert settings.http.host == "0.0.0.0"  # noqa: S104 -- inside a container
