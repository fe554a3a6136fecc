"""Pages of customers from a real store."""

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.timeline import Contact
from sinks.store import Store
from streams.identity.normalise import Identifiers
from streams.timeline.cursor import BadCursor
from streams.timeline.happenings import instant
from streams.timeline.reader import CustomerUnknown, TimelineReader
from tests.support.fold import MONDAY_MS, Happening, happening
from tests.support.timeline import join, part, tell

ANNA_PHONE = {"kind": "phone", "value": "+49 30 901820"}
ANNA_EMAIL = {"kind": "email", "value": "Anna@Example.com"}
PHONE, EMAIL = "phone:+4930901820", "email:Anna@example.com"
DAY = 86_400
_tenants = itertools.count()


def call(at: float, subject: str, who: dict[str, str], **data: Any) -> Happening:
    customer = {"identifiers": [who], "name": data.pop("name", "")}
    return happening(at, "interaction.started", subject, customer=customer, **data)


def ids(contacts: list[Contact]) -> list[str]:
    return [contact.interaction_id for contact in contacts]


def stored_as(who: dict[str, str]) -> str:
    (text,) = Identifiers().of("", (f"{who['kind']}:{who['value']}",))
    return text


@pytest.mark.parametrize("asked", ["+49 30 901820", "+4930901820", " phone:+49 (30) 90-18-20"])
def test_any_usual_form_of_an_identifier_finds_its_customer(
    reader: TimelineReader, timeline_store: Store, tenant: str, asked: str
) -> None:
    tell(timeline_store, tenant, [call(0, "c-1", ANNA_PHONE)])
    found = reader.customer(tenant, asked, instant(MONDAY_MS))
    assert found.identifiers == [stored_as(ANNA_PHONE)]
    assert ids(reader.page(tenant, asked, limit=5).contacts) == ["c-1"]


def test_a_summary_says_what_an_agent_wants_to_know(
    reader: TimelineReader, timeline_store: Store, tenant: str
) -> None:
    tell(
        timeline_store,
        tenant,
        [
            call(0, "old", ANNA_PHONE, name="A. Berg"),
            happening(60, "interaction.ended", "old", by="customer"),
            happening(90, "survey.submitted", "old", kind="csat", score=2, scale_max=5),
            happening(91, "survey.submitted", "old", kind="nps", score=9, scale_max=10),
            call(25 * DAY, "ended", ANNA_PHONE),
            happening(25 * DAY + 9, "interaction.ended", "ended", by="customer"),
            happening(
                25 * DAY + 20, "survey.submitted", "ended", kind="csat", score=5, scale_max=5
            ),
            call(39 * DAY, "open", ANNA_PHONE, name="Anna Berg"),
            happening(39 * DAY + 1, "queue.entered", "open", queue="support"),
            replace(call(38 * DAY, "letter", ANNA_PHONE), topic="events.email"),
            happening(38 * DAY + 9, "interaction.ended", "letter", by="agent", on="events.email"),
        ],
    )
    found = reader.customer(tenant, "+4930901820", instant(MONDAY_MS) + timedelta(days=40))
    said = found.summary
    assert found.name == "Anna Berg"
    assert (said.contacts, said.contacts_7_days, said.contacts_30_days) == (4, 2, 3)
    assert said.first_seen_at == instant(MONDAY_MS)
    assert said.last_contact_at == instant(MONDAY_MS) + timedelta(days=39)
    assert [(c.channel, c.contacts) for c in said.channels] == [("call", 3), ("email", 1)]
    assert [(o.interaction_id, o.queue) for o in said.open] == [("open", "support")]
    assert [(r.kind, r.score) for r in said.ratings] == [("csat", 5), ("nps", 9)]


def test_a_merge_shows_at_once_and_so_does_its_end(
    reader: TimelineReader, timeline_store: Store, tenant: str
) -> None:
    mail = replace(call(60, "mail", ANNA_EMAIL), topic="events.email")
    tell(timeline_store, tenant, [call(0, "call", ANNA_PHONE), mail])
    asked = ("+4930901820", "anna@example.com")

    def seen() -> list[list[str]]:
        return [ids(reader.page(tenant, one, limit=9).contacts) for one in asked]

    assert seen() == [["call"], ["mail"]]
    both = {stored_as(who): customer for who, customer in ((ANNA_PHONE, 1), (ANNA_EMAIL, 2))}
    customer_id = join(timeline_store, tenant, both)
    assert seen() == [["mail", "call"]] * 2
    for one in asked:
        found = reader.customer(tenant, one, instant(MONDAY_MS))
        assert found.customer_id == customer_id
        assert found.identifiers == sorted(both)
        assert found.summary.contacts == 2
    for identifier in both:
        part(timeline_store, tenant, identifier, customer_id, version=2)
    assert seen() == [["call"], ["mail"]]


def test_a_contact_is_found_by_each_identifier_of_a_customer_once(
    reader: TimelineReader, timeline_store: Store, tenant: str
) -> None:
    both = {"customer": {"identifiers": [ANNA_PHONE, ANNA_EMAIL]}}
    tell(
        timeline_store,
        tenant,
        [call(0, "c-1", ANNA_PHONE), happening(5, "queue.entered", "c-1", queue="q", **both)],
    )
    join(timeline_store, tenant, [stored_as(ANNA_PHONE), stored_as(ANNA_EMAIL)])
    for asked in ("+4930901820", "anna@example.com"):
        assert ids(reader.page(tenant, asked, limit=9).contacts) == ["c-1"]
        assert reader.customer(tenant, asked, instant(MONDAY_MS)).summary.contacts == 1


