from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.queues import AlertThresholds, CompoundAlert, QueueSettings
from streams.monitor.breaches import NO_DATA_MS, Change, Watch, judge
from streams.monitor.live import Live, live
from streams.monitor.queue import Queue
from streams.monitor.rules import MonitorRules
from streams.monitor.samples import values_of
from tests.support.fold import MONDAY_MS


def live_of(settings: QueueSettings, second: float, **values: Any) -> Live:
    queue = Queue(("default", "help"), MONDAY_MS)
    queue.begin_windows("UTC")
    at = MONDAY_MS + round(second * 1000)
    seen = live(queue, MonitorRules(queue=lambda _: settings), current=True)
    return seen._replace(at=at, settings=settings, **values)


def changes_of(
    settings: QueueSettings, waiting: list[int], watches: dict[str, Watch] | None = None
) -> list[tuple[int, Change]]:
    """What a queue's waiting contacts, second by second, open and close."""
    watches = {} if watches is None else watches
    return [
        (second, change)
        for second, n in enumerate(waiting)
        for change, _ in judge(watches, live_of(settings, second, waiting=n), judging=True)
    ]


def alert(**thresholds: Any) -> QueueSettings:
    return QueueSettings(alerts={"waiting": AlertThresholds(**thresholds)})


def test_it_opens_at_the_threshold_and_closes_at_the_closing_value() -> None:
    settings = alert(warning=5, warning_closes=2)
    assert changes_of(settings, [4, 5, 4, 3, 2, 5]) == [(1, "opened"), (4, "closed"), (5, "opened")]


def test_without_a_closing_value_it_closes_below_the_threshold() -> None:
    assert changes_of(alert(warning=5), [5, 5, 4]) == [(0, "opened"), (2, "closed")]


def test_it_waits_for_its_duration_without_a_gap() -> None:
    settings = alert(warning=5, for_seconds=3)
    assert changes_of(settings, [5, 5, 4, 5, 5, 5, 5]) == [(6, "opened")]


def test_it_worsens_once_and_closes_only_past_the_lower_threshold() -> None:
    settings = alert(warning=2, critical=4)
    expected = [(0, "opened"), (1, "worsened"), (4, "closed")]
    assert changes_of(settings, [2, 4, 3, 4, 1]) == expected


def test_low_is_bad_for_agents() -> None:
    settings = QueueSettings(alerts={"agents_available": AlertThresholds(warning=0)})
    watches: dict[str, Watch] = {}
    found = []
    for second, n in enumerate((1, 0, 0, 1)):
        seen = live_of(settings, second, agents={"available": n})
        found += [(second, change) for change, _ in judge(watches, seen, judging=True)]
    assert found == [(1, "opened"), (3, "closed")]


def test_nothing_is_judged_and_nothing_closed_by_what_is_not_current() -> None:
    settings = alert(warning=2)
    watches: dict[str, Watch] = {}
    judge(watches, live_of(settings, 0, waiting=3), judging=True)
    assert not judge(watches, live_of(settings, 1, waiting=0), judging=False)
    assert [c for c, _ in judge(watches, live_of(settings, 2, waiting=0), judging=True)] == [
        "closed"
    ]


def test_a_value_that_is_gone_closes_it_after_a_while() -> None:
    settings = QueueSettings(alerts={"service_level_ratio": AlertThresholds(warning=0.8)})
    watches: dict[str, Watch] = {}
    seen = live_of(settings, 0)
    windows = {n: w._replace(offered=9, service_level=0.5) for n, w in seen.windows.items()}
    opened = judge(watches, seen._replace(windows=windows), judging=True)
    assert [change for change, _ in opened] == ["opened"]
    assert not judge(watches, live_of(settings, 1), judging=True)
    (closed,) = judge(watches, live_of(settings, 1 + NO_DATA_MS / 1000), judging=True)
    assert closed[1].closed_because == "no_data"


def test_little_traffic_is_not_judged() -> None:
    thresholds = AlertThresholds(warning=0.8, minimum_contacts=10)
    settings = QueueSettings(alerts={"service_level_ratio": thresholds})
    seen = live_of(settings, 0)
    windows = {n: w._replace(offered=9, service_level=0.1) for n, w in seen.windows.items()}
    assert not judge({}, seen._replace(windows=windows), judging=True)


def test_prometheus_is_given_what_the_stream_judges() -> None:
    """In the alert's own window, and with the traffic that it asks for."""
    kpi = "service_level_ratio"
    thresholds = AlertThresholds(warning=0.8, minimum_contacts=10, window="30m")
    settings = QueueSettings(alerts={kpi: thresholds, "waiting": AlertThresholds(warning=2)})
    seen = live_of(settings, 0)
    windows = dict(seen.windows)
    for window, offered, level in (("15m", 99, 0.9), ("30m", 9, 0.1)):
        windows[window] = windows[window]._replace(offered=offered, service_level=level)
    judged = "queue_judged_value"
    assert not [key for key in values_of(seen._replace(windows=windows), {}) if key[0] == judged]
    windows["30m"] = windows["30m"]._replace(offered=10)
    found = values_of(seen._replace(windows=windows), {})
    assert {key: value for key, value in found.items() if key[0] == judged} == {
        (judged, (kpi,)): 0.1
    }


def test_outside_business_hours_nothing_opens_and_what_is_open_closes() -> None:
    settings = alert(warning=2)
    watches: dict[str, Watch] = {}
    judge(watches, live_of(settings, 0, waiting=3), judging=True)
    shut = live_of(settings, 1, waiting=3, in_business_hours=False)
    ((change, breach),) = judge(watches, shut, judging=True)
    assert (change, breach.closed_because) == ("closed", "closed_hours")
    assert not judge(watches, shut, judging=True)


def test_a_compound_condition_needs_all_its_parts() -> None:
    compound = CompoundAlert(
        when="waiting >= 10 and longest_wait_now_seconds >= 120", closes_after_seconds=2
    )
    settings = QueueSettings(compound_alerts={"crowd": compound})
    watches: dict[str, Watch] = {}
    found = []
    for second, (n, wait) in enumerate([(9, 500), (10, 119), (10, 120), (9, 0), (9, 0), (9, 0)]):
        seen = live_of(settings, second, waiting=n)
        seen = seen._replace(oldest_enqueued_at=seen.at - wait * 1000)
        found += [(second, change) for change, _ in judge(watches, seen, judging=True)]
    assert found == [(2, "opened"), (5, "closed")]


@given(st.lists(st.integers(0, 8), max_size=60), st.integers(0, 4), st.integers(0, 3))
def test_a_breach_goes_one_way(waiting: list[int], for_seconds: int, lower: int) -> None:
    settings = alert(warning=4, critical=6, warning_closes=4 - lower, for_seconds=for_seconds)
    last = "closed"
    for second, change in changes_of(settings, waiting):
        if change == "opened":
            assert last == "closed"
            assert all(n >= 4 for n in waiting[max(0, second - for_seconds) : second + 1])
        elif change == "worsened":
            assert last == "opened"
            assert waiting[second] >= 6
        else:
            assert last in ("opened", "worsened")
            assert waiting[second] <= 4 - lower
        last = change
