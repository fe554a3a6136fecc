"""Intervals as people write them."""

from sinks.kpis.intervals import interval_of


def test_intervals_as_people_write_them() -> None:
    assert [interval_of(t) for t in ("10s", "1m", "30m", "60m", "1h", "1d", "all")] == [
        10, 60, 1800, 3600, 3600, 86_400, 0,
    ]  # fmt: skip
