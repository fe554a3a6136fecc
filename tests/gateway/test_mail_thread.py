"""Threads by their headers, by their subjects, and whatever the order of the mails."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mail_thread import Headers, base_subject, message_ids, parents_of, threads_of

ADA, BOB, EVE, DESK = "ada@x.org", "bob@x.org", "eve@x.org", "desk@centre.com"


def mail(
    name: str, minute: int, *parents: str, subject: str = "", people: tuple[str, ...] = (ADA, DESK)
) -> Headers:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(minutes=minute)
    return Headers(name, parents, subject, frozenset(people), at)


def test_ids_are_what_stands_in_brackets() -> None:
    assert message_ids("<a@x>\t<b@x> <a@x> stray") == ("a@x", "b@x")
    assert parents_of("<a@x> <b@x>", "<c@x>") == ("a@x", "b@x")
    assert parents_of("", "your mail <c@x> of <d@x>") == ("c@x",)
    assert parents_of("garbage", "") == ()


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Order 7", ("order 7", False)),
        ("Re: Order 7", ("order 7", True)),
        ("AW: Re[2]: FWD:  Order  7", ("order 7", True)),
        ("Regarding: Order 7", ("regarding: order 7", False)),
        ("Re:", ("", True)),
    ],
)
def test_a_subject_without_its_marks_of_an_answer(subject: str, base: tuple[str, bool]) -> None:
    assert base_subject(subject) == base


def test_an_answer_is_of_the_thread_whose_mail_it_names() -> None:
    threads = threads_of(
        [mail("1", 0), mail("2", 5, "1"), mail("3", 9, "1", "2"), mail("other", 7)]
    )
    assert threads == {"1": "1", "2": "1", "3": "1", "other": "other"}


def test_mails_that_are_not_there_join_those_on_either_side() -> None:
    assert threads_of([mail("2", 5, "1"), mail("4", 9, "1", "3")]) == {"2": "1", "4": "1"}


def test_an_answer_to_an_answer_finds_the_first_by_in_reply_to_alone() -> None:
    threads = threads_of([mail("1", 0), mail("2", 5, "1"), mail("3", 9, "2")])
    assert set(threads.values()) == {"1"}


def test_mails_that_answer_each_other_in_a_circle_are_one_thread() -> None:
    threads = threads_of([mail("1", 0, "2"), mail("2", 5, "1"), mail("3", 9, "3")])
    assert threads["1"] == threads["2"]
    assert threads["3"] == "3"


def test_without_headers_subject_and_people_say_it() -> None:
    threads = threads_of(
        [
            mail("1", 0, subject="Order 7"),
            mail("2", 5, subject="Re: Order 7", people=(ADA, DESK, BOB)),
            mail("3", 6, subject="Re: order 7", people=(EVE, DESK)),
            mail("4", 7, subject="Order 7"),
            mail("5", 8, subject="AW: Order 7"),
            mail("6", 9, subject="Re: "),
        ]
    )
    assert threads == {"1": "1", "2": "1", "3": "3", "4": "4", "5": "4", "6": "6"}


NAMES = st.sampled_from([str(n) for n in range(8)])
MAILS = st.lists(
    st.builds(
        mail,
        NAMES,
        st.integers(0, 5),
        subject=st.sampled_from(["", "a", "Re: a", "Re: b"]),
        people=st.sampled_from([(ADA, DESK), (BOB, DESK)]),
    )
    .flatmap(lambda m: st.lists(NAMES, max_size=3).map(lambda p: m._replace(parents=tuple(p)))),
    max_size=8,
    unique_by=lambda m: m.message_id,
)  # fmt: skip


@given(MAILS, st.randoms())
def test_threads_follow_from_the_set_of_mails(mails: list[Headers], order: object) -> None:
    shuffled = mails.copy()
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert threads_of(mails) == threads_of(shuffled)


@given(MAILS)
def test_who_names_a_mail_is_of_its_thread(mails: list[Headers]) -> None:
    threads = threads_of(mails)
    assert threads.keys() == {m.message_id for m in mails}
    for one in mails:
        for parent in one.parents[-1:]:
            first_to_say = not any(
                one.message_id in other.parents for other in mails if other is not one
            )
            if parent in threads and first_to_say and parent not in one.parents[:-1]:
                assert threads[one.message_id] == threads[parent]
