"""Both ClickHouse engines for tests: embedded in this process, and behind HTTP in another.

A process can have one embedded path, so all tests of a run share one directory and one server, each
with a database of its own.
"""

import atexit
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.request import Request, urlopen

from sinks.migrate import migrate
from sinks.store import Store, open_store
from tests.support.clickhouse_http import Fault

PROJECT = Path(__file__).resolve().parents[2]


@cache
def embedded_path() -> Path:
    """The directory of this process's embedded engine; removed at exit."""
    path = Path(tempfile.mkdtemp(prefix="switchboard-clickhouse-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def unused_database() -> str:
    """A database name that nobody else uses."""
    return f"test_{uuid.uuid4().hex}"


_made_by_migrating: dict[str, list[str]] = {}
"""By engine, the statements that make what all migrations leave."""


def migrated(store: Store) -> None:
    """Make the store's database as `migrate` does without views.

    Each engine is migrated once. All migrations one after the other take several times as long as
    the tables that they leave, and hundreds of tests ask for those.
    """
    statements = _made_by_migrating.get(store.place)
    if statements is None:
        migrate(store)
        _made_by_migrating[store.place] = _statements_of(store)
        return
    store.create_database()
    for statement in statements:
        store.command(statement)


def _statements_of(store: Store) -> list[str]:
    """What makes the tables of a database again in another, and its ledger."""
    tables = store.query(
        "SELECT create_table_query AS made FROM system.tables WHERE database = currentDatabase()"
    )
    ledger = store.query("SELECT number, name, checksum FROM schema_migrations FINAL")
    applied = ", ".join(
        f"({row['number']}, '{row['name']}', '{row['checksum']}')" for row in ledger
    )
    return [
        *(row["made"].replace(f"{store.database}.", "", 1) for row in tables),
        f"INSERT INTO schema_migrations (number, name, checksum) VALUES {applied}",
    ]


class ClickHouseServer:
    """A process that speaks ClickHouse's HTTP interface and fails on order."""

    def __init__(self, path: Path, *, user: str = "", password: str = "") -> None:
        command = [sys.executable, "-m", "tests.support.clickhouse_http", "--path", str(path)]
        command += ["--user", user, "--password", password]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the test server ended with {self._process.wait(10)}")
        ports = json.loads(line)
        self.url = f"http://127.0.0.1:{ports['port']}"
        self._control = f"http://127.0.0.1:{ports['control']}"

    @property
    def pid(self) -> int:
        """Its process, for faults that the system makes."""
        return self._process.pid

    def open(self, database: str, *, user: str = "", password: str = "") -> Store:
        """A store on a database of this server."""
        return open_store(self.url, database=database, user=user, password=password)

    def fault(self, fault: Fault) -> None:
        """Set a fault; see `Fault`."""
        self._post("/fault", asdict(fault))

    def refuse(self) -> None:
        """Refuse connections, and cut those that are open."""
        self._post("/refuse")

    def clear(self) -> None:
        """Take back all faults; accept connections."""
        self._post("/clear")

    def inserts(self) -> dict[str, int]:
        """Inserts applied so far, by table."""
        counts: dict[str, int] = self._post("/inserts")
        return counts

    def _post(self, path: str, body: object = None) -> dict[str, int]:
        request = Request(self._control + path, data=json.dumps(body).encode())  # noqa: S310
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            parsed: dict[str, int] = json.load(answer)
        return parsed

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
