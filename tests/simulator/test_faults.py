from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.authority import Rejected
from schemas.decode import decode
from simulator.faults import GARBAGE, deliveries
from simulator.run import Run
from simulator.settings import FaultModel
from simulator.telling import Encoded, Encoder, Told
from tests.simulator.centres import tiny

RUN = Run(tiny(3))
TOLD = list(RUN.events())[:1500]
ENCODER = Encoder(RUN.settings.start_at, RUN.centre.run)
SHARES = st.sampled_from([0.0, 0.05, 0.5, 1.0])


def delivered(faults: FaultModel, seed: int = 1, told: list[Told] = TOLD) -> list[Encoded]:
    return list(deliveries(told, ENCODER, faults, seed))


WHOLE = delivered(FaultModel())


@settings(max_examples=30)
@given(st.builds(FaultModel, late_share=SHARES, shuffled_share=SHARES, repeated_share=SHARES,
                 malformed_share=SHARES), st.integers(0, 99))  # fmt: skip
def test_faults_keep_the_set_of_events(faults: FaultModel, seed: int) -> None:
    found = delivered(faults, seed)
    garbage = [event for event in found if event.value in GARBAGE]
    events = [event for event in found if event.value not in GARBAGE]
    assert {event.value for event in events} == {event.value for event in WHOLE}
    assert all(early.due_at <= late.due_at for early, late in pairwise(found))
    times = Counter(event.value for event in events)
    assert max(times.values()) <= (2 if faults.repeated_share else 1)
    assert bool(garbage) <= bool(faults.malformed_share)
    assert found == delivered(faults, seed)


def test_shares_are_roughly_kept() -> None:
    share, of = 0.1, len(WHOLE)
    assert 0.06 < (len(delivered(FaultModel(repeated_share=share))) - of) / of < 0.14
    assert 0.06 < (len(delivered(FaultModel(malformed_share=share))) - of) / of < 0.14
    due = {event.value: event.due_at for event in WHOLE}
    late = [e for e in delivered(FaultModel(late_share=share)) if e.due_at > due[e.value]]
    assert 0.06 < len(late) / of < 0.14
    assert all(900_000 <= e.due_at - due[e.value] <= 1_800_000 for e in late)


def test_garbage_is_garbage() -> None:
    assert all(isinstance(decode(value), Rejected) for value in GARBAGE)


def test_a_skewed_source_writes_its_own_time_and_no_other_does() -> None:
    faults = FaultModel(skewed_sources=("desk",), skew_seconds=1.5)
    for right, skewed in zip(WHOLE, delivered(faults), strict=True):
        before, after = decode(right.value), decode(skewed.value)
        assert not isinstance(before, Rejected)
        assert not isinstance(after, Rejected)
        ahead = (after.time - before.time).total_seconds()
        assert ahead == (1.5 if before.source.endswith("/desk") else 0)
