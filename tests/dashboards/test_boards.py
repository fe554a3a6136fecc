"""Every board is what its code says, keeps the rules, and every panel has something to show."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.boards.variables import OWN_PRESET
from dashboards.build import DIRECTORY, boards, differing, files, write
from sinks.kpis.catalogue import KPIS
from sinks.kpis.definitions.service_level import PRESETS
from sinks.kpis.views import views
from tests.dashboards.conftest import BREACH, Day
from tests.support.exposition import exposition, full_sample, queues
from tests.support.grafana import ALL, Chosen, promql, sql
from tests.support.prometheus import Prometheus, wait_until

ROOT = Path(__file__).parents[2]
BOARDS: list[dict[str, Any]] = [json.loads(text) for text in files().values()]
VIEWS = {name for name, _ in views()}
EVERYTHING: Chosen = {
    "tenant": "default",
    "queue": ALL,
    "channel": ALL,
    "agent": ALL,
    "interval": "1800",
    "preset": OWN_PRESET,
    "cohort": "offered",
    "timezone": "UTC",
    "repeat_seconds": "86400",
    "same_topic": "0",
    "window": "15m",
    "breach": "",
}
MAY_BE_EMPTY = {"closed_at"}
"""Of a breach that goes on."""
CHOSEN: Chosen = {
    **EVERYTHING,
    "queue": ["support", "sales"],
    "channel": ["call", "chat", "email"],
    "interval": "3600",
    "preset": "answered_only",
    "cohort": "ended",
    "timezone": "Europe/Berlin",
    "same_topic": "1",
    "breach": BREACH,
}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Panels of a board, rows aside."""
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


def each(kind: str) -> list[Any]:
    """Every query of a kind of data source, by board and panel."""
    return [
        pytest.param(target, id=f"{board['uid']}-{panel['title']}-{target['refId']}")
        for board in BOARDS
        for panel in panels(board)
        for target in panel["targets"]
        if target["datasource"]["uid"] == kind
    ]


EACH_PANEL = [
    pytest.param(board, panel, id=f"{board['uid']}-{panel['title']}")
    for board in BOARDS
    for panel in panels(board)
]
EACH_BOARD = [pytest.param(board, id=board["uid"]) for board in BOARDS]


def test_json_and_code_agree() -> None:
    assert differing() == [], "run python -m dashboards.build"


