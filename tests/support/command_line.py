"""The installed command, run as people run it; and what a data directory holds afterwards.

As a program (`python -m tests.support.command_line DIR`) it prints every table under FINAL as JSON:
a process can open one embedded engine, so each directory is read by a process of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.tables import TABLES
from sinks.store import EMBEDDED, Store, open_store

ROOT = Path(__file__).parents[2]
SWITCHBOARD = Path(sys.executable).parent / "switchboard"
DEADLINE_SECONDS = 120
WIDTH = 80


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """This environment without settings of Switchboard's but those given, and a narrow terminal."""
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith("SWITCHBOARD_")}
    return {**kept, "COLUMNS": str(WIDTH), "NO_COLOR": "1", **(settings or {})}


def switchboard(
    *arguments: str | Path, cwd: Path, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a directory, so that no `switchboard.toml` of this checkout is read."""
    return subprocess.run(
        [SWITCHBOARD, *map(str, arguments)],
        cwd=cwd,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def stored(data: Path) -> dict[str, list[str]]:
    """Every row of every table of a data directory, as sorted texts."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.command_line", data],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def _tables(data: Path) -> dict[str, list[str]]:
    with open_store(EMBEDDED, path=data / "clickhouse") as store:
        return {t.TABLE: sorted(map(_text, _rows(store, t.TABLE))) for t in TABLES}


def _rows(store: Store, table: str) -> list[dict[str, Any]]:
    binary = ("state", "payload", "key", "value")
    return store.query(f"SELECT * FROM {table} FINAL", bytes_columns=binary)


def _text(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))


if __name__ == "__main__":
    json.dump(_tables(Path(sys.argv[1])), sys.stdout)
