"""Logs of the fault matrix: repeatable, and of one story whatever their shape."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decode import Rejected, decode
from tests.faults.generate import (
    ANY_ORDER,
    BAD_MIX,
    FAST_CLOCK,
    IDEAL,
    LATENESS_MS,
    LIVE,
    REPEATED,
    SKEWED_SOURCE,
    SLOW_CLOCK,
    Shape,
    make_log,
)

SHAPES = [IDEAL, LIVE, REPEATED, ANY_ORDER, BAD_MIX, FAST_CLOCK, SLOW_CLOCK]
SMALL = 600


@settings(max_examples=10)
@given(seed=st.integers(0, 1_000), shape=st.sampled_from(SHAPES))
def test_the_same_seed_gives_the_same_log(seed: int, shape: Shape) -> None:
    assert make_log(seed, SMALL, shape, 3).records == make_log(seed, SMALL, shape, 3).records


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_every_shape_tells_the_same_story(shape: Shape) -> None:
    story = {r.identity for r in make_log(3, SMALL, IDEAL, 2).records}
    told = {r.identity for r in make_log(3, SMALL, shape, 2).records if r.identity}
    assert told == story


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_records_are_what_they_are_said_to_be(shape: Shape) -> None:
    for record in make_log(4, SMALL, shape, 2).records:
        read = decode(record.value)
        if record.reason in ("", "wrong_topic"):
            assert not isinstance(read, Rejected)
        else:
            assert isinstance(read, Rejected)
            assert read.reason == record.reason


def delays(shape: Shape) -> list[int]:
    """How long after its own time each event came, in milliseconds."""
    found = []
    for record in make_log(5, SMALL, shape, 2).records:
        event = decode(record.value)
        if not isinstance(event, Rejected) and event.source != SKEWED_SOURCE:
            found.append(record.timestamp_ms - round(event.time.timestamp() * 1000))
    return found


def test_order_is_disturbed_within_lateness_only() -> None:
    assert max(delays(ANY_ORDER)) < LATENESS_MS
    records = make_log(5, SMALL, ANY_ORDER, 2).records
    assert [r.identity for r in records] != [
        r.identity for r in make_log(5, SMALL, IDEAL, 2).records
    ]


def test_a_live_log_has_late_repeated_and_bad_records() -> None:
    records = make_log(6, 3_000, LIVE, 2).records
    told = [r.identity for r in records if r.identity]
    assert len(told) > len(set(told)) * 1.05
    assert sum(1 for r in records if r.reason) >= 10
    assert max(delays(LIVE)) > LATENESS_MS