def test_writing_removes_what_is_no_board_any_more(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    assert differing(tmp_path) == sorted(["old.json", *files()])
    write(tmp_path)
    assert differing(tmp_path) == []


def test_grafana_provisions_what_is_written() -> None:
    provisioned = ROOT / "dashboards/grafana/provisioning/dashboards/switchboard.yml"
    (provider,) = yaml.safe_load(provisioned.read_text())["providers"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounted = compose["services"]["grafana"]["volumes"]
    path = f"./{DIRECTORY.relative_to(ROOT)}:{provider['options']['path']}:ro"
    assert path in mounted


def test_every_kpi_is_on_a_board() -> None:
    """Service level by every preset is, in the long form; what is never known is not."""
    asked = " ".join(target["rawSql"] for param in each("${store}") for target in param.values)
    shown = set(re.findall(r"\w+", asked))
    wanted = {kpi.column for kpi in KPIS.values() if not kpi.expression.startswith("CAST(NULL")}
    by_preset = {f"service_level_ratio_{preset.id}" for preset in PRESETS}
    assert wanted - by_preset - shown == set()


def test_addresses_are_unique() -> None:
    assert len({board.uid for board in boards()}) == len(boards())


@pytest.mark.parametrize(("board", "panel"), EACH_PANEL)
def test_every_panel_says_what_it_shows(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    titles = [other["title"] for other in panels(board)]
    assert titles.count(panel["title"]) == 1


@pytest.mark.parametrize(("board", "panel"), EACH_PANEL)
def test_data_sources_are_variables(board: dict[str, Any], panel: dict[str, Any]) -> None:
    named = {v["name"] for v in board["templating"]["list"] if v["type"] == "datasource"}
    asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert asked
    for source in asked:
        assert source["uid"].strip("${}") in named, "the board has no such variable"
        assert source["uid"].startswith("${")


@pytest.mark.parametrize("board", EACH_BOARD)
def test_boards_have_the_variables_that_they_use(board: dict[str, Any]) -> None:
    """And use those that they have, or a choice would change nothing."""
    declared = {variable["name"] for variable in board["templating"]["list"]}
    without_defaults = json.dumps({k: v for k, v in board.items() if k != "templating"})
    asked = json.dumps([[v.get("query"), v.get("datasource")] for v in board["templating"]["list"]])
    used = set(re.findall(r"\$\{?([a-z]\w*)", without_defaults + asked))
    assert used - {"__data"} == declared


@pytest.mark.parametrize("board", EACH_BOARD)
def test_panels_lie_beside_each_other(board: dict[str, Any]) -> None:
    covered: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not covered & cells, panel["title"]
        covered |= cells


@pytest.mark.parametrize("target", each("${store}"))
def test_sql_chooses_from_views_and_computes_nothing(target: dict[str, Any]) -> None:
    text = target["rawSql"]
    sources = re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", text)
    assert sources
    assert set(sources) <= VIEWS
    formula = r"(?<![\w$])(?:sum|avg|count|min|max|uniq\w*|quantile\w*)(?:If)?\(|[^']/[^']|GROUP BY"
    assert not re.search(formula, text), "formulas live in the views"
    assert "$__timeFilter(" in text or "$__toTime_ms" in text, "the board's time must bound it"
    assert "tenant = ${tenant:sqlstring}" in text or "FROM watermark" in text


@pytest.mark.parametrize("target", each("${metrics}"))
def test_rates_are_over_the_interval_that_fits(target: dict[str, Any]) -> None:
    for window in re.findall(r"\[([^\]]+)\]", target["expr"]):
        assert window == "$__rate_interval"


@pytest.mark.parametrize("chosen", [EVERYTHING, CHOSEN], ids=["everything", "chosen"])
@pytest.mark.parametrize("target", each("${store}"))
def test_every_panel_of_the_store_has_rows(
    day: Day, target: dict[str, Any], chosen: Chosen
) -> None:
    rows = day.store.query(sql(target["rawSql"], chosen, day.since, day.until))
    assert rows
    empty = [name for name in rows[0] if all(row[name] is None for row in rows)]
    assert set(empty) <= MAY_BE_EMPTY
    if target["queryType"] == "timeseries":
        assert "time" in rows[0]


@pytest.mark.parametrize("board", EACH_BOARD)
def test_every_variable_of_the_store_has_values(day: Day, board: dict[str, Any]) -> None:
    for variable in board["templating"]["list"]:
        if variable["type"] == "query" and variable["datasource"]["uid"] == "${store}":
            text = sql(variable["query"], EVERYTHING, day.since, day.until)
            assert day.store.query(text), variable["name"]


def test_every_panel_of_prometheus_has_values(day: Day, tmp_path: Path) -> None:
    with (
        exposition(day.metrics.registry) as worker,
        exposition(queues(full_sample("default", "support"))) as monitor,
        Prometheus(tmp_path, [worker, monitor]) as prometheus,
    ):
        scraped = 'count_over_time(up{job="switchboard"}[1m]) > 4'
        wait_until(lambda: len(prometheus.query(scraped)) == 2, "a few scrapes of both")
        silent = []
        for parameter in each("${metrics}"):
            (query,) = parameter.values
            asked = promql(query["expr"], {**EVERYTHING, "queue": ".+"}, "1m")
            if not prometheus.query(asked):
                silent.append(f"{parameter.id}: {asked}")
        assert silent == []
