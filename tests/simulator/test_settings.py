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


def test_settings_survive_json() -> None:
    assert Simulation.model_validate_json(tiny().model_dump_json()) == tiny()
