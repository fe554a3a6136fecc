"""Who is open in a queue: always as counted afresh, and not counted while nothing is said."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from streams.monitor.messages import PanePart, Partial
from streams.monitor.queue import KEPT_SECONDS, Queue, Standing
from streams.monitor.rules import MonitorRules
from tests.support.fold import MONDAY_MS

RULES = MonitorRules()
PANE_AT = MONDAY_MS // 1000
NAMES = st.sampled_from("abcd")
INSTANTS = st.integers(0, 9).map(lambda n: MONDAY_MS + n)
WAITING = st.lists(st.tuples(NAMES, INSTANTS, INSTANTS), max_size=3).map(tuple)
SERVING = st.lists(st.tuples(NAMES, INSTANTS), max_size=3).map(tuple)
PANES = st.builds(
    PanePart,
    channel=st.just("phone"),
    direction=st.just("inbound"),
    pane_at=st.sampled_from((PANE_AT, PANE_AT + 10)),
    generation=st.just(0),
    waiting=WAITING,
    serving=SERVING,
    carried_waiting=WAITING,
    carried_serving=SERVING,
    changes=st.booleans(),
    gone=st.lists(NAMES, max_size=2).map(tuple),
)
SAID = st.builds(
    Partial,
    tenant=st.just("t"),
    queue=st.just("help"),
    topic=st.just("events.call"),
    partition=st.integers(0, 1),
    log=st.just("log"),
    epoch=st.integers(1, 2),
    version=st.integers(1, 20),
    event_time=st.just(0),
    produced_at=st.just(0),
    panes=st.lists(PANES, max_size=2).map(tuple),
    heard=st.lists(NAMES, max_size=1).map(tuple),
)
LATER = st.sampled_from((0, 1, 3, 60_000, (KEPT_SECONDS + 20) * 1000))
STEPS = st.lists(SAID | LATER | NAMES, max_size=12)
"""What is said, how much later it is, and who is erased."""


def queue() -> Queue:
    made = Queue(("t", "help"), MONDAY_MS)
    made.begin_windows("UTC")
    return made


def shown(standing: Standing) -> tuple[list[tuple[int, str]], int, int, int]:
    return standing.waiting, standing.serving, standing.lost, standing.until


def is_erased(erased: str, name: str, _at: int) -> bool:
    return name == erased


@given(STEPS)
def test_who_is_open_is_at_every_step_as_counted_afresh(steps: list[Partial | int | str]) -> None:
    there = queue()
    for step in steps:
        if isinstance(step, Partial):
            there.take(step, RULES)
        elif isinstance(step, int):
            there.advance(there.now + step, "UTC")
        else:
            there.forget(partial(is_erased, step))
        standing, now = there.standing(), there.now
        waiting, serving, lost = [], 0, 0
        for listed in there._listed():
            stays = list(listed.waiting())
            waiting += [(entered_at, name) for name, entered_at, at in stays if at > now]
            all_lost_at = [at for _, _, at in stays]
            served = [at for of_contact in listed.serves.values() for at in of_contact]
            serving += sum(at > now for at in served)
            lost += sum(at <= now for at in [*all_lost_at, *served])
        assert shown(standing)[:3] == (sorted(waiting), serving, lost)
        assert standing.until > now


def test_nobody_is_counted_anew_until_something_is_said_or_one_more_is_lost() -> None:
    there = queue()
    pane = PanePart(
        *("phone", "inbound", PANE_AT, 0),
        waiting=(("a", MONDAY_MS, MONDAY_MS + 5),),
        serving=(("b", MONDAY_MS + 3),),
    )
    said = Partial("t", "help", "events.call", 0, "log", 1, 1, 0, 0, (pane,))
    there.take(said, RULES)
    first = there.standing()
    assert shown(first) == ([(MONDAY_MS, "a")], 1, 0, MONDAY_MS + 3)
    there.advance(MONDAY_MS + 2, "UTC")
    assert there.standing() is first
    there.advance(MONDAY_MS + 3, "UTC")
    second = there.standing()
    assert shown(second)[:3] == ([(MONDAY_MS, "a")], 0, 1)
    there.take(said, RULES)
    assert there.standing() is not second
