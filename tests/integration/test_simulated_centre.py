"""A simulated day through broker, worker and views, against what the simulation knows of it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.sketch import RELATIVE_ACCURACY
from simulator.figures import Cohort, Figures, Key, Stay, agent_figures, instant_of, queue_figures
from simulator.presets import small
from simulator.run import Run as Simulated
from simulator.settings import CallModel, FaultModel, Simulation
from sinks.kpis.query import agent_table, kpi_table
from sinks.store import Store
from tests.integration.conftest import Run, Sent
from tests.support.command_line import switchboard

QUANTILES = {"wait_p50_seconds", "wait_p90_seconds", "wait_p95_seconds"}
HALF_HOUR_MS = 1_800_000
FAULTS = FaultModel(shuffled_share=0.1, repeated_share=0.05, late_share=0.01, malformed_share=0.005)


def simulated(settings: Simulation) -> tuple[Simulated, list[Sent]]:
    centre = Simulated(settings)
    sent = [Sent(e.topic, e.subject.encode(), e.value) for e in centre.deliveries()]
    return centre, sent


def differences(truth: Figures, measured: Mapping[str, Any], where: object) -> list[str]:
    """Every KPI of the truth that the store has otherwise: counts and sums exactly."""
    found = []
    for kpi, expected in truth.items():
        value = measured[kpi]
        if expected is None or value is None or isinstance(expected, int):
            same = value == expected
        elif kpi in QUANTILES:
            same = value == pytest.approx(expected, rel=RELATIVE_ACCURACY)
        else:
            # A quotient of two whole numbers, computed twice: only its last digit may differ.
            same = value == pytest.approx(expected, rel=1e-12)
        if not same:
            found.append(f"{where} {kpi}: {value}, in truth {expected}")
    return found


def of_all(truth: Mapping[Any, Figures], measured: Mapping[Any, Mapping[str, Any]]) -> list[str]:
    assert measured.keys() == truth.keys()
    return [
        d for where, figures in truth.items() for d in differences(figures, measured[where], where)
    ]


def by_half_hour(cohort: Cohort) -> Callable[[Stay], Key | None]:
    def key(stay: Stay) -> Key | None:
        at = instant_of(stay, cohort)
        return None if at is None else (stay.visit.queue, at // HALF_HOUR_MS)

    return key


def of_store(store: Store, centre: Simulated) -> list[str]:
    """All that the views have otherwise than the truth: in all, by half hour, of agents."""
    whole = {
        (r.dimensions["queue"], r.dimensions["channel"]): r.values
        for r in kpi_table(store, "default", split=("queue", "channel"))
    }
    found = of_all(queue_figures(centre.truth), whole)
    cohorts: tuple[Cohort, ...] = ("offered", "ended")
    for cohort in cohorts:
        began = centre.settings.start_at
        parts = {}
        for r in kpi_table(store, "default", interval="30m", cohort=cohort):
            assert r.interval_start is not None
            at = round((r.interval_start - began).total_seconds() * 1000)
            parts[r.dimensions["queue"], at // HALF_HOUR_MS] = r.values
        found += of_all(queue_figures(centre.truth, by_half_hour(cohort)), parts)
    agents = {r.dimensions["agent"]: r.values for r in agent_table(store, "default")}
    return found + of_all(agent_figures(centre.truth), agents)


@pytest.mark.parametrize(
    "settings",
    [
        # Where no source says how long talk was, a call that came back to its agent is too long by
        # the time for which it rang elsewhere: tests/streams/fold/test_simulated_findings.py.
        pytest.param(small(seed=1, calls=CallModel(recall_share=0)), id="clocks alone"),
        pytest.param(
            small(seed=2, states_durations=True, faults=FAULTS), id="durations and faults"
        ),
    ],
)
def test_kpis_equal_the_truth(
    run: Run, new_store: Callable[[], Store], settings: Simulation
) -> None:
    centre, sent = simulated(settings)
    store = new_store()
    run.over(sent, store)
    assert of_store(store, centre) == []


@pytest.mark.parametrize("broker", ["tansu"], indirect=True)
def test_a_day_cut_off_in_the_middle_equals_the_truth_so_far(
    run: Run, new_store: Callable[[], Store]
) -> None:
    queues = tuple(
        queue.model_copy(update={"load_by_hour": (0,) * 22 + (1, 3)}) for queue in small().queues
    )
    people = small().people.model_copy(update={"shift_starts": (15.5, 16)})
    centre, sent = simulated(
        small(queues=queues, people=people, states_durations=True, overtime_seconds=0)
    )
    store = new_store()
    run.over(sent, store)
    assert of_store(store, centre) == []
    open_ = [v for c in centre.truth.contacts for v in c.visits if not v.outcome]
    talking = [leg for c in centre.truth.contacts for leg in c.legs if leg.ended_at is None]
    assert open_
    assert talking


@pytest.mark.parametrize("broker", ["tansu"], indirect=True)
def test_a_file_of_the_command_can_be_published(
    run: Run, new_store: Callable[[], Store], tmp_path: Path
) -> None:
    arguments = "simulate", "--seed", "1", "--repeated", "0.02", "--output", "events.jsonl"
    done = switchboard(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").open()]
    sent = [Sent(r["topic"], r["key"].encode(), json.dumps(r["event"]).encode()) for r in lines]
    store = new_store()
    run.over(sent, store)
    centre, told = simulated(small(seed=1))
    assert len(sent) > len(told)
    (stored,) = store.query("SELECT count() AS n FROM events FINAL")
    assert stored["n"] == len(told)
    offered = {r.dimensions["queue"]: r.values["offered"] for r in kpi_table(store, "default")}
    truth = queue_figures(centre.truth)
    assert offered == {queue: figures["offered"] for (queue, _), figures in truth.items()}
