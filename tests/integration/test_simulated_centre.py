"""A simulated day through broker, worker and views, against what the simulation knows of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.presets import small
from simulator.run import Run as Simulated
from simulator.settings import CallModel, FaultModel, Simulation
from sinks.kpis.catalogue import FAMILIES, KPIS, of_grain
from sinks.kpis.contacts import contacts_behind
from sinks.kpis.definition import Grain
from sinks.kpis.query import agent_table, kpi_table
from sinks.store import Store
from streams.timeline.agents import behind_agents
from tests.integration.conftest import Run, Sent
from tests.support.command_line import switchboard
from tests.truth.compare import NOT_IN_TRUTH, everything, wrong
from tests.truth.rows import interactions, strangers

FAULTS = FaultModel(shuffled_share=0.1, repeated_share=0.05, late_share=0.01, malformed_share=0.005)
PASSED_ON = CallModel(blind_share=0.15, consult_share=0.1, recall_share=0.5)


def simulated(settings: Simulation) -> tuple[Simulated, list[Sent]]:
    centre = Simulated(settings)
    sent = [Sent(e.topic, e.subject.encode(), e.value) for e in centre.deliveries()]
    return centre, sent


@pytest.mark.parametrize(
    ("broker", "settings"),
    [
        pytest.param("tansu", small(seed=1, calls=PASSED_ON), id="clocks alone"),
        pytest.param(
            "apache-kafka",
            small(seed=2, states_durations=True, faults=FAULTS),
            id="durations, faults",
            marks=pytest.mark.kafka,
        ),
    ],
    indirect=["broker"],
)
def test_kpis_equal_the_truth(
    run: Run, new_store: Callable[[], Store], settings: Simulation
) -> None:
    centre, sent = simulated(settings)
    store = new_store()
    run.over(sent, store)
    compared = list(everything(store, centre))
    assert wrong(compared) == []
    assert interactions(store, centre) == []
    assert strangers(store, centre) == []
    assert not_listed(store) == []
    assert {one.kpi for one in compared} == set(KPIS) - set(NOT_IN_TRUTH)


def not_listed(store: Store) -> list[str]:
    """Counts whose contacts, as they are listed, do not add up to them."""
    (total,) = kpi_table(store, "default", split=(), families=FAMILIES)
    found = []
    for kpi in KPIS.values():
        if not kpi.expression.isidentifier() or kpi.grain is Grain.AGENT:
            continue
        behind = contacts_behind(store, "default", kpi.id)
        adds = [one.adds[kpi.expression] for one in behind if kpi.expression in one.adds]
        listed = min(adds) if kpi.id.endswith("_min") else sum(adds)
        if listed != total.values[kpi.id]:
            found.append(f"{kpi.id}: {listed} listed, {total.values[kpi.id]} counted")
    agents = agent_table(store, "default")
    for kpi in of_grain(Grain.AGENT):
        column = kpi.expression.removesuffix(" / 1000")
        if not column.isidentifier():
            continue
        adds = [one.adds[column] for one in behind_agents(store, "default", kpi.id)]
        listed = sum(adds) / 1000 if kpi.unit == "seconds" else sum(adds)
        counted = sum(one.values[kpi.id] or 0 for one in agents)
        if listed != pytest.approx(counted, abs=1e-6):
            found.append(f"{kpi.id}: {listed} listed, {counted} counted")
    return found


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
    assert wrong(everything(store, centre)) == []
    assert interactions(store, centre) == []
    assert [v for c in centre.truth.contacts for v in c.visits if not v.outcome]
    assert [leg for c in centre.truth.contacts for leg in c.legs if leg.ended_at is None]


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
    (total,) = kpi_table(store, "default", split=())
    assert total.values["offered"] == sum(len(c.visits) for c in centre.truth.contacts)
