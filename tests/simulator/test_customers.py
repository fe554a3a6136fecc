from datetime import UTC, datetime

from hypothesis import given, settings

from simulator.customers import caller_figures, first_contact_figures, known, person
from simulator.run import Run
from simulator.settings import Simulation
from simulator.truth import Bond, Contact, Leg, Truth, Visit
from tests.simulator.centres import centres

PHONE, MAIL, NUMBER = ("phone", "+1", ""), ("email", "a@b", ""), ("customer_number", "C1", "")
HELP = ("help", "call")


def truth_of(*contacts: Contact, bonds: tuple[Bond, ...] = ()) -> Truth:
    truth = Truth(datetime(2026, 3, 2, tzinfo=UTC))
    truth.contacts, truth.bonds = list(contacts), list(bonds)
    return truth


def call(at: int, *identifiers: tuple[str, str, str], customer: int = 1) -> Contact:
    contact = Contact(f"c{at}", "call", "inbound", customer, at, "en")
    contact.identifiers = list(identifiers)
    leg = Leg("ada", "help", at, ended_at=at + 1)
    contact.visits = [Visit("help", at, outcome="answered", wait_ms=0, leg=leg)]
    return contact


def test_a_customer_is_known_by_whatever_was_bound_and_not_undone() -> None:
    calls = call(0, PHONE), call(10, MAIL), call(20, NUMBER), call(30)
    bonds = Bond(NUMBER, MAIL, 5), Bond(NUMBER, PHONE, 6, undone_at=8)
    who = known(truth_of(*calls, bonds=bonds))
    assert who(calls[1]) == who(calls[2]) != who(calls[0])
    assert who(calls[3]) is None
    assert person(calls[0]) == person(calls[1])
    shown_together = known(truth_of(*calls, call(40, PHONE, NUMBER), bonds=bonds))
    assert shown_together(calls[0]) == shown_together(calls[1])


def test_a_households_telephone_is_that_of_whom_it_was_first_shown_with() -> None:
    home, other = ("phone", "+4", ""), ("customer_number", "C2", "")
    chats = call(30, other, home, customer=2), call(20, NUMBER, home), call(10, home, customer=2)
    who = known(truth_of(*chats, call(5, MAIL), bonds=(Bond(NUMBER, MAIL, 40),)))
    assert who(chats[2]) == who(chats[1]) == who(call(0, MAIL)) != who(chats[0])


def test_callers_are_customers_and_not_calls() -> None:
    truth = truth_of(call(0, PHONE), call(10, PHONE), call(20, MAIL, customer=2), call(30))
    assert caller_figures(truth) == {HELP: {"callers": 2, "repeat_callers": 1}}


def test_a_first_contact_counts_once_its_window_has_passed() -> None:
    calls = call(0, PHONE), call(5_000, PHONE), call(50_000, PHONE), call(99_000, PHONE)
    figures = first_contact_figures(truth_of(*calls), latest_at=100_000, window_seconds=10)[HELP]
    assert figures["first_contact_eligible"] == 4
    assert figures["first_contact_not_mature"] == 1
    assert figures["first_contact_without_repeat"] == 2
    assert figures["first_contact_resolution_ratio"] == 2 / 3
    assert figures["repeat_contacts"] == 1
    assert figures["repeat_contact_ratio"] == 1 / 4


@settings(max_examples=15)
@given(centres())
def test_nobody_can_know_better_than_the_truth(simulation: Simulation) -> None:
    run = Run(simulation)
    for _ in run.events():
        pass
    who = known(run.truth)
    one_person: dict[object, object] = {}
    for contact in run.truth.contacts:
        customer = who(contact)
        assert (customer is None) == (person(contact) is None)
        if customer is not None:
            someone = run.truth.people[contact.customer]
            home = someone.shared or someone.number
            assert one_person.setdefault(customer, home) == home
