from collections import Counter

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Customer
from simulator.dice import Dice
from simulator.people import Population, customer_block, hired, shown_by
from simulator.presets import small
from simulator.settings import PeopleModel
from simulator.truth import Person

PEOPLE = PeopleModel(customers=3_000_000, several_identifiers_share=0.5)


def population(seed: int = 1) -> Population:
    return Population(PEOPLE, Dice(seed, "customers"), {})


@given(st.lists(st.integers(1, 3_000_000), min_size=2, max_size=30, unique=True))
def test_no_two_customers_share_an_identifier(numbers: list[int]) -> None:
    everybody = population()
    shown = Counter(one for n in numbers for one in everybody.person(n).identifiers)
    assert set(shown.values()) == {1}


@given(st.integers(1, 3_000_000))
def test_phone_numbers_could_be_ones_and_are_nobodys(number: int) -> None:
    phones = [v for k, v, _ in population().person(number).identifiers if k == "phone"]
    for phone in phones:
        parsed = phonenumbers.parse(phone)
        assert phonenumbers.is_possible_number(parsed)
        assert not phonenumbers.is_valid_number(parsed)


def test_a_customer_stays_who_they_are() -> None:
    everybody = population()
    assert everybody.person(7) is everybody.person(7)


def test_a_channel_shows_what_it_can() -> None:
    person: Person = population().person(7)
    kinds = {"call": "phone", "chat": "customer_number", "email": "email", "social": "handle"}
    dice = Dice(1, "x")
    for channel, kind in kinds.items():
        shown = [shown_by(person, channel, dice, 0.0) for _ in range(40)]
        assert {one[0][0] for one in shown} == {kind}
        assert any(len(one) > 1 for one in shown)
        assert all(len(set(one)) == len(one) for one in shown)
    assert shown_by(person, "call", dice, 1.0) == []
    block = customer_block(tuple(person.identifiers))
    assert isinstance(block, Customer)
    assert [i.value for i in block.identifiers] == [value for _, value, _ in person.identifiers]


def test_who_writes_has_several_slots_and_no_calls() -> None:
    centre = small()
    written = {queue.name for queue in centre.queues if queue.channel != "call"}
    for staff, lines, _ in hired(centre.people, centre.queues, Dice(1, "hiring")):
        names = {queue for queue, _ in lines}
        assert names
        assert names <= written or not names & written
        assert staff.slots_max == (centre.people.chat_slots if names <= written else 1)
        assert {language for _, language in lines} == set(staff.languages)
