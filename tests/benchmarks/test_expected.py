"""The lean computation that a benchmark's results are held against."""

import pytest

from benchmarks.expected import Counts, counts_of, differences
from gateway.record import Record
from tests.support.fold import Happening, happening

PLACE = ("support", "call")


def counted(*told: Happening) -> Counts:
    return counts_of([Record(h.topic, h.subject.encode(), h.value(), 0) for h in told], 20.0)


@pytest.mark.parametrize(
    ("told", "measures"),
    [
        ([], (1, 0, 0, 0, 0)),
        ([happening(30, "agent.connected", agent="ada", queue="support")], (1, 1, 0, 0, 30_000)),
        (
            [
                happening(18, "queue.exited", queue="support", reason="answered"),
                happening(21, "agent.connected", agent="ada", queue="support"),
                happening(50, "agent.connected", agent="eve"),
            ],
            (1, 1, 0, 0, 21_000),
        ),
        ([happening(5, "queue.exited", queue="support", reason="abandoned")], (1, 0, 1, 0, 0)),
        ([happening(5, "queue.exited", queue="support", reason="timed_out")], (1, 0, 0, 0, 0)),
        ([happening(9, "interaction.ended", by="customer")], (1, 0, 1, 0, 0)),
    ],
    ids=["waits", "answered", "told twice, then passed on", "abandons", "leaves", "hangs up"],
)
def test_a_contact_is_counted_in_its_queue(
    told: list[Happening], measures: tuple[int, ...]
) -> None:
    counts = counted(happening(0, "queue.entered", queue="support"), *told)

    assert counts.measures() == {PLACE: measures}


def test_every_key_that_differs_is_told() -> None:
    assert differences({"a": 1, "b": 2}, {"b": 2, "c": 3}) == [
        "a: found 1, expected None",
        "c: found None, expected 3",
    ]
