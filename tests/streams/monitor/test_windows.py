import zoneinfo
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.live import WINDOWS
from streams.monitor.queue import Queue
from streams.monitor.rules import ServiceLevel, day_begin
from streams.monitor.vectors import WIDTH
from streams.monitor.windows import Window, begins_at
from tests.support.fold import MONDAY_MS

RULES = (ServiceLevel(), ServiceLevel(abandoned_counted=False))
panes = st.tuples(
    st.lists(st.integers(0, 9), min_size=WIDTH, max_size=WIDTH).map(tuple),
    st.dictionaries(st.integers(0, 20), st.integers(1, 5), max_size=4),
)
steps = st.one_of(panes, st.tuples(st.sampled_from(RULES), st.integers(0, 3)))


@given(st.lists(steps, max_size=12))
def test_what_a_window_says_is_what_its_sums_say_however_often_it_was_asked(
    told: list[tuple[tuple[int, ...], dict[int, int]] | tuple[ServiceLevel, int]],
) -> None:
    window = Window("5m", 0)
    added: list[tuple[tuple[int, ...], dict[int, int]]] = []
    for one, other in told:
        if isinstance(one, ServiceLevel):
            assert isinstance(other, int)
            fresh = Window("5m", 0)
            for vector, bins in added:
                fresh.add(vector, bins, 1)
            assert window.values(one, other) == fresh.values(one, other)
        else:
            assert isinstance(other, dict)
            added.append((one, other))
            window.add(one, other, 1)


@given(
    st.integers(0, 4_102_444_800_000),
    st.sampled_from(("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia")),
)
def test_a_day_begins_at_midnight_of_its_zone(at_ms: int, timezone: str) -> None:
    zone = zoneinfo.ZoneInfo(timezone)
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    assert day_begin(at_ms, timezone) == round(midnight.timestamp())


@given(
    st.lists(st.integers(0, 100_000_000), min_size=1, max_size=8),
    st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu")),
)
def test_windows_begin_where_the_present_instant_says_however_it_was_come_to(
    later: list[int], timezone: str
) -> None:
    queue = Queue(("default", "help"), MONDAY_MS)
    queue.begin_windows(timezone)
    for ms in later:
        queue.advance(MONDAY_MS + ms, timezone)
        begins = {window.name: window.begin for window in queue.windows}
        assert begins == {name: begins_at(name, queue.now, timezone) for name in WINDOWS}
