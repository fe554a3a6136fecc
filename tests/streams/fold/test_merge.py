"""A topic made anew: what one log began, the next goes on with, and nothing counts twice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rows import EventRow
from streams.fold.interaction_state import Subject
from streams.fold.merge import Left, merged, slowest
from streams.fold.partition import PartitionFold
from streams.fold.rules import FoldRules
from streams.fold.state import NEVER, State, restore, snapshot
from tests.support.contact_centre import delivered, shifts
from tests.support.fold import Happening, UpsertStore, happening, records_of

LATENESS_MS = 600_000
RULES = FoldRules(
    lateness_ms=LATENESS_MS,
    horizons_ms=dict.fromkeys(("call", "chat", "email", "social"), 1_200_000),
    forget_open_ms=3_000_000,
)
TOPICS = ("events.call", "events.chat", "events.email", "events.agent")

_SUBJECT = [EventRow.columns().index(name) for name in ("tenant", "subject")]


def fold_log(
    store: UpsertStore, parts: list[list[Happening]], epoch: int, left: list[Left]
) -> list[Left]:
    """Fold one log of one topic, each partition from a copy of what those before it left."""
    begin = snapshot(merged(left, epoch - 1, RULES))
    topic = next((h.topic for mine in parts for h in mine), "")
    return [
        fold_partition(store, mine, topic, partition, epoch, begin)
        for partition, mine in enumerate(parts)
    ]


def fold_partition(
    store: UpsertStore, told: list[Happening], topic: str, partition: int, epoch: int, begin: bytes
) -> Left:
    """Fold one partition, and note of which contacts it has read."""
    log = f"{epoch} of {topic}"
    fold = PartitionFold(topic, partition, log, epoch, RULES, restore(begin))
    fold.apply(records_of(told))
    rows = fold.drain().rows
    store.write(rows)
    tenant, subject = _SUBJECT
    heard: set[Subject] = {(row[tenant], row[subject]) for row in rows.get(EventRow, [])}
    return Left(fold.state, heard)


def spread(told: list[Happening], partitions: int) -> list[list[Happening]]:
    """Each partition's part, by the subject's hash."""
    return [
        [h for h in told if sum(h.subject.encode()) % partitions == partition]
        for partition in range(partitions)
    ]


@settings(max_examples=100)
@given(
    data=st.data(),
    told=shifts(),
    splits=st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_logs_of_one_topic_add_up_to_one_log(
    data: st.DataObject, told: list[Happening], splits: list[int]
) -> None:
    sent = data.draw(delivered(told, LATENESS_MS))
    one, many = UpsertStore(), UpsertStore()
    for topic in TOPICS:
        of_topic = [h for h in sent if h.topic == topic]
        if not of_topic:
            continue
        fold_log(one, [of_topic], 1, [])
        left: list[Left] = []
        unread: set[int] = set(range(len(of_topic)))
        for epoch, partitions in enumerate(splits, start=1):
            # A source that does not know how far it came publishes some of its events again; all
            # that was not read, in any case.
            first = min(unread, default=len(of_topic))
            first = data.draw(st.integers(0, first), label="published from")
            parts = spread(of_topic[first:], partitions)
            for mine in parts if epoch < len(splits) else []:
                # The log is lost with so much of this partition read, whatever the others'.
                del mine[data.draw(st.integers(0, len(mine)), label="read") :]
            unread -= {n for n, h in enumerate(of_topic) for mine in parts if is_in(h, mine)}
            left = fold_log(many, parts, epoch, left)
    assert many.what_happened() == one.what_happened()


def is_in(told: Happening, part: list[Happening]) -> bool:
    """Whether this very telling, not one that equals it, is in the part."""
    return any(told is other for other in part)


def folded(epoch: int, left: list[Left], *told: Happening, topic: str = "events.call") -> Left:
    """What one partition of the log of this epoch leaves, begun with what others left."""
    copied = [Left(restore(snapshot(part.state)), part.heard) for part in left]
    begin = snapshot(merged(copied, epoch - 1, RULES))
    return fold_partition(UpsertStore(), list(told), topic, 0, epoch, begin)


def carried(left: list[Left], epoch: int) -> set[str]:
    """The contacts that a log after that of this epoch begins with."""
    return {subject for _, subject in merged(left, epoch, RULES).interactions}


def test_what_a_partition_let_go_is_not_carried_from_one_that_held_a_copy() -> None:
    def entered(at: float, subject: str) -> Happening:
        return happening(at, "queue.entered", subject, queue="IT")

    first = folded(1, [], entered(0, "a"), happening(5, "interaction.ended", "a", by="agent"))
    holds = folded(2, [first], entered(10, "b"))
    let_go = folded(2, [first], entered(0, "a"), entered(3600, "c"))
    assert ("default", "a") in holds.state.interactions
    assert ("default", "a") not in let_go.state.interactions
    assert carried([holds, let_go], 2) == {"b", "c"}


def test_what_only_others_let_go_is_carried_from_the_partition_that_lies_behind() -> None:
    first = folded(1, [], happening(0, "queue.entered", "a", queue="IT"))
    first.state.interactions["default", "a"].expires_at = 1  # as of a contact that has ended
    behind = folded(2, [first])
    other = folded(2, [first], happening(3600, "queue.entered", "c", queue="IT"))
    assert carried([behind, other], 2) >= {"a", "c"}


def test_of_several_copies_the_one_that_changed_last_is_carried() -> None:
    def change(at: float, state: str) -> Happening:
        return happening(at, "agent.state_changed", "ada", state=state)

    agents = "events.agent"
    first = folded(1, [], change(0, "available"), change(100, "offline"), topic=agents)
    copied = folded(2, [first], topic=agents)
    # Not the latest of its changes, and yet news.
    went_on = folded(2, [first], change(50, "paused"), topic=agents)
    for left in ([copied, went_on], [went_on, copied]):
        (agent,) = merged(left, 2, RULES).agents.values()
        assert [state for _, _, state in agent.timeline.stretches] == ["available", "paused"]


def test_an_open_copy_does_not_outlive_the_one_that_ended() -> None:
    first = folded(1, [], happening(0, "queue.entered", "a", queue="IT"))
    copied = folded(2, [first], happening(0, "queue.entered", "b", queue="IT"))
    ended = happening(5, "interaction.ended", "a", by="agent")
    let_go = folded(2, [first], ended, happening(2400, "interaction.started", "c"))
    assert ("default", "a") in copied.state.interactions
    assert "a" not in carried([copied, let_go], 2)


def heard(at: float, source: str) -> Left:
    return folded(1, [], happening(at, "interaction.started", source, source=source))


def test_a_merged_state_is_as_far_as_the_slowest() -> None:
    left = [heard(10, "a"), heard(20, "a")]
    together = merged(left, 1, RULES)
    assert together.sources["a"].latest == left[0].state.event_time
    assert together.event_time == left[0].state.event_time
    assert together.next_offset == 0


def test_of_a_source_that_one_partition_never_heard_nothing_is_late() -> None:
    left = [heard(10, "a"), heard(5, "b")]
    assert slowest([part.state for part in left]) == {"a": NEVER, "b": NEVER}
    assert merged([heard(10, "a"), Left(State())], 1, RULES).event_time == NEVER


def test_what_was_let_go_ahead_of_others_stays_late_until_all_are_as_far() -> None:
    ended = happening(5, "interaction.ended", "a", by="agent")
    begun = happening(0, "queue.entered", "a", queue="IT")
    ahead = folded(1, [], begun, ended, happening(3600, "interaction.started", "b"))
    behind = folded(1, [], happening(10, "interaction.started", "c"))
    left = [ahead, behind]
    again = folded(2, left, begun, ended)
    assert ("default", "a") not in again.state.interactions
    assert again.state.let_go_ahead
    unread = folded(2, left, begun, ended, happening(20, "interaction.started", "d"))
    assert ("default", "d") in unread.state.interactions
    caught_up = folded(2, left, begun, ended, happening(3700, "interaction.started", "e"))
    assert not caught_up.state.let_go_ahead
    assert ("default", "a") not in caught_up.state.interactions


def test_what_an_earlier_log_let_go_stays_late_over_a_log_that_came_to_nothing() -> None:
    begun = happening(0, "queue.entered", "a", queue="IT")
    ended = happening(5, "interaction.ended", "a", by="agent")
    ahead = folded(1, [], begun, ended, happening(3600, "interaction.started", "b"))
    behind = folded(1, [], happening(10, "interaction.started", "c"))
    nothing = folded(2, [ahead, behind])
    again = folded(3, [nothing], begun, ended)
    assert ("default", "a") not in again.state.interactions
