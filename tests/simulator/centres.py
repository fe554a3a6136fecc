"""Small centres for tests: quick to run, with everything in them."""

from functools import cache
from typing import Any

from hypothesis import strategies as st

from simulator.presets import small
from simulator.run import Run
from simulator.settings import (
    CallModel,
    CampaignModel,
    PeopleModel,
    QueueModel,
    Simulation,
    WrittenModel,
)
from simulator.telling import Told


def tiny(seed: int = 1, **changes: Any) -> Simulation:
    """Six agents, four queues, some 150 contacts."""
    queues = (
        QueueModel(
            name="help", skill="help", contacts_a_day=70, overflow_to="sales",
            overflow_after_seconds=40, callback_after_seconds=20, patience_seconds=90,
        ),
        QueueModel(name="sales", skill="sales", contacts_a_day=40, outbound_a_day=10, priority=1),
        QueueModel(name="chat", channel="chat", skill="help", contacts_a_day=25, talk_seconds=300),
        QueueModel(name="mail", channel="email", skill="help", contacts_a_day=15),
        QueueModel(name="social", channel="social", skill="help", contacts_a_day=10),
    )  # fmt: skip
    defaults = {
        "people": PeopleModel(agents=6, customers=60, languages={"en": 1.0}),
        "campaigns": (CampaignModel(name="spring", messages=20),),
    }
    return Simulation.model_validate({"seed": seed, "queues": queues} | defaults | changes)


@st.composite
def centres(draw: st.DrawFn) -> Simulation:
    """Tiny centres of every temperament."""
    share = st.sampled_from([0.0, 0.1, 0.5, 1.0])
    transfers = draw(st.sampled_from([(0.0, 0.0), (0.4, 0.4), (1.0, 0.0), (0.0, 1.0)]))
    return tiny(
        draw(st.integers(0, 1 << 32)),
        overtime_seconds=draw(st.sampled_from([0.0, 600.0, 14_400.0])),
        states_durations=draw(st.booleans()),
        people=PeopleModel(
            agents=draw(st.integers(2, 12)),
            customers=draw(st.integers(1, 80)),
            languages=draw(st.sampled_from([{"en": 1.0}, {"en": 0.5, "de": 0.5}])),
            chat_slots=draw(st.integers(1, 5)),
            unplanned_pauses=draw(st.sampled_from([0.0, 6.0])),
        ),
        calls=CallModel(
            lines=draw(st.sampled_from([None, 1, 4])),
            menu_share=draw(share),
            short_abandon_share=draw(share),
            miss_share=draw(st.sampled_from([0.0, 0.1, 0.6])),
            hold_share=draw(st.sampled_from([0.0, 0.2, 0.7])),
            key_share=draw(share),
            moved_share=draw(share),
            blind_share=transfers[0],
            consult_share=transfers[1],
            recall_share=draw(share),
            callback_accepted_share=draw(share),
            callback_reached_share=draw(share),
        ),
        written=WrittenModel(
            bot_share=draw(share), follow_up_share=draw(st.sampled_from([0, 0.5]))
        ),
    )


@cache
def small_run(seed: int = 1) -> tuple[Run, list[Told]]:
    """A whole day of the preset `small`, run once for all tests that only look at it."""
    run = Run(small(seed=seed))
    return run, list(run.events())
