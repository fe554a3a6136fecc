"""A topic made anew: what one log began, the next goes on with, and nothing counts twice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.carry_over import merged
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.fold.state import State, restore, snapshot
from tests.support.contact_centre import delivered, shifts
from tests.support.fold import Happening, UpsertStore, happening, records_of

LATENESS_MS = 600_000
RULES = FoldRules(
    lateness_ms=LATENESS_MS,
    horizons_ms=dict.fromkeys(("call", "chat", "email", "social"), 1_200_000),
    forget_open_ms=3_000_000,
)
TOPICS = ("events.call", "events.chat", "events.email", "events.agent")


def fold_log(
    store: UpsertStore, told: list[Happening], epoch: int, partitions: int, states: list[State]
) -> list[State]:
    """Fold one log of one topic, each partition from a copy of the merged states before it."""
    begin = snapshot(merged(states, RULES))
    after = []
    for partition in range(partitions):
        mine = [h for h in told if sum(h.subject.encode()) % partitions == partition]
        name = f"{epoch} of {told[0].topic if told else ''}"
        fold = PartitionFold(told[0].topic, partition, name, epoch, RULES, restore(begin))
        fold.apply(records_of(mine))
        store.write(fold.drain().rows)
        after.append(fold.state)
    return after


@settings(max_examples=100)
@given(data=st.data(), told=shifts(), splits=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_logs_of_one_topic_add_up_to_one_log(
    data: st.DataObject, told: list[Happening], splits: list[int]
) -> None:
    sent = data.draw(delivered(told, LATENESS_MS))
    one, many = UpsertStore(), UpsertStore()
    for topic in TOPICS:
        of_topic = [h for h in sent if h.topic == topic]
        if not of_topic:
            continue
        fold_log(one, of_topic, 1, 1, [])
        cuts = sorted(data.draw(st.integers(0, len(of_topic))) for _ in splits)
        states: list[State] = []
        for epoch, partitions in enumerate(splits, start=1):
            begin = 0 if epoch == 1 else cuts[epoch - 1]
            end = len(of_topic) if epoch == len(splits) else cuts[epoch]
            # A source that does not know how far it came publishes some of its events again.
            again = data.draw(st.integers(0, 5))
            part = of_topic[max(0, begin - again) : end]
            if part:
                states = fold_log(many, part, epoch, partitions, states)
    assert many.what_happened() == one.what_happened()


def folded(epoch: int, states: list[State], *told: Happening, topic: str = "events.call") -> State:
    """The state of one partition of the log of this epoch, begun from copies of `states`."""
    begin = restore(snapshot(merged(states, RULES)))
    fold = PartitionFold(topic, 0, f"{epoch}", epoch, RULES, begin)
    fold.apply(records_of(told))
    return fold.state


def test_what_a_partition_let_go_is_not_carried_from_one_that_held_a_copy() -> None:
    def entered(at: float, subject: str) -> Happening:
        return happening(at, "queue.entered", subject, queue="IT")

    first = snapshot(
        folded(1, [], entered(0, "a"), happening(5, "interaction.ended", "a", by="agent"))
    )
    holds = folded(2, [restore(first)], entered(10, "b"))
    let_go = folded(2, [restore(first)], entered(3600, "c"))
    assert ("default", "a") in holds.interactions
    assert set(merged([holds, let_go], RULES).interactions) == {("default", "b"), ("default", "c")}


def test_of_several_copies_the_one_that_changed_last_is_carried() -> None:
    def change(at: float, state: str) -> Happening:
        return happening(at, "agent.state_changed", "ada", state=state)

    agents = "events.agent"
    first = folded(1, [], change(0, "available"), change(100, "offline"), topic=agents)
    copied = folded(2, [first], topic=agents)
    # Not the latest of its changes, and yet news.
    went_on = folded(2, [first], change(50, "paused"), topic=agents)
    for states in ([copied, went_on], [went_on, copied]):
        (agent,) = merged(states, RULES).agents.values()
        assert [state for _, _, state in agent.timeline.stretches] == ["available", "paused"]


def test_an_open_copy_does_not_outlive_the_one_that_ended() -> None:
    first = folded(1, [], happening(0, "queue.entered", "a", queue="IT"))
    copied = folded(2, [first], happening(0, "queue.entered", "b", queue="IT"))
    ended = happening(5, "interaction.ended", "a", by="agent")
    let_go = folded(2, [first], ended, happening(2400, "interaction.started", "c"))
    assert ("default", "a") in copied.interactions
    assert ("default", "a") not in merged([copied, let_go], RULES).interactions


def test_a_merged_state_is_as_far_as_the_furthest() -> None:
    def heard(at: float, source: str) -> State:
        return folded(1, [], happening(at, "interaction.started", source, source=source))

    states = [heard(10, "a"), heard(20, "a"), heard(5, "b")]
    together = merged(states, RULES)
    assert {
        name: clock.latest - states[0].event_time for name, clock in together.sources.items()
    } == {
        "a": 10_000,
        "b": -5_000,
    }
    assert together.event_time == states[1].event_time
    assert together.next_offset == 0