def test_tenants_are_never_mixed(reader: TimelineReader, timeline_store: Store) -> None:
    one, other = f"one-{next(_tenants)}", f"other-{next(_tenants)}"
    tell(timeline_store, one, [call(0, "c-1", ANNA_PHONE), call(9, "only-one", ANNA_PHONE)])
    tell(timeline_store, other, [call(0, "c-1", ANNA_PHONE, name="Someone else")])
    join(timeline_store, other, [stored_as(ANNA_PHONE), stored_as(ANNA_EMAIL)])
    assert ids(reader.page(one, "+4930901820", limit=9).contacts) == ["only-one", "c-1"]
    (theirs,) = reader.page(other, "+4930901820", limit=9).contacts
    assert theirs.customer_name == "Someone else"
    assert reader.customer(one, "+4930901820", instant(MONDAY_MS)).name == ""
    with pytest.raises(CustomerUnknown):
        reader.page(one, "anna@example.com", limit=9)


def test_where_events_have_expired_the_contacts_row_is_shown(
    reader: TimelineReader, timeline_store: Store, tenant: str
) -> None:
    ended = happening(60, "interaction.ended", "gone", by="agent", topic="invoice")
    tell(timeline_store, tenant, [call(0, "gone", ANNA_PHONE), ended, call(9, "kept", ANNA_PHONE)])
    (full,) = reader.page(tenant, "+4930901820", limit=9).contacts[1:]
    timeline_store.command(
        "ALTER TABLE events DELETE WHERE tenant = {tenant:String} AND subject = 'gone'"
        " SETTINGS mutations_sync = 2",
        {"tenant": tenant},
    )
    kept, gone = reader.page(tenant, "+4930901820", limit=9).contacts
    assert (kept.interaction_id, kept.has_events) == ("kept", True)
    assert gone == full.model_copy(update={"has_events": False})


def test_an_event_that_came_after_its_contact_was_let_go_is_shown(
    reader: TimelineReader, timeline_store: Store, tenant: str
) -> None:
    tell(timeline_store, tenant, [call(0, "c-1", ANNA_PHONE)])
    survey = happening(60 * DAY, "survey.submitted", "c-1", kind="csat", score=3, scale_max=5)
    tell(timeline_store, tenant, [survey])
    (found,) = reader.page(tenant, "+4930901820", limit=1).contacts
    assert [rating.score for rating in found.ratings] == [3]


def test_of_an_event_told_twice_with_different_words_the_first_counts(
    reader: TimelineReader, timeline_store: Store, tenant: str
) -> None:
    told = [call(0, "c-1", ANNA_PHONE)]
    for at, score in ((9, 1), (5, 2)):
        rating = {"kind": "csat", "score": score, "scale_max": 5}
        told.append(happening(at, "survey.submitted", "c-1", id="twice", **rating))
    tell(timeline_store, tenant, told)
    (found,) = reader.page(tenant, "+4930901820", limit=1).contacts
    assert [rating.score for rating in found.ratings] == [1]


@pytest.mark.parametrize("asked", ["+4930111", "anonymous", "", "nobody@example.com"])
def test_an_unknown_customer_is_an_error(
    reader: TimelineReader, timeline_store: Store, tenant: str, asked: str
) -> None:
    tell(timeline_store, tenant, [call(0, "c-1", ANNA_PHONE)])
    with pytest.raises(CustomerUnknown):
        reader.customer(tenant, asked, instant(MONDAY_MS))
    with pytest.raises(CustomerUnknown):
        reader.page(tenant, asked, limit=1, since=instant(MONDAY_MS))


def test_since_leaves_out_what_began_before_and_is_no_error_if_that_is_all(
    reader: TimelineReader, timeline_store: Store, tenant: str
) -> None:
    tell(timeline_store, tenant, [call(n, f"c-{n}", ANNA_PHONE) for n in range(3)])

    def since(seconds: float) -> list[str]:
        at = instant(MONDAY_MS) + timedelta(seconds=seconds)
        return ids(reader.page(tenant, "+4930901820", limit=9, since=at).contacts)

    assert since(1) == ["c-2", "c-1"]
    assert since(1.001) == ["c-2"]
    assert since(99) == []


def test_a_cursor_of_nobodys_making_is_refused(reader: TimelineReader, tenant: str) -> None:
    with pytest.raises(BadCursor):
        reader.page(tenant, "+4930901820", limit=1, cursor="x")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([ANNA_PHONE, ANNA_EMAIL])), max_size=9
    ),
    limit=st.integers(1, 4),
    new=st.booleans(),
)
def test_paging_shows_every_contact_once_whatever_began_at_the_same_time(
    reader: TimelineReader,
    timeline_store: Store,
    told: list[tuple[int, dict[str, str]]],
    limit: int,
    new: bool,
) -> None:
    tenant = f"pages-{next(_tenants)}"
    first = call(0, "first", ANNA_PHONE)
    tell(
        timeline_store, tenant, [first, *(call(at, f"c-{n}", w) for n, (at, w) in enumerate(told))]
    )
    join(timeline_store, tenant, [stored_as(ANNA_PHONE), stored_as(ANNA_EMAIL)])
    whole = reader.page(tenant, "+4930901820", limit=100)
    assert whole.next_cursor is None
    expected = sorted([(0, "first"), *((at, f"c-{n}") for n, (at, _) in enumerate(told))])[::-1]
    assert ids(whole.contacts) == [name for _, name in expected]
    page = reader.page(tenant, "anna@example.com", limit=limit)
    paged = list(page.contacts)
    if new:
        # What begins in between is before all pages, and disturbs none.
        tell(timeline_store, tenant, [call(9, "new", ANNA_PHONE)])
    while page.next_cursor is not None:
        assert len(page.contacts) == limit
        page = reader.page(tenant, "+4930901820", limit=limit, cursor=page.next_cursor)
        paged += page.contacts
    assert paged == whole.contacts
