"""Repeats and first contacts of customers as they are known now, against a count by hand."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from schemas.identity_rows import IdentityMapRow
from schemas.rows import InteractionRow, WatermarkRow
from sinks.kpis.customers_sql import WINDOW_DAYS
from sinks.kpis.query import kpi_table
from sinks.store import Store
from tests.support.kpi_rows import LOG, Visit, interaction_row
from tests.support.rows import row

NOON: Final = 1_700_049_600_000
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
LATEST: Final = NOON + 40 * DAY
_tenants = itertools.count()


@dataclass(frozen=True)
class Came:
    """A contact. `at` in milliseconds since `NOON`; `outbound` ones repeat nothing."""

    key: str
    at: int = 0
    topic: str = ""
    answered: bool = True
    outbound: bool = False
    channel: str = "call"


def stored(
    store: Store, contacts: Sequence[Came], customer_of: dict[str, str] | None = None
) -> str:
    """A tenant of its own with these contacts and this map."""
    tenant = f"customers-{next(_tenants)}"
    rows = []
    for number, came in enumerate(contacts):
        visit = Visit(
            NOON + came.at,
            "answered" if came.answered else "abandoned",
            wait_ms=0,
            talk_ms=1_000 if came.answered else None,
            channel=came.channel,
            direction="outbound" if came.outbound else "inbound",
        )
        rows.append(
            interaction_row(tenant, f"i-{number}", [visit], customer=came.key, topic=came.topic)
        )
    store.insert(InteractionRow, rows)
    mapped = (customer_of or {}).items()
    store.insert(IdentityMapRow, [(tenant, key, customer, 1, 0) for key, customer in mapped])
    return tenant


@pytest.fixture
def latest(kpi_store: Store, watermarks: Any) -> None:
    """The log has come forty days past noon."""
    watermarks(("events.call", 0, LATEST, LATEST))


def figures(store: Store, tenant: str, days: int, *, same_topic: bool = False) -> list[Any]:
    (result,) = kpi_table(
        store, tenant, target=20, split=(), repeat_seconds=days * 86_400, same_topic=same_topic
    )
    names = ("callers", "repeat_contacts", "first_contact_eligible", "first_contact_mature")
    return [result.values[n] for n in (*names, "first_contact_without_repeat")]


@pytest.mark.usefixtures("latest")
def test_two_keys_of_one_person_are_one_customer_across_channels(kpi_store: Store) -> None:
    contacts = [Came("phone"), Came("email", 2 * HOUR, channel="email")]
    apart = stored(kpi_store, contacts)
    assert figures(kpi_store, apart, 1) == [2, 0, 2, 2, 2]
    joined = stored(kpi_store, contacts, {"phone": "email"})
    assert figures(kpi_store, joined, 1) == [1, 1, 2, 2, 1]


@pytest.mark.usefixtures("latest")
def test_a_map_row_that_was_taken_back_joins_nobody(kpi_store: Store) -> None:
    tenant = stored(kpi_store, [Came("phone"), Came("email", HOUR)], {"phone": "email"})
    kpi_store.insert(IdentityMapRow, [(tenant, "phone", "email", 2, 1)])
    assert figures(kpi_store, tenant, 1) == [2, 0, 2, 2, 2]


@pytest.mark.usefixtures("latest")
def test_windows_and_topics(kpi_store: Store) -> None:
    tenant = stored(
        kpi_store,
        [
            Came("a", topic="invoice"),
            Came("a", 3 * DAY, topic="delivery"),
            Came("a", 20 * DAY, topic="invoice", answered=False),
        ],
    )
    found = {
        (days, topic): figures(kpi_store, tenant, days, same_topic=topic)
        for days in WINDOW_DAYS
        for topic in (False, True)
    }
    assert found == {
        (1, False): [1, 0, 2, 2, 2],
        (1, True): [1, 0, 2, 2, 2],
        (7, False): [1, 1, 2, 2, 1],
        (7, True): [1, 0, 2, 2, 2],
        (30, False): [1, 2, 2, 2, 0],
        (30, True): [1, 1, 2, 2, 1],
    }
    rows = kpi_store.query(
        "SELECT * FROM fcr_windows(from_at = '2000-01-01', to_at = '2100-01-01',"
        " interval_seconds = 0, timezone = 'UTC', split = '') WHERE tenant = {t:String}",
        {"t": tenant},
    )
    columns = ("repeat_contacts", "first_contact_eligible", "first_contact_mature")
    shown = {(r["window_days"], bool(r["same_topic"])): [r[c] for c in columns] for r in rows}
    assert shown == {window: values[1:4] for window, values in found.items()}


@pytest.mark.usefixtures("latest")
def test_what_is_not_mature_is_in_neither_part_of_the_ratio(kpi_store: Store) -> None:
    tenant = stored(kpi_store, [Came("a", 39 * DAY), Came("b", 39 * DAY + 1)])
    assert figures(kpi_store, tenant, 1) == [2, 0, 2, 1, 1]
    assert figures(kpi_store, tenant, 7) == [2, 0, 2, 0, 0]
    (result,) = kpi_table(kpi_store, tenant, target=20, split=(), repeat_seconds=7 * 86_400)
    assert result.values["first_contact_not_mature"] == 2
    assert result.values["first_contact_resolution_ratio"] is None


def counted(
    contacts: Sequence[Came], customer_of: dict[str, str], days: int, *, same_topic: bool
) -> list[int]:
    """The same figures from their definition, by looking at every pair."""
    window = days * DAY
    inbound = [(n, c) for n, c in enumerate(contacts) if c.key and not c.outbound]

    def related(one: Came, other: Came) -> bool:
        same = customer_of.get(one.key, one.key) == customer_of.get(other.key, other.key)
        return same and (one.topic == other.topic or not same_topic)

    def after(first: tuple[int, Came], second: tuple[int, Came]) -> bool:
        """Whether the second began later, or at once under an id that sorts later."""
        order = [(c.at, f"i-{n}") for n, c in (first, second)]
        return order[0] < order[1] and related(first[1], second[1])

    repeats = [
        c for c in inbound if any(after(o, c) and c[1].at - o[1].at <= window for o in inbound)
    ]
    eligible = [c for c in inbound if c[1].answered]
    mature = [c for c in eligible if NOON + c[1].at + window <= LATEST]
    settled = [
        c for c in mature if not any(after(c, o) and o[1].at - c[1].at <= window for o in inbound)
    ]
    return [len(repeats), len(eligible), len(mature), len(settled)]


@examples(max_examples=25)
@given(
    contacts=st.lists(
        st.builds(
            Came,
            key=st.sampled_from(["", "a", "b", "c", "d"]),
            at=st.integers(0, 400).map(lambda tenth: tenth * DAY // 10),
            topic=st.sampled_from(["", "invoice"]),
            answered=st.booleans(),
            outbound=st.booleans(),
        ),
        min_size=1,
        max_size=12,
    ),
    customer_of=st.fixed_dictionaries({}, optional={"c": st.just("a"), "d": st.just("b")}),
    days=st.sampled_from(WINDOW_DAYS),
    same_topic=st.booleans(),
)
def test_any_contacts_are_counted_as_their_definition_says(
    kpi_store: Store,
    contacts: list[Came],
    customer_of: dict[str, str],
    days: int,
    same_topic: bool,
) -> None:
    mark = row(WatermarkRow, topic="events.call", log=f"{LOG}-1", event_time_at=LATEST)
    kpi_store.insert(WatermarkRow, [(*mark[:-1], 1 << 44 | 1)])
    expected = counted(contacts, customer_of, days, same_topic=same_topic)
    tenant = stored(kpi_store, contacts, customer_of)
    found = kpi_store.query(
        "SELECT * FROM fcr(from_at = '2000-01-01', to_at = '2100-01-01', interval_seconds = 0,"
        " timezone = 'UTC', split = '', repeat_seconds = {seconds:UInt32},"
        " same_topic = {topic:UInt8}) WHERE tenant = {tenant:String} AND direction = ''",
        {"seconds": days * 86_400, "topic": int(same_topic), "tenant": tenant},
    )
    columns = ("repeat_contacts", "first_contact_eligible", "first_contact_mature")
    shown = [[r[c] for c in (*columns, "first_contact_without_repeat")] for r in found]
    assert shown == ([expected] if inbound_of_known(contacts) else [])


def inbound_of_known(contacts: Sequence[Came]) -> bool:
    return any(came.key and not came.outbound for came in contacts)
