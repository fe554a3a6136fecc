"""requirements/ agrees with pyproject.toml and with itself, and can be installed from anywhere."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
FILES = ("build", "server", "runtime", "dev", "peers")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = ("linux", "darwin")


def pins(name: str) -> dict[str, list[tuple[Version, Marker | None]]]:
    """What a file pins: for each project, versions with the environments they are for."""
    found: dict[str, list[tuple[Version, Marker | None]]] = {}
    text = (ROOT / f"requirements/{name}.txt").read_text()
    for line in text.splitlines():
        if re.match(r"[a-z0-9]", line):
            pin = Requirement(line.removesuffix("\\"))
            version = next(iter(pin.specifier)).version
            found.setdefault(pin.name, []).append((Version(version), pin.marker))
    return found


def asked(name: str) -> list[Requirement]:
    """What pyproject.toml asks for in the environment that a file describes."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    texts = {
        "build": groups["build"],
        "server": project["dependencies"],
        "runtime": [*project["dependencies"], *extras],
        "dev": [*project["dependencies"], *extras, *groups["build"], *groups["dev"]],
        "peers": groups["peers"],
    }[name]
    return [Requirement(text) for text in texts if isinstance(text, str)]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_all_that_is_asked_for_is_pinned(name: str, platform: str, python: str) -> None:
    environment = {
        "sys_platform": platform,
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    pinned = pins(name)
    for requirement in asked(name):
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        versions = [
            version
            for version, marker in pinned[requirement.name.lower()]
            if marker is None or marker.evaluate(environment)
        ]
        assert len(versions) == 1, f"{requirement}: run make lock"
        assert requirement.specifier.contains(versions[0], prereleases=True), requirement


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_a_hash_and_no_file_names_a_place(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text()
    for block in re.split(r"\n(?=[a-z0-9])", text):
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:", text)


def test_the_files_agree_where_they_overlap() -> None:
    everything = pins("dev")
    for name in ("build", "server", "runtime"):
        for project, versions in pins(name).items():
            assert everything[project] == versions, f"{project} in {name}.txt: run make lock"


def test_servers_do_not_carry_the_embedded_parts() -> None:
    embedded = {
        Requirement(r).name for r in PROJECT["project"]["optional-dependencies"]["embedded"]
    }
    assert embedded <= set(pins("runtime"))
    assert not embedded & set(pins("server"))
