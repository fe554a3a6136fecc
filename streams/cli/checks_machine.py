"""Doctor's checks of this machine: configuration, data directory, disk, limits, embedded parts."""

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from schemas.settings import DEFAULT_FILE, PREFIX, Settings, configuration_file
from streams.broker_admin import broker_identity
from streams.cli.checks import Finding, ok, problem, warning
from streams.embedded import EmbeddedBroker

MIB: Final = 1 << 20
PROBLEM_FREE_BYTES: Final = 100 * MIB
WARNING_FREE_BYTES: Final = 1024 * MIB
NEEDED_OPEN_FILES: Final = 1024
"""The embedded engine opens a file for each column of a part while it merges."""


def configuration(given: Path | None) -> Iterator[Finding]:
    """Which file was read, and which variables go over it."""
    file = configuration_file(given)
    variables = sorted(v for v in os.environ if v.upper().startswith(PREFIX))
    over = f"; over it {', '.join(variables)}" if variables else ""
    found = f"{file.absolute()}" if file else f"defaults (there is no {DEFAULT_FILE} here)"
    yield ok("configuration", found + over)


def data_directory(settings: Settings) -> Iterator[Finding]:
    """Whether it can be written to, and how much room there is."""
    directory = settings.data_dir
    if directory.exists() and not directory.is_dir():
        yield problem("data directory", f"{directory} is a file", "choose another by data_dir")
        return
    existing = next(p for p in (directory, *directory.absolute().parents) if p.is_dir())
    try:
        with tempfile.TemporaryFile(dir=existing):
            yield ok("data directory", f"{directory.absolute()}{_not_there(directory)}")
    except OSError as error:
        yield problem(
            "data directory",
            f"{existing} cannot be written to: {error.strerror}",
            "give the user of this program the right to, or choose another by data_dir",
        )
    free = shutil.disk_usage(existing).free
    found = f"{free / MIB / 1024:.1f} GiB free"
    if free < WARNING_FREE_BYTES:
        judge = problem if free < PROBLEM_FREE_BYTES else warning
        yield judge("disk", found, f"make room on the file system of {existing}")
    else:
        yield ok("disk", found)


def _not_there(directory: Path) -> str:
    return "" if directory.exists() else " (not there yet; it is made when it is needed)"


def open_files() -> Iterator[Finding]:
    """Whether this process may open as many files as the engine needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    if not unlimited and soft < NEEDED_OPEN_FILES:
        yield warning(
            "open files",
            f"at most {soft}",
            f"raise it before the start: ulimit -n {NEEDED_OPEN_FILES} (the hard limit is {hard})",
        )
    else:
        yield ok("open files", "no limit" if unlimited else f"at most {soft}")


def embedded_engine() -> Iterator[Finding]:
    """Whether the engine is installed. It is opened by the checks of the store."""
    try:
        yield ok("embedded engine", f"chdb {version('chdb')} installed")
    except PackageNotFoundError:
        yield problem(
            "embedded engine",
            "chdb is not installed",
            "pip install 'switchboard[embedded]', or set clickhouse.url to a server",
        )


def embedded_broker(timeout: int) -> Iterator[Finding]:
    """Whether the broker starts and answers, each within `timeout` seconds; it is stopped again."""
    with (
        tempfile.TemporaryDirectory(prefix="switchboard-doctor-") as directory,
        EmbeddedBroker(Path(directory), deadline_seconds=timeout) as broker,
    ):
        identity = broker_identity(broker.bootstrap, timeout_seconds=timeout)
        yield ok(
            "embedded broker", f"starts and answers, with Kafka's protocol {identity.protocol}"
        )
