from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from schemas.timeline import Message
from streams.timeline.threads import threaded


def message(name: str, at: int, answers: str = "") -> Message:
    return Message(
        at=datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=at),
        id=name,
        author="customer",
        agent="",
        text="",
        public=True,
        automatic=False,
        in_reply_to=answers,
        depth=0,
    )


def shown(messages: list[Message]) -> list[tuple[str, int]]:
    return [(m.id, m.depth) for m in threaded(messages)]


def test_answers_follow_what_they_answer_and_threads_their_times() -> None:
    told = [
        message("c", 3, "a"),
        message("b", 2),
        message("a", 1),
        message("e", 5, "c"),
        message("d", 4, "b"),
        message("f", 6, "a"),
    ]
    expected = [("a", 0), ("c", 1), ("e", 2), ("f", 1), ("b", 0), ("d", 1)]
    assert shown(told) == expected


def test_an_answer_to_what_is_not_there_begins_a_thread() -> None:
    assert shown([message("a", 1, "gone"), message("b", 2, "b")]) == [("a", 0), ("b", 0)]


def test_messages_that_answer_each_other_in_a_circle_are_shown() -> None:
    assert shown([message("a", 1, "b"), message("b", 2, "a")]) == [("a", 0), ("b", 1)]


def test_a_long_thread_does_not_break_it() -> None:
    told = [message(str(n), n, str(n - 1) if n else "") for n in range(5_000)]
    assert shown(told)[-1] == ("4999", 4_999)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 9), st.sampled_from(["", *"abcdefg"])),
        max_size=6,
        unique_by=lambda one: one[0],
    ),
    st.randoms(),
)
def test_every_message_is_shown_once_in_an_order_of_its_own(
    told: list[tuple[str, int, str]], random: Random
) -> None:
    messages = [message(*one) for one in told]
    placed = threaded(messages)
    as_told = sorted((m.id, m.at, m.in_reply_to) for m in messages)
    assert sorted((m.id, m.at, m.in_reply_to) for m in placed) == as_told
    seen: dict[str, int] = {}
    for m in placed:
        assert (m.depth == 0) or seen[m.in_reply_to] == m.depth - 1
        seen[m.id] = m.depth
    random.shuffle(messages)
    assert threaded(messages) == placed
