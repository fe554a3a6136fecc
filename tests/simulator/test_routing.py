from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from simulator.clock import Clock
from simulator.routing import Floor, Job, Line

SALES: Line = ("sales", "en")
HELP: Line = ("help", "en")


@dataclass(eq=False)
class Desk:
    lines: tuple[Line, ...] = (SALES,)
    slots_max: int = 1
    slots_used: int = 0

    @property
    def can_take(self) -> bool:
        return self.slots_used < self.slots_max


def floor_of(*desks: Desk) -> Floor[Desk]:
    floor: Floor[Desk] = Floor(Clock())
    for desk in desks:
        floor.freed(desk)
    return floor


def assigned(job: Job) -> Desk | None:
    return job.assigned.value if job.assigned.triggered else None


def release(floor: Floor[Desk], desk: Desk) -> None:
    desk.slots_used -= 1
    floor.freed(desk)


def test_of_those_waiting_priority_goes_first_then_who_waited_longest() -> None:
    desk = Desk()
    floor = floor_of()
    late = floor.request(SALES, priority=0, since=20)
    early = floor.request(SALES, priority=0, since=10)
    urgent = floor.request(SALES, priority=1, since=30)
    order = []
    floor.freed(desk)
    for _ in range(3):
        order += [job for job in (late, early, urgent) if assigned(job) and job not in order]
        release(floor, desk)
    assert order == [urgent, early, late]


def test_of_free_agents_the_one_free_for_longest_goes_first() -> None:
    first, second = Desk(), Desk()
    floor = floor_of(first, second)
    assert assigned(floor.request(SALES, priority=0, since=0)) is first
    release(floor, first)
    assert assigned(floor.request(SALES, priority=0, since=0)) is second


def test_who_gave_up_is_never_assigned() -> None:
    floor = floor_of()
    gone = floor.request(SALES, priority=9, since=0)
    stays = floor.request(SALES, priority=0, since=0)
    floor.withdraw(gone)
    desk = Desk()
    floor.freed(desk)
    assert assigned(stays) is desk
    assert assigned(gone) is None


def test_an_agent_takes_from_all_of_their_lines_and_from_no_other() -> None:
    both, sales = Desk((SALES, HELP)), Desk((SALES,))
    floor = floor_of(sales, both)
    assert assigned(floor.request(HELP, priority=0, since=0)) is both
    assert assigned(floor.request(HELP, priority=0, since=0)) is None
    assert assigned(floor.request(SALES, priority=0, since=0)) is sales


def test_a_colleague_is_free_and_somebody_else() -> None:
    asking, other = Desk((SALES, HELP)), Desk((HELP,))
    floor = floor_of(asking, other)
    assert floor.colleague_of(asking) is other
    assert floor.colleague_of(other) is asking
    assert floor.colleague_of(asking) is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["request", "release", "withdraw", "away", "back"]), st.integers(0, 9)
    ),
    max_size=60,
)


@given(st.lists(st.tuples(st.sampled_from([(SALES,), (HELP,), (SALES, HELP)]), st.integers(1, 3)),
                min_size=1, max_size=4), STEPS)  # fmt: skip
def test_nobody_waits_while_an_agent_is_free_for_them(
    people: list[tuple[tuple[Line, ...], int]], steps: list[tuple[str, int]]
) -> None:
    desks = [Desk(lines, slots) for lines, slots in people]
    gone: set[Desk] = set()
    floor = floor_of(*desks)
    jobs: list[Job] = []
    for at, (step, which) in enumerate(steps):
        desk = desks[which % len(desks)]
        if step == "request":
            jobs.append(floor.request((SALES, HELP)[which % 2], priority=which % 3, since=at))
        elif step == "release" and desk.slots_used and desk not in gone:
            release(floor, desk)
        elif step == "withdraw" and jobs:
            floor.withdraw(jobs[which % len(jobs)])
        elif step == "away" and desk not in gone:
            gone.add(desk)
            floor.away(desk)
        elif step == "back" and desk in gone:
            gone.discard(desk)
            floor.freed(desk)
        for one in desks:
            assert 0 <= one.slots_used <= one.slots_max
        waiting = {j.line for j in jobs if assigned(j) is None and not j.withdrawn}
        free = {line for d in desks if d.can_take and d not in gone for line in d.lines}
        assert not waiting & free
