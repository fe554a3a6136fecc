import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.monitor.forecast import (
    Load,
    Share,
    agents_needed,
    answered_in_time,
    breach_probability,
    course,
)

SLACK = 1e-9
FULLEST = 0.999
"""The occupancy beyond which a queue that nobody leaves takes hours to settle: as good as never."""
loads = st.builds(
    Load,
    arrivals=st.floats(0, 0.2),
    handle=st.floats(20, 600),
    patience=st.none() | st.floats(20, 1_000),
    target=st.floats(0, 120),
)
agents = st.integers(0, 30)
present = st.integers(0, 50)


def stationary(load: Load, agents: int) -> list[float] | None:
    """Probability of each number of contacts once the queue has settled; None where it never does.

    Terms are reckoned as logarithms and divided by the greatest, so that none overflows.
    """
    if not load.leaving and load.arrivals * load.handle > agents * FULLEST:
        return None
    if load.arrivals <= 0:
        return [1.0]
    logs, greatest = [0.0], 0.0
    while logs[-1] > greatest - 35 or len(logs) <= load.arrivals * load.handle:
        logs.append(logs[-1] + math.log(load.arrivals / load.departures(len(logs), agents)))
        greatest = max(greatest, logs[-1])
    terms = [math.exp(log - greatest) for log in logs]
    total = math.fsum(terms)
    return [term / total for term in terms]


def settled_service_level(load: Load, agents: int) -> float:
    """Share of contacts answered within the target once the queue has settled."""
    chances = stationary(load, agents)
    if chances is None:
        return 0.0
    in_time = answered_in_time(load, agents, len(chances) - 1)
    return math.fsum(chance * share for chance, share in zip(chances, in_time, strict=True))


def erlang_c(offered: float, agents: int) -> float:
    """Probability of waiting, by Erlang's formula as it is printed."""
    waiting = offered**agents / math.factorial(agents) * agents / (agents - offered)
    free = sum(offered**n / math.factorial(n) for n in range(agents))
    return waiting / (free + waiting)


@pytest.mark.parametrize(
    ("offered", "agents", "waits"),
    [(1, 2, 0.3333), (2, 3, 0.4444), (5, 6, 0.5875), (8, 10, 0.4092), (10, 14, 0.1741)],
)
def test_erlang_c_is_that_of_the_tables(offered: float, agents: int, waits: float) -> None:
    load = Load(offered / 180, 180, None, 0)
    assert 1 - settled_service_level(load, agents) == pytest.approx(waits, abs=5e-5)


@given(st.floats(0.01, 0.99), st.integers(1, 30), st.floats(0, 300))
def test_without_leaving_it_is_erlang_c(occupancy: float, agents: int, target: float) -> None:
    offered = agents * occupancy
    load = Load(offered / 200, 200, None, target)
    late = erlang_c(offered, agents) * math.exp(-(agents - offered) * target / 200)
    assert settled_service_level(load, agents) == pytest.approx(1 - late, abs=1e-6)


@pytest.mark.parametrize("offered", [4.999999999, 5, 6])
def test_without_leaving_a_full_queue_never_settles(offered: float) -> None:
    assert settled_service_level(Load(offered / 200, 200, None, 20), 5) == 0


@given(st.floats(0.1, 30), agents.filter(bool), st.floats(20, 600))
def test_who_leaves_as_soon_as_others_are_served_needs_no_agents(
    offered: float, agents: int, mean: float
) -> None:
    """With patience like handle time the number there is Poisson, however many agents there are."""
    chances = stationary(Load(offered / mean, mean, mean, 20), agents) or []
    for number, chance in enumerate(chances):
        poisson = math.exp(number * math.log(offered) - offered - math.lgamma(number + 1))
        assert chance == pytest.approx(poisson, abs=1e-9)


def test_erlang_a_is_that_of_the_published_example() -> None:
    """Mandelbaum and Zeltyn, "The Palm/Erlang-A queue" (2004): 48 calls a minute of a minute each,
    patience of two, 50 agents: 3.1 % leave."""
    load = Load(48 / 60, 60, 120, 1e9)
    assert 1 - settled_service_level(load, 50) == pytest.approx(0.031, abs=5e-4)


@given(loads, agents, present)
def test_shares_are_shares(load: Load, agents: int, present: int) -> None:
    for share in course(load, agents, present):
        assert -SLACK <= share.mean <= 1 + SLACK
        assert -SLACK <= share.variance <= 0.25 + SLACK


@given(loads, agents, present)
def test_more_agents_and_less_load_never_harm(load: Load, agents: int, present: int) -> None:
    here = [share.mean for share in course(load, agents, present)]
    with_more = [share.mean for share in course(load, agents + 1, present)]
    busier = replace(load, arrivals=load.arrivals * 1.2 + 0.001)
    under_more = [share.mean for share in course(busier, agents, present)]
    fuller = [share.mean for share in course(load, agents, present + 3)]
    for now, *others in zip(here, with_more, under_more, fuller, strict=True):
        more, worse, full = others
        assert more >= now - 1e-6
        assert worse <= now + 1e-6
        assert full <= now + 1e-6


@given(loads, agents)
def test_it_settles_where_the_queue_does(load: Load, agents: int) -> None:
    """Begun from a settled queue, nothing changes."""
    load = replace(load, arrivals=min(load.arrivals, agents / load.handle * 0.8))
    chances = stationary(load, agents)
    if chances is None or len(chances) > 60:
        return
    expected = settled_service_level(load, agents)
    found = sum(
        chance * next(iter(course(load, agents, number))).mean
        for number, chance in enumerate(chances)
    )
    assert found == pytest.approx(expected, abs=2e-3)


@given(st.floats(0, 500), st.floats(0, 1), st.floats(0, 0.25), st.floats(0.05, 1))
def test_probabilities_are_probabilities(
    contacts: float, mean: float, variance: float, ratio: float
) -> None:
    better = min(1.0, mean + 0.1)
    share = Share(mean, min(variance, mean * (1 - mean)))
    found = breach_probability(contacts, share, ratio)
    assert 0 <= found <= 1
    assert breach_probability(contacts, share, min(1.0, ratio + 0.1)) >= found - SLACK
    alike = Share(better, 0.0)
    assert breach_probability(contacts, alike, ratio) <= (
        breach_probability(contacts, Share(mean, 0.0), ratio) + 1e-6
    )


def test_independent_contacts_are_binomial() -> None:
    """Of 20 contacts, each met at 0.9, fewer than 16 are met."""
    expected = sum(math.comb(20, n) * 0.9**n * 0.1 ** (20 - n) for n in range(16))
    assert breach_probability(20, Share(0.9, 0.0), 0.8) == pytest.approx(expected, abs=1e-6)


def test_of_few_contacts_each_number_counts() -> None:
    """One or two of them: at a target of all, any that is late is a breach."""
    late = 1 - math.exp(-0.5 * 0.2)
    assert breach_probability(0.5, Share(0.8, 0.0), 1) == pytest.approx(late, abs=1e-6)


@given(loads.map(lambda load: replace(load, arrivals=load.arrivals / 4)), present)
def test_the_agents_needed_suffice_and_one_fewer_does_not(load: Load, present: int) -> None:
    def met(agents: int) -> float:
        *_, last = course(load, agents, present)
        return last.mean

    needed = agents_needed(load, present, 0.8)
    assert needed is not None
    assert met(needed) >= 0.8
    assert needed == 1 or met(needed - 1) < 0.8
