import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.live import HORIZONS, QueueLiveRow
from schemas.queues import AlertThresholds, QueueSettings
from schemas.rows import DeadLetterRow
from streams.fold.merge import Left, merged
from streams.fold.partition import PartitionFold
from streams.fold.rules import DAY_MS, DEFAULT_HORIZONS_MS, FoldRules
from streams.fold.state import restore
from streams.monitor import foresight
from streams.monitor.fold import MonitorFold
from streams.monitor.live import Live
from streams.monitor.samples import values_of
from tests.support.fold import MONDAY_MS, Happening, Record
from tests.support.monitor import Stages, notices_of

TARGET_MS = 20_000
SHORT_MS = 5_000
ALERTS = QueueSettings(
    alerts={
        "waiting": AlertThresholds(warning=2, critical=4, warning_closes=1),
        "longest_wait_now_seconds": AlertThresholds(warning=60, for_seconds=10),
    }
)
Call = tuple[int, int, str, int]
"""entered_at, wait, what became of it ("" while it waits), talk; milliseconds since `MONDAY_MS`"""

calls = st.lists(
    st.tuples(
        st.integers(0, 7_200_000),
        st.integers(0, 90_000),
        st.sampled_from(["answered", "abandoned", "timed_out", ""]),
        st.integers(0, 300_000),
    ),
    min_size=1,
    max_size=12,
)


def events_of(number: int, call: Call) -> list[Happening]:
    entered_at, wait, outcome, talk = call
    subject = f"call-{number}"
    told = [Happening(entered_at, "queue.entered", subject, {"queue": "help"})]
    left_at = entered_at + wait
    if outcome == "answered":
        answered = {"queue": "help", "agent": "ada"}
        told.append(Happening(left_at, "agent.connected", subject, answered))
        told.append(Happening(left_at + talk, "interaction.ended", subject, {"by": "agent"}))
    elif outcome:
        told.append(
            Happening(left_at, "queue.exited", subject, {"queue": "help", "reason": outcome})
        )
    return told


def log_of(found: list[Call]) -> list[Happening]:
    told = [h for number, call in enumerate(found) for h in events_of(number, call)]
    return sorted(told, key=lambda h: h.at)


def play(stages: Stages, happenings: list[Happening], every: int = 1, until: int = 0) -> int:
    """Let events happen and be told; the instant at which it all ends."""
    at = MONDAY_MS
    for number, h in enumerate(happenings):
        at = MONDAY_MS + h.at
        stages.happens(h.topic, h.subject.encode(), h.value(), at)
        if number % every == 0:
            stages.tell(at)
            stages.tick(at)
    at = max(at, MONDAY_MS + until)
    stages.tell(at)
    stages.tick(at)
    return at


def counted(found: list[Call], at: int, begin_ms: int) -> dict[str, Any]:
    """A window computed from the calls themselves, as people would; `at` is now."""
    offered = [c for c in found if MONDAY_MS + c[0] >= begin_ms and MONDAY_MS + c[0] <= at]
    left = [c for c in offered if c[2] and MONDAY_MS + c[0] + c[1] <= at]
    answered = [c for c in left if c[2] == "answered"]
    late = [c for c in offered if c not in left and at - MONDAY_MS - c[0] > TARGET_MS]
    concluded = len(left) + len(late)
    in_target = [c for c in answered if c[1] <= TARGET_MS]
    abandoned = [c for c in left if c[2] == "abandoned"]
    return {
        "offered": len(offered),
        "answered": len(answered),
        "abandoned": len(abandoned),
        "flowed_out": len(left) - len(answered) - len(abandoned),
        "answered_in_target": len(in_target),
        "service_level": len(in_target) / concluded if concluded else None,
        "abandonment": len(abandoned) / len(offered) if offered else None,
        "speed_of_answer_ms": sum(c[1] for c in answered) / len(answered) if answered else None,
    }


