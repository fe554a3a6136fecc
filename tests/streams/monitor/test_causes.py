"""Who breaches of ratios name."""

import pytest

from schemas.live import MOST_CAUSES
from schemas.queues import AlertThresholds, QueueSettings
from streams.monitor.causes import Causes
from streams.monitor.messages import PanePart
from streams.monitor.rules import ServiceLevel
from tests.streams.monitor.test_fold import Call, log_of, play
from tests.support.fold import MONDAY_MS, Happening
from tests.support.monitor import Stages, notices_of

ALERTS = QueueSettings(
    alerts={
        "service_level_ratio": AlertThresholds(warning=0.75, minimum_contacts=4),
        "abandonment_ratio": AlertThresholds(warning=0.25, minimum_contacts=4),
        "average_speed_of_answer_seconds": AlertThresholds(warning=30, minimum_contacts=4),
    }
)
IN_TIME, LATE, LATER, HUNG_UP, STILL_WAITS = "call-0", "call-1", "call-2", "call-3", "call-4"
CALLS: list[Call] = [
    (0, 5_000, "answered", 60_000),
    (1_000, 40_000, "answered", 60_000),
    (2_000, 50_000, "answered", 60_000),
    (3_000, 15_000, "abandoned", 0),
    (4_000, 0, "", 0),
]


def named(stages: Stages) -> dict[str, tuple[str, ...]]:
    stages.drained()
    return {n.kpi: n.interactions for n in stages.notices if n.change == "opened"}


def test_ratios_name_who_missed_and_not_who_waits_now() -> None:
    stages = Stages(lambda _: ALERTS)
    play(stages, log_of(CALLS), every=100)
    assert named(stages) == {
        "service_level_ratio": (STILL_WAITS, LATER, LATE, HUNG_UP),
        "average_speed_of_answer_seconds": (LATER, LATE),
    }
    live = stages.live("help")
    assert live.caused_by("abandonment_ratio", "15m") == (HUNG_UP,)
    assert live.caused_by("waiting", "15m") == (STILL_WAITS,)


def test_whoever_did_not_miss_after_all_is_not_named() -> None:
    stages = Stages(lambda _: ALERTS)
    at = play(stages, log_of(CALLS))
    live = stages.live("help")
    assert HUNG_UP in live.caused_by("abandonment_ratio", "15m")
    # It was answered before it hung up, as comes to light.
    told = {"queue": "help", "agent": "ada"}
    h = Happening(8_000, "agent.connected", HUNG_UP, told)
    stages.happens(h.topic, h.subject.encode(), h.value(), at)
    stages.tell(at)
    stages.tick(at + 1_000)
    live = stages.live("help")
    assert live.windows["15m"].abandoned == 0
    assert live.caused_by("abandonment_ratio", "15m") == live.longest_waiting


def test_a_worker_that_takes_over_names_the_same() -> None:
    stages = Stages(lambda _: ALERTS)
    play(stages, log_of(CALLS))
    expected = named(stages)
    assert expected
    for cut in range(1, len(stages.log)):
        first = stages.begun()
        first.apply(stages.log[:cut])
        notices = list(notices_of(first.drain().rows))
        again = stages.begun(first.snapshot())
        again.apply(stages.log[cut:])
        notices += notices_of(again.drain().rows)
        assert {n.kpi: n.interactions for n in notices if n.change == "opened"} == expected


def missed(*contacts: tuple[str, str, int, int]) -> PanePart:
    return PanePart("call", "inbound", 0, 0, missed=contacts)


def test_only_the_newest_are_kept() -> None:
    causes = Causes()
    for number in range(MOST_CAUSES + 5):
        causes.take(missed((f"call-{number:02}", "abandoned", number * 1000, 500)), 20_000)
    kept = causes.of_abandonment(0)
    assert kept == tuple(f"call-{n:02}" for n in range(MOST_CAUSES + 4, 4, -1))
    assert Causes(causes.save()).of_abandonment(0) == kept
    assert causes.of_abandonment(MOST_CAUSES * 1000) == kept[:5]
    assert causes.forget(lambda name, _: name == kept[0]) == 1
    assert causes.of_abandonment(0) == kept[1:]


@pytest.mark.parametrize(
    ("outcome", "wait_ms", "rule", "counts"),
    [
        ("abandoned", 4_000, ServiceLevel(), True),
        ("abandoned", 4_000, ServiceLevel(abandoned_counted=False), False),
        ("abandoned", 4_000, ServiceLevel(short_abandons_removed=True), False),
        ("abandoned", 6_000, ServiceLevel(short_abandons_removed=True), True),
        ("abandoned", 20_000, ServiceLevel(abandoned_in_target_met=True), False),
        ("abandoned", 20_001, ServiceLevel(in_target_abandons_removed=True), True),
        ("timed_out", 4_000, ServiceLevel(), True),
        ("timed_out", 4_000, ServiceLevel(flowed_out_counted=False), False),
        ("callback_accepted", 4_000, ServiceLevel(callback_in_target_met=True), False),
        ("answered", 20_000, ServiceLevel(), False),
        ("answered", 20_001, ServiceLevel(), True),
    ],
)
def test_missed_is_what_a_preset_counts_and_does_not_count_as_met(
    outcome: str, wait_ms: int, rule: ServiceLevel, *, counts: bool
) -> None:
    causes = Causes()
    causes.take(missed(("call", outcome, MONDAY_MS, wait_ms)), 20_000)
    found = causes.of_service_level(MONDAY_MS, rule, 20_000, 5_000)
    assert found == (("call",) if counts else ())
