"""`python -m dashboards.build`: write Grafana's boards as JSON; `--check`: say whether they agree.

Writes `dashboards/grafana/boards/` of the checkout and nothing else. Grafana provisions what is
there; what is changed in Grafana's own editor is brought back by changing the code.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards.agents import agents
from dashboards.boards.channels import channels
from dashboards.boards.customers import customers
from dashboards.boards.intervals import intervals
from dashboards.boards.live import live
from dashboards.boards.pipeline import pipeline
from dashboards.boards.selfservice import selfservice

DIRECTORY: Final = Path(__file__).parent / "grafana/boards"


def boards() -> list[Dashboard]:
    """All boards, in the order in which people read them."""
    return [live(), intervals(), agents(), channels(), customers(), selfservice(), pipeline()]


def files() -> dict[str, str]:
    """File name -> its text, of every board."""
    return {f"{board.uid}.json": _text(board) for board in boards()}


def _text(board: Dashboard) -> str:
    return json.dumps(board, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def differing(directory: Path = DIRECTORY) -> list[str]:
    """Names of files that are missing, are too many, or say something else than the code."""
    wanted = files()
    found = {path.name: path.read_text() for path in directory.glob("*.json")}
    return sorted(name for name in wanted | found if wanted.get(name) != found.get(name))


def write(directory: Path = DIRECTORY) -> None:
    """Make the directory say what the code says."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = files()
    for path in directory.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    if not parser.parse_args().check:
        write()
        return 0
    for name in differing():
        sys.stderr.write(f"{name} differs from the code: run python -m dashboards.build\n")
    return 1 if differing() else 0


if __name__ == "__main__":
    sys.exit(main())