@given(calls, st.integers(1, 5), st.sampled_from([1, 2, 4]), st.integers(0, 7_500_000))
@settings(max_examples=60)
def test_windows_are_those_of_a_count_of_the_calls(
    found: list[Call], every: int, partitions: int, until: int
) -> None:
    patient = FoldRules(horizons_ms=dict.fromkeys(DEFAULT_HORIZONS_MS, DAY_MS))
    stages = Stages(partitions=partitions, fold_rules=patient)
    at = play(stages, log_of(found), every, until)
    live = stages.live("help")
    pane = at // 10_000 * 10_000
    for name, seconds in {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600}.items():
        window = live.windows[name]
        expected = counted(found, at, pane - seconds * 1000 + 10_000)
        assert {field: getattr(window, field) for field in expected} == expected
    day = live.windows["day"]
    expected = counted(found, at, 0)
    assert {field: getattr(day, field) for field in expected} == expected
    waiting = [MONDAY_MS + c[0] for c in found if not c[2]]
    waiting += [MONDAY_MS + c[0] for c in found if c[2] and MONDAY_MS + c[0] + c[1] > at]
    assert live.waiting == len(waiting)
    assert live.oldest_enqueued_at == min(waiting, default=None)


def known(live: Live) -> dict[str, Any]:
    """What does not depend on the way by which it came to be known."""
    names = ("waiting", "longest_waiting", "oldest_enqueued_at", "active", "agents", "windows")
    return {name: getattr(live, name) for name in names}


@given(calls, st.data())
@settings(max_examples=60)
def test_any_order_and_repetition_of_partials_leads_to_the_same(
    found: list[Call], data: st.DataObject
) -> None:
    stages = Stages(partitions=2)
    at = play(stages, log_of(found))
    expected = known(stages.live("help"))
    partials = [r for r in stages.log if r.key]
    other = Stages(partitions=2)
    shuffled = data.draw(st.permutations(partials))
    for record in (*shuffled, *data.draw(st.lists(st.sampled_from(partials), max_size=5))):
        other.say(record.key or b"", record.value or b"", at)
    other.tick(at, {"events.call": (0, 1)})
    assert known(other.live("help")) == expected


@given(calls, st.integers(0, 60))
@settings(max_examples=40)
def test_reading_the_log_again_finds_the_same_breaches(found: list[Call], cut: int) -> None:
    stages = Stages(lambda _: ALERTS)
    play(stages, log_of(found))
    stages.drained()
    first = stages.begun()
    notices: list[Any] = []
    for record in stages.log[:cut]:
        first.apply([record])
        notices += notices_of(first.drain().rows)
    again = stages.begun(first.snapshot())
    for record in stages.log[cut:]:
        again.apply([record])
        notices += notices_of(again.drain().rows)
    assert notices == stages.notices
    assert again.snapshot() == stages.begun(again.snapshot()).snapshot()
    opened = [n.breach_id for n in notices if n.change == "opened"]
    assert len(opened) == len(set(opened))
    for breach_id in opened:
        changes = [n.change for n in notices if n.breach_id == breach_id]
        assert changes in (
            ["opened"],
            ["opened", "closed"],
            ["opened", "worsened"],
            ["opened", "worsened", "closed"],
        )


def monitor_live(monitor: MonitorFold) -> Live:
    return next(live for live, _ in monitor.lives() if live.queue == "help")


def queue_of_four(stages: Stages) -> int:
    waits = [(n * 1000, 0, "", 0) for n in range(4)]
    return play(stages, log_of(waits))


def test_a_breach_opens_once_worsens_once_and_names_who_waits() -> None:
    stages = Stages(lambda _: ALERTS)
    queue_of_four(stages)
    stages.drained()
    opened, worsened = stages.notices
    assert (opened.change, opened.severity, opened.value, opened.threshold) == (
        "opened", "warning", 2, 2,
    )  # fmt: skip
    assert (worsened.change, worsened.severity, worsened.value) == ("worsened", "critical", 4)
    assert worsened.interactions == ("call-0", "call-1", "call-2", "call-3")


def test_a_past_day_that_is_replayed_raises_nothing() -> None:
    stages = Stages(lambda _: ALERTS)
    late = MONDAY_MS + 86_400_000
    for number in range(4):
        h = events_of(number, (number * 1000, 0, "", 0))[0]
        stages.happens(h.topic, h.subject.encode(), h.value(), late + number)
    stages.tell(late + 5_000)
    # Its worker does not call the partition current: what it read there happened long ago.
    for second in range(5, 20):
        stages.tick(late + second * 1000, {})
    stages.drained()
    assert not stages.notices
    assert not stages.live("help").current


def test_an_open_breach_stays_open_while_nobody_knows() -> None:
    stages = Stages(lambda _: ALERTS)
    at = queue_of_four(stages)
    for second in range(1, 120):
        stages.tick(at + second * 1000, {})
    stages.drained()
    assert [n.change for n in stages.notices] == ["opened", "worsened"]
    stages.tick(at + 120_000)
    stages.drained()
    assert [n.change for n in stages.notices if n.kpi == "waiting"] == ["opened", "worsened"]


