from collections import Counter

import pytest

from simulator.dice import Dice
from simulator.people import hired
from simulator.presets import PRESETS, day
from simulator.run import Run
from simulator.settings import Simulation


def test_a_day_is_as_large_as_it_says() -> None:
    centre = day()
    assert centre.people.agents == 200
    assert len(centre.queues) == 40
    assert {queue.channel for queue in centre.queues} == {"call", "chat", "email", "social"}


@pytest.mark.parametrize("agents", [5, 40, 5000])
def test_any_number_of_agents_serves_every_queue(agents: int) -> None:
    centre = day(agents)
    crew = hired(centre.people, centre.queues, Dice(1, "hiring"))
    assert len(crew) == agents
    served = Counter(queue for _, lines, _ in crew for queue, _ in lines)
    assert served.keys() == {queue.name for queue in centre.queues}


def test_five_agents_work_through_their_day() -> None:
    run = Run(day(5, seed=2))
    for _ in run.events():
        pass
    assert sum(contact.answered for contact in run.truth.contacts) > 50


@pytest.mark.parametrize("name", PRESETS)
def test_changes_are_taken_over_and_checked(name: str) -> None:
    changed: Simulation = PRESETS[name](seed=5, days=2)
    assert (changed.seed, changed.days) == (5, 2)
    with pytest.raises(ValueError, match="days"):
        PRESETS[name](days=0)
