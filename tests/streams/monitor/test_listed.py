"""Who waits and who is served in a pane, and how often that is counted anew."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.monitor.listed import Open

NAMES = st.sampled_from("abcd")
INSTANTS = st.integers(0, 9)
SERVING = st.lists(st.tuples(NAMES, INSTANTS), max_size=5)


@given(st.lists(st.tuples(NAMES, SERVING, st.none() | INSTANTS), max_size=20))
def test_who_is_served_and_who_is_lost_is_always_as_counted_afresh(
    steps: list[tuple[str, list[tuple[str, int]], int | None]],
) -> None:
    there = Open()
    for name, serving, look_at in steps:
        there.copy(name, Open(serving=serving))
        if look_at is None:
            continue
        all_lost_at = [lost_at for stays in there.serves.values() for lost_at in stays]
        lost = sum(lost_at <= look_at for lost_at in all_lost_at)
        assert there.served(look_at)[:2] == (len(all_lost_at) - lost, lost)


def test_nobody_is_counted_anew_before_one_more_is_lost() -> None:
    class Looked(dict[str, tuple[int, ...]]):
        times = 0

        def values(self) -> Any:
            self.times += 1
            return super().values()

    there = Open(serving=[("lost", 10), ("served", 30)])
    there.serves = looked = Looked(there.serves)

    found = [there.served(now)[:2] for now in (20, 21, 29, 30, 31)]

    assert found == [(1, 1), (1, 1), (1, 1), (0, 2), (0, 2)]
    assert looked.times == 2
