"""The KPI of docs/extending.md, as it stands there: one new file, nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
MOST_LINES = 40

ASKS = """
import json, sys
import sinks.kpis.definitions as definitions
definitions.__path__.append(sys.argv[1])

from schemas.fact_rows import AgentStateRow
from schemas.rows import InteractionRow
from sinks.kpis.catalogue import FAMILIES, explain
from sinks.kpis.contacts import contacts_behind
from sinks.kpis.query import kpi_table
from sinks.kpis.views import views
from sinks.migrate import migrate
from sinks.store import EMBEDDED, open_store
from tests.support.kpi_rows import Visit, interaction_row
from tests.support.rows import NOON, row

with open_store(EMBEDDED, path=sys.argv[2], database="extended") as store:
    migrate(store, views=views())
    for number, (agent, at) in enumerate([("ada", 0), ("ada", 60_000), ("bob", 0), ("eve", 0)]):
        visit = Visit(NOON + at, "answered", wait_ms=0, agent=agent)
        store.insert(InteractionRow, [interaction_row("t", f"c-{number}", [visit])])
    for agent, at, remote in [("ada", -1, 1), ("ada", 30_000, 0), ("bob", -1, 1)]:
        told = {"occurred_at": NOON + at, "counted_at": NOON + at, "remote": remote}
        store.insert(AgentStateRow, [row(AgentStateRow, agent=agent, event_id=str(at), **told)])
    name = "answered_remotely_ratio"
    split = kpi_table(store, "t", split=("agent",), families=FAMILIES)
    (total,) = kpi_table(store, "t", split=(), families=FAMILIES)
    answer = {
        "total": total.values[name],
        "by_agent": {r.dimensions["agent"]: r.values[name] for r in split},
        "explained": explain(name),
        "behind": [b.interaction_id for b in contacts_behind(store, "t", name)],
    }
    print(json.dumps(answer))
"""


def test_a_new_kpi_is_one_small_file(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(\"\"\".+?)```", PAGE.read_text(), re.DOTALL)
    assert len(example.splitlines()) <= MOST_LINES
    (tmp_path / "remote.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "-c", ASKS, tmp_path, tmp_path / "store"],
        cwd=PAGE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["total"] == 0.5
    assert answer["by_agent"] == {"ada": 0.5, "bob": 1, "eve": 0}
    assert answer["explained"].startswith("Answered remotely")
    assert answer["behind"] == ["c-0", "c-2", "c-3", "c-1"]
