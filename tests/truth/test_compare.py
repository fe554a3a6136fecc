"""That the comparison sees what is wrong: each kind of difference, once."""

import pytest

from simulator.figures import Value
from sinks.kpis.catalogue import KPIS
from tests.truth.__main__ import Day, Line, unaccounted
from tests.truth.compare import NOT_IN_TRUTH, Compared, _beside, wrong


@pytest.mark.parametrize(
    ("kpi", "truth", "measured", "holds"),
    [
        ("offered", 7, 7, True),
        ("offered", 7, 8, False),
        ("offered", 0, None, False),
        ("abandonment_ratio", None, None, True),
        ("abandonment_ratio", None, 0.0, False),
        ("abandonment_ratio", 1 / 3, 0.3333333333333333, True),
        ("abandonment_ratio", 0.25, 0.2500001, False),
        ("average_talk_seconds", 240.001, 240.002, False),
        ("wait_p95_seconds", 100.0, 100.9, True),
        ("wait_p95_seconds", 100.0, 101.1, False),
        ("wait_p95_seconds", 0.001, 0.00099, True),  # a percent, as the sketch has 1 ms
        ("wait_p95_seconds", 0.001, 0.0009899999999, False),
        ("wait_p95_seconds", 0.0, 0.0, True),
    ],
)
def test_counts_and_sums_are_exact_and_quantiles_within_their_bound(
    kpi: str, truth: Value, measured: Value, holds: bool
) -> None:
    one = Compared(kpi, {"queue": "help"}, truth, measured)
    assert one.holds is holds
    assert bool(wrong([one])) is not holds


def test_a_place_that_only_one_side_knows_is_wrong() -> None:
    found = list(_beside({("a",): {"offered": 1}}, {("b",): {"offered": 1}}, ("queue",)))
    assert [(one.splits["queue"], one.truth, one.measured) for one in found] == [
        ("a", 1, 0),
        ("b", 0, 1),
    ]
    assert len(wrong(found)) == 2


def test_a_kpi_that_the_store_does_not_have_is_wrong() -> None:
    (one,) = _beside({("a",): {"offered": 1}}, {("a",): {}}, ("queue",))
    assert wrong([one]) == ["offered queue=a: None, in truth 1"]


def test_a_kpi_that_is_neither_compared_nor_excused_is_named() -> None:
    day = Day(1, {kpi: Line(1) for kpi in KPIS if kpi not in NOT_IN_TRUTH}, [], [], 0)
    assert unaccounted([day]) == []
    del day.lines["reopen_ratio"]
    assert unaccounted([day]) == ["reopen_ratio"]
    assert all(NOT_IN_TRUTH.values())
    assert KPIS.keys() >= NOT_IN_TRUTH.keys()


def test_a_day_is_read_again_as_it_was_written() -> None:
    day = Day(7, {"offered": Line(3, 1, 0.5)}, [{"kpi": "offered"}], ["x: y"], 200_000)
    assert Day.from_json(day.to_json()) == day
