"""A simulated day through broker, worker and views, against what the simulation knows of it."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.sketch import RELATIVE_ACCURACY
from simulator.customers import caller_figures, first_contact_figures, shown
from simulator.figures import Cohort, Figures, Key, Stay, agent_figures, instant_of, queue_figures
from simulator.presets import small
from simulator.run import Run as Simulated
from simulator.settings import CallModel, FaultModel, Simulation
from simulator.truth import Contact
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


def interactions(store: Store, centre: Simulated) -> list[str]:
    """Every interaction whose row says something else than the model decided."""
    began = centre.settings.start_at
    rows = {
        row.pop("interaction_id"): row for row in store.query("SELECT * FROM interactions FINAL")
    }
    assert rows.keys() == {contact.interaction for contact in centre.truth.contacts}
    found = []
    for contact in centre.truth.contacts:
        row = rows[contact.interaction]
        for name, expected in row_of(contact, began).items():
            value = sorted(row[name]) if name in ("agents", "identifiers") else row[name]
            if value != expected:
                found.append(f"{contact.interaction} {name}: {value}, in truth {expected}")
    return found


def row_of(contact: Contact, began: datetime) -> dict[str, Any]:
    """The columns of `interactions` that a contact leads to."""

    def instant(at: int | None) -> datetime | None:
        return None if at is None else began + timedelta(milliseconds=at)

    by_people = [message.author for message in contact.messages if not message.automatic]
    over = [leg for leg in contact.legs if leg.ended_at is not None]
    legs = [visit.leg for visit in contact.visits]
    row = {
        "channel": contact.channel,
        "direction": contact.direction,
        "purpose": contact.purpose,
        "language": contact.language,
        "site": contact.site,
        "linked_to": contact.linked_to,
        "started_at": instant(contact.started_at),
        "ended_at": instant(contact.ended_at),
        "ended_by": contact.ended_by,
        "disposition": contact.disposition,
        "resolved": None if contact.resolved is None else int(contact.resolved),
        "first_response_ms": contact.first_response_ms,
        "messages_by_customer": by_people.count("customer"),
        "messages_by_agent": by_people.count("agent"),
        "messages_by_bot": by_people.count("bot"),
        "messages_automatic": len(contact.messages) - len(by_people),
        "missed_rings": sum(ring.outcome == "missed" for ring in contact.rings),
        "agents": sorted({leg.agent for leg in contact.legs}),
        "wait_ms": sum(visit.wait_ms or 0 for visit in contact.visits),
        "talk_ms": sum(leg.talk_ms for leg in over),
        "hold_ms": sum(leg.hold_ms for leg in contact.legs),
        "wrapup_ms": sum(leg.wrapup_ms or 0 for leg in contact.legs),
        "visits_queue": [visit.queue for visit in contact.visits],
        "visits_entered_at": [instant(visit.entered_at) for visit in contact.visits],
        "visits_outcome": [visit.outcome or "open" for visit in contact.visits],
        "visits_wait_ms": [visit.wait_ms for visit in contact.visits],
        "visits_missed_rings": [visit.missed_rings for visit in contact.visits],
        "visits_agent": [leg.agent if leg else "" for leg in legs],
        "visits_talk_ms": [leg.talk_ms if leg in over else None for leg in legs],
        "visits_holds": [leg.holds if leg else 0 for leg in legs],
        "visits_wrapup_ms": [leg.wrapup_ms if leg else None for leg in legs],
        "visits_ring_ms": [leg.ring_ms if leg else None for leg in legs],
        "visits_transfer": [leg.transfer if leg else "" for leg in legs],
    }
    if contact.ended_at is not None:
        row["topic"] = contact.topic  # which sources say at the end
    return row


def of_customers(store: Store, centre: Simulated, window_seconds: int) -> list[str]:
    """Callers and first contacts, where customers are told apart by what a contact showed."""
    (latest,) = store.query("SELECT max(last_event_at) AS at FROM interactions FINAL")
    latest_at = round((latest["at"] - centre.settings.start_at).total_seconds() * 1000)
    measured = {
        (r.dimensions["queue"], r.dimensions["channel"]): r.values
        for r in kpi_table(
            store, "default", split=("queue", "channel"), repeat_seconds=window_seconds
        )
    }
    truth = caller_figures(centre.truth, shown)
    for place, figures in first_contact_figures(
        centre.truth, latest_at, window_seconds, shown
    ).items():
        truth[place] |= figures
    return [
        d for place, figures in truth.items() for d in differences(figures, measured[place], place)
    ]


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
    assert interactions(store, centre) == []
    assert of_customers(store, centre, 4 * 3600) == []


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
    assert interactions(store, centre) == []
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
