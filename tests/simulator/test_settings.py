import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from simulator.settings import CallModel, QueueModel, Simulation
from tests.simulator.centres import tiny


def test_an_overflow_needs_a_queue_to_go_to() -> None:
    with pytest.raises(ValidationError, match="overflows to nowhere, which is no queue"):
        Simulation(queues=(QueueModel(name="a", overflow_to="nowhere"),))


def test_names_of_queues_are_unique() -> None:
    with pytest.raises(ValidationError, match="same name"):
        Simulation(queues=(QueueModel(name="a"), QueueModel(name="a")))


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="hold_shar"):
        CallModel.model_validate({"hold_shar": 0.1})


def test_the_example_of_the_documentation_is_a_centre() -> None:
    document = Path(__file__).parents[2] / "docs" / "simulator.md"
    (example,) = re.findall(r"```toml\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    centre = Simulation.model_validate(tomllib.loads(example))
    assert [queue.channel for queue in centre.queues] == ["call", "email"]


def test_settings_survive_json() -> None:
    assert Simulation.model_validate_json(tiny().model_dump_json()) == tiny()