def test_a_contact_silent_past_its_horizon_is_presumed_lost_and_comes_back() -> None:
    stages = Stages()
    at = play(stages, log_of([(0, 0, "", 0)]))
    stages.tick(at + 7_200_001)
    assert (stages.live("help").waiting, stages.live("help").presumed_lost) == (0, 1)
    h = Happening(7_300_000, "agent.missed", "call-0", {"queue": "help", "agent": "ada"})
    stages.happens(h.topic, h.subject.encode(), h.value(), MONDAY_MS + h.at)
    stages.tell(MONDAY_MS + h.at)
    stages.tick(MONDAY_MS + h.at)
    assert (stages.live("help").waiting, stages.live("help").presumed_lost) == (1, 0)


def test_an_agent_counts_once_in_the_total() -> None:
    stages = Stages()
    for number, queue in enumerate(("help", "sales")):
        data = {"state": "available", "queue": queue}
        h = Happening(number, "agent.state_changed", "ada", data, topic="events.agent")
        stages.happens(h.topic, b"ada", h.value(), MONDAY_MS + number)
    stages.tell(MONDAY_MS + 2)
    stages.tick(MONDAY_MS + 2)
    for queue in ("help", "sales", ""):
        assert stages.live(queue).agents == {"available": 1}


def test_a_new_log_speaks_for_what_is_carried_over_once() -> None:
    stages = Stages()
    at = play(stages, log_of([(0, 0, "", 0), (1000, 0, "", 0)]))
    saved = stages.folds["events.call", 0].snapshot()
    # A new log with two partitions: each begins with everything that is open.
    rules = stages.fold_rules
    left = [merged([Left(restore(saved))], 1, rules) for _ in range(2)]
    folds = [
        PartitionFold("events.call", n, "new-log", 2, rules, state) for n, state in enumerate(left)
    ]
    for fold in folds:
        for key, value in fold.take_partials():
            stages.say(key, value, at)
    assert stages.live("help").waiting == 2
    h = Happening(5000, "queue.exited", "call-1", {"queue": "help", "reason": "abandoned"})
    folds[1].apply([Record(0, MONDAY_MS + h.at, b"call-1", h.value())])
    for key, value in folds[1].take_partials():
        stages.say(key, value, MONDAY_MS + h.at)
    live = stages.live("help")
    assert (live.waiting, live.longest_waiting) == (1, ("call-0",))
    assert (live.windows["day"].offered, live.windows["day"].abandoned) == (2, 1)


def test_rows_have_the_columns_of_their_table() -> None:
    stages = Stages(lambda _: ALERTS)
    queue_of_four(stages)
    for table, rows in stages.monitor.drain().rows.items():
        for row in rows:
            table(**dict(zip(table.columns(), row, strict=True)))
    stages.tick(MONDAY_MS + 10_000)
    (row,) = stages.monitor.drain().rows[QueueLiveRow]
    assert row[:2] == ("default", "help")


def test_what_is_no_message_becomes_a_dead_letter() -> None:
    fold: MonitorFold = Stages().monitor
    fold.apply([Record(0, MONDAY_MS, b"k", b'{"type":"partial"}'), Record(1, MONDAY_MS, b"", None)])
    assert len(fold.drain().rows[DeadLetterRow]) == 2
    assert fold.next_offset == 2


def staffed(stages: Stages, minutes: int) -> int:
    """Two agents of a queue, and a call every minute of which each third is answered late."""
    member = {"state": "available", "queue": "help"}
    for agent in ("ada", "bob"):
        h = Happening(0, "agent.state_changed", agent, member, topic="events.agent")
        stages.happens(h.topic, agent.encode(), h.value(), MONDAY_MS)
    found: list[Call] = [
        (minute * 60_000, 40_000 if minute % 3 == 0 else 5_000, "answered", 90_000)
        for minute in range(minutes)
    ]
    at = MONDAY_MS
    events = log_of(found)
    for minute in range(minutes):
        while events and events[0].at < (minute + 1) * 60_000:
            h = events.pop(0)
            stages.happens(h.topic, h.subject.encode(), h.value(), MONDAY_MS + h.at)
        at = MONDAY_MS + (minute + 1) * 60_000
        stages.tell(at)
        stages.tick(at)
    return at


