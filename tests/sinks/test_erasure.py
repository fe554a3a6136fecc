from schemas.live import QueueBreachRow
from sinks.erasure import Person, delete
from sinks.store import Store
from tests.support.clickhouse import migrated
from tests.support.rows import row


def test_a_breach_stays_without_the_erased_contact(embedded_store: Store) -> None:
    migrated(embedded_store)
    named = row(QueueBreachRow, interactions=["call-1", "call-2"])
    other = row(QueueBreachRow, tenant="u", interactions=["call-1"])
    embedded_store.insert(QueueBreachRow, [named, other])
    person = Person("t", frozenset(), frozenset(), frozenset({"call-1"}))
    delete(embedded_store, person)
    rows = embedded_store.query("SELECT tenant, interactions FROM queue_breaches ORDER BY tenant")
    assert rows == [
        {"tenant": "t", "interactions": ["call-2"]},
        {"tenant": "u", "interactions": ["call-1"]},
    ]
