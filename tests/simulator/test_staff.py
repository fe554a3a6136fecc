from collections import defaultdict
from itertools import pairwise

from simulator.clock import DAY_MS
from tests.simulator.centres import small_run

RUN, TOLD = small_run()


def test_schedules_are_told_before_the_shift_and_have_no_gaps() -> None:
    for staff in RUN.truth.staff:
        for (_, end, _), (begin, _, _) in zip(staff.schedule, staff.schedule[1:], strict=False):
            assert end == begin
        assert staff.schedule[0][0] > 3_600_000
        length = staff.schedule[-1][1] - staff.schedule[0][0]
        assert length == RUN.settings.people.shift_seconds * 1000


def test_some_come_late_some_early_and_all_go_home_once_their_work_is_done() -> None:
    lateness = [s.states[0][0] - s.schedule[0][0] for s in RUN.truth.staff]
    assert min(lateness) < 0 < max(lateness)
    for staff in RUN.truth.staff:
        assert staff.states[-1][1] == "offline"
        assert staff.schedule[-1][1] <= staff.states[-1][0] < DAY_MS


def test_pauses_are_taken_and_no_contact_is_given_in_them() -> None:
    paused = defaultdict(list)
    for staff in RUN.truth.staff:
        for (begin, state, _), (end, _, _) in zip(staff.states, staff.states[1:], strict=False):
            if state == "paused":
                paused[staff.agent].append((begin, end))
    assert all(len(paused[staff.agent]) >= 2 for staff in RUN.truth.staff)
    for contact in RUN.truth.contacts:
        for leg in contact.legs:
            for begin, end in paused[leg.agent]:
                assert not begin < leg.connected_at < end


def test_events_of_states_say_what_the_truth_says() -> None:
    told = defaultdict(list)
    for one in TOLD:
        if one.type == "agent.state_changed":
            data = one.data.model_dump()
            told[one.subject, data["queue"]].append((one.at, data["state"]))
    for staff in RUN.truth.staff:
        assert told[staff.agent, ""] == [(at, state) for at, state, _ in staff.states]
        came = [
            (at, state)
            for (_, before, _), (at, state, _) in pairwise([(0, "offline", 0), *staff.states])
            if before == "offline"
        ]
        assert staff.queues
        for queue in staff.queues:
            assert told[staff.agent, queue] == came