def test_a_forecast_is_scored_when_it_is_due() -> None:
    stages = Stages()
    at = staffed(stages, 20)
    seen = stages.live("help")
    assert seen.agents_needed is not None
    assert set(seen.forecast) == set(HORIZONS)
    assert all(p is not None and 0 <= p <= 1 for p in seen.forecast.values())
    assert set(seen.brier) == {"5m", "15m"}, "none of half an hour can be due"
    values = values_of(seen, {})
    assert values["queue_forecast_agents_needed", ()] == seen.agents_needed
    assert values["queue_forecast_breach_probability", ("5m",)] == seen.forecast["5m"]
    foresight = stages.monitor._foresight["default", "help"]
    assert all(at < (made.begin + HORIZONS[made.horizon]) * 1000 + 35_000 for made in foresight.due)


def test_a_forecast_is_scored_by_what_came_to_pass() -> None:
    stages = Stages()
    at = staffed(stages, 6)
    made = [one for one in stages.monitor._foresight["default", "help"].due if one.horizon == "5m"]
    assert len(made) == 1
    assert not stages.live("help").brier
    stages.tick(at + 240_000)
    # Of the four calls of those five minutes one was late: a breach of 80 %.
    assert stages.live("help").brier == {"5m": (1 - made[0].probability) ** 2}


def test_nothing_is_forecast_without_agents_or_while_it_is_not_current() -> None:
    stages = Stages()
    play(stages, log_of([(0, 5_000, "answered", 60_000)]), until=70_000)
    assert stages.live("help").forecast == {}
    stages = Stages()
    at = staffed(stages, 5)
    assert stages.live("help").forecast
    stages.tick(at + 20_000, current={})
    assert stages.live("help").forecast == {}
    assert stages.live("help").agents_needed is None


def test_what_would_cost_too_much_to_follow_is_not_forecast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foresight, "MOST_PRESENT", 3)
    stages = Stages()
    staffed(stages, 5)
    assert stages.live("help").forecast == {}
    assert stages.live("help").agents_needed is None


def test_a_restored_monitor_forecasts_and_scores_alike() -> None:
    stages = Stages()
    staffed(stages, 30)
    half = len(stages.log) // 2
    monitor = stages.begun()
    monitor.apply(stages.log[:half])
    monitor.drain()
    again = stages.begun(monitor.snapshot())
    again.apply(stages.log[half:])
    again.drain()
    stages.monitor.drain()
    assert again.snapshot() == stages.monitor.snapshot()
    assert next(iter(again.lives())) == next(iter(stages.monitor.lives()))


def test_a_state_from_before_forecasts_is_read() -> None:
    stages = Stages()
    staffed(stages, 3)
    *head, queues = msgspec.msgpack.decode(stages.monitor.snapshot())
    for queue in queues:
        for _, _, part in queue[1]:
            part[-1:] = part[-1][2:]
    old = msgspec.msgpack.encode([*head, [queue[:-2] for queue in queues]])
    monitor = MonitorFold("kpi.panes", 0, "monitor-log", 1, stages.rules, (old, 1))
    assert monitor.queues.keys() == stages.monitor.queues.keys()
    assert all(not live.forecast for live, _ in monitor.lives())
    assert known(monitor_live(monitor)) == known(stages.live("help"))


def test_of_what_was_told_too_late_for_every_window_only_who_is_still_there_is_passed_on() -> None:
    stages = Stages()
    over, waiting = (0, 1_000, "answered", 1_000), (60_000, 0, "", 0)
    at = MONDAY_MS + 27 * 3_600_000
    for h in log_of([over, waiting]):
        stages.happens(h.topic, h.subject.encode(), h.value(), at)
    stages.tell(at)
    stages.tick(at)
    panes = [
        pane for record in stages.log for pane in json.loads(record.value or b"{}").get("panes", ())
    ]
    assert [pane["pane_at"] - MONDAY_MS // 1000 for pane in panes] == [60]
    assert stages.live("help").presumed_lost == 1
    left = Happening(70_000, "queue.exited", "call-1", {"queue": "help", "reason": "abandoned"})
    stages.happens(left.topic, left.subject.encode(), left.value(), at + 1_000)
    stages.tell(at + 1_000)
    stages.tick(at + 1_000)
    assert stages.live("help").presumed_lost == 0
