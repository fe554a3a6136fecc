"""Nothing of an erased contact stays in stage 2, and reading its log again brings nothing back."""

from streams.identity.erased import Erased, mark_of
from streams.monitor.fold import MonitorFold
from streams.monitor.rules import MonitorRules
from tests.streams.monitor.test_fold import ALERTS, log_of, play
from tests.support.fold import MONDAY_MS
from tests.support.monitor import Stages

KEY = b"k"
WAITS, SERVED, LEFT, OTHER = "call-0", "call-1", "call-2", "call-3"


def played() -> Stages:
    """One who waits, one who is served, one who has left, and another who waits.

    Everyone is named once they have entered, and then who changed.
    """
    stages = Stages(lambda _: ALERTS)
    calls = [
        (0, 0, "", 0),
        (1_000, 4_000, "answered", 300_000),
        (2_000, 4_000, "abandoned", 0),
        (2_200, 0, "", 0),
    ]
    events = [h for h in log_of(calls) if h.at < 10_000]
    for h in events[:4]:
        stages.happens(h.topic, h.subject.encode(), h.value(), MONDAY_MS + h.at)
    stages.tell(MONDAY_MS + 3_000)
    play(stages, events[4:])
    return stages


def erased(*contacts: str) -> MonitorRules:
    marks = {mark_of(KEY, "default", "contact", one): MONDAY_MS + 60_000 for one in contacts}
    return MonitorRules(queue=lambda _: ALERTS, erased=Erased(KEY, marks))


def restored(stages: Stages, rules: MonitorRules, snapshot: bytes) -> MonitorFold:
    saved = (snapshot, MonitorFold.state_version)
    return MonitorFold("kpi.panes", 0, "monitor-log", 1, rules, saved)


def test_a_checkpoint_forgets_whoever_waits_is_served_has_left_or_caused_a_breach() -> None:
    stages = played()
    snapshot = stages.monitor.snapshot()
    assert all(name.encode() in snapshot for name in (WAITS, SERVED, LEFT, OTHER))
    fold = restored(stages, erased(WAITS, SERVED, LEFT), snapshot)
    assert fold.erase() >= 3
    assert not any(name.encode() in fold.snapshot() for name in (WAITS, SERVED, LEFT))
    assert OTHER.encode() in fold.snapshot()
    assert fold.erase() == 0
    (live,) = [live for live, _ in fold.lives() if live.queue == "help"]
    assert (live.waiting, live.active, live.longest_waiting) == (1, 0, (OTHER,))
    assert live.windows["day"].offered == 4, "what they counted for stays"


def test_the_log_read_again_does_not_bring_them_back() -> None:
    stages = played()
    rules = erased(WAITS, SERVED, LEFT)
    fold = MonitorFold("kpi.panes", 0, "monitor-log", 1, rules)
    fold.apply(stages.log)
    assert not any(name.encode() in fold.snapshot() for name in (WAITS, SERVED, LEFT))
    (live,) = [live for live, _ in fold.lives() if live.queue == "help"]
    assert (live.waiting, live.windows["day"].offered) == (1, 4)


def test_who_comes_back_later_under_the_same_id_is_known() -> None:
    stages = played()
    marks = {mark_of(KEY, "default", "contact", WAITS): MONDAY_MS - 1}
    rules = MonitorRules(queue=lambda _: ALERTS, erased=Erased(KEY, marks))
    fold = MonitorFold("kpi.panes", 0, "monitor-log", 1, rules)
    fold.apply(stages.log)
    (live,) = [live for live, _ in fold.lives() if live.queue == "help"]
    assert live.longest_waiting == (WAITS, OTHER)
