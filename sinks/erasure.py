"""Erasing a customer from ClickHouse: what is theirs, deleting it, and looking for it everywhere.

Reads and changes the store it is given. A mutation rewrites parts and leaves the old ones on disk
for minutes; `purge` has them removed now.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.tables import TABLES
from sinks.store import Store

SHORTEST_FORM: Final = 5
"""Characters; a shorter value is not looked for as such: it would be found in everything."""
PURGE_SECONDS: Final = 60.0
PAGE: Final = 2_000

_EDGES: Final = "tenant = {tenant:String} AND (customer_key IN {keys:Array(String)}"
_CONDITIONS: Final[Mapping[str, str]] = {
    "events": "tenant = {tenant:String} AND (subject IN {contacts:Array(String)}"
    " OR match(subject, {pattern:String}) OR match(payload, {pattern:String}))",
    "interactions": "tenant = {tenant:String} AND (interaction_id IN {contacts:Array(String)}"
    " OR customer_key IN {keys:Array(String)} OR hasAny(identifiers, {texts:Array(String)}))",
    "customer_interactions": "tenant = {tenant:String} AND (customer_key IN {keys:Array(String)}"
    " OR interaction_id IN {contacts:Array(String)})",
    "identity_links": f"{_EDGES} OR other_key IN {{keys:Array(String)}}"
    " OR evidence IN {contacts:Array(String)})",
    "identity_edges": f"{_EDGES} OR other_key IN {{keys:Array(String)}}"
    " OR evidence IN {contacts:Array(String)})",
    "identity_map": f"{_EDGES} OR customer_id IN {{keys:Array(String)}})",
    "identity_members": f"{_EDGES} OR customer_id IN {{keys:Array(String)}})",
    # What could not be read has no tenant.
    "dead_letters": "key IN {contacts:Array(String)}"
    " OR JSONExtractString(value, 'subject') IN {contacts:Array(String)}"
    " OR match(key, {pattern:String}) OR match(value, {pattern:String})"
    " OR match(error, {pattern:String}) OR arrayExists(h -> match(h.2, {pattern:String}), headers)",
    "late_events": "tenant = {tenant:String} AND (subject IN {contacts:Array(String)}"
    " OR match(subject, {pattern:String}))",
}
"""What is a customer's, by table."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as the store knows them.

    `keys` and `identifiers` (normalised) are those of the component, `contacts` the ids of their
    interactions, `forms` the ways in which sources wrote their identifiers.
    """

    tenant: str
    keys: frozenset[str]
    identifiers: frozenset[str]
    contacts: frozenset[str] = frozenset()
    forms: frozenset[str] = frozenset()

    @property
    def pattern(self) -> str:
        """A regular expression (RE2) for any form that stands by itself."""
        long = sorted(form for form in self.forms if len(form) >= SHORTEST_FORM)
        if not long:
            return r"[^\x00-\x{10FFFF}]"  # matches nothing
        return f"(^|[^0-9A-Za-z])({'|'.join(map(re.escape, long))})($|[^0-9A-Za-z])"

    def parameters(self) -> dict[str, Any]:
        """The parameters of the conditions."""
        return {
            "tenant": self.tenant,
            "keys": sorted(self.keys),
            "texts": sorted(self.identifiers),
            "contacts": sorted(self.contacts),
            "pattern": self.pattern,
        }


def contacts_showing(store: Store, person: Person) -> frozenset[str]:
    """The ids of all interactions that showed one of the identifiers. Raises `StoreError`."""
    rows = store.query(
        "SELECT interaction_id FROM customer_interactions"
        " WHERE tenant = {tenant:String} AND customer_key IN {keys:Array(String)}"
        " UNION DISTINCT SELECT interaction_id FROM interactions"
        " WHERE tenant = {tenant:String} AND hasAny(identifiers, {texts:Array(String)})",
        person.parameters(),
    )
    return frozenset(row["interaction_id"] for row in rows)


def payloads_of(store: Store, person: Person) -> Iterator[bytes]:
    """The events of the contacts, and of the customer, as they came. Raises `StoreError`."""
    contacts = sorted(person.contacts)
    for begin in range(0, len(contacts), PAGE):
        rows = store.query(
            "SELECT payload FROM events WHERE tenant = {tenant:String}"
            " AND subject IN {contacts:Array(String)}",
            {"tenant": person.tenant, "contacts": contacts[begin : begin + PAGE]},
            bytes_columns=("payload",),
        )
        yield from (row["payload"] for row in rows)
    rows = store.query(
        "SELECT payload FROM events WHERE tenant = {tenant:String}"
        " AND topic = 'events.customer' AND (match(subject, {pattern:String})"
        " OR match(payload, {pattern:String}))",
        person.parameters(),
        bytes_columns=("payload",),
    )
    yield from (row["payload"] for row in rows)


def count(store: Store, person: Person) -> dict[str, int]:
    """Table -> rows that are the customer's, replaced ones included. Raises `StoreError`."""
    return {
        table: store.query(
            f"SELECT count() AS n FROM {table} WHERE {condition}",  # noqa: S608 -- constants
            person.parameters(),
        )[0]["n"]
        for table, condition in _CONDITIONS.items()
    }


def delete(store: Store, person: Person, cluster: str | None) -> None:
    """Delete all rows of the customer, and wait until that is done. Raises `StoreError`."""
    local = f"_local ON CLUSTER `{cluster}`" if cluster else ""
    for table, condition in _CONDITIONS.items():
        store.command(
            f"ALTER TABLE {table}{local} DELETE WHERE {condition}",
            person.parameters(),
            {"mutations_sync": 2},
        )


def search(store: Store, person: Person) -> dict[str, int]:
    """Table -> rows of any table in whose text a form, a key or a contact's id still stands.

    Knows nothing of what a column means, and so finds what `delete` does not know of. The state in
    checkpoints is compressed: that is looked into elsewhere. Raises `StoreError`.
    """
    exact = sorted({*person.keys, *person.contacts, *person.identifiers})
    found = {}
    for row_type in TABLES:
        named = zip(row_type.columns(), row_type.types(), strict=True)
        texts = [name for name, kind in named if "String" in kind and name != "state"]
        tests = [f"has({{exact:Array(String)}}, toString({name}))" for name in texts]
        tests += [f"match(toString({name}), {{pattern:String}})" for name in texts]
        rows = store.query(
            f"SELECT count() AS n FROM {row_type.TABLE} WHERE {' OR '.join(tests)}",  # noqa: S608
            {"exact": exact, "pattern": person.pattern},
        )
        if rows[0]["n"]:
            found[row_type.TABLE] = rows[0]["n"]
    return found


def merge(store: Store, table: str, cluster: str | None) -> None:
    """Have replaced rows of a table removed. Raises `StoreError`."""
    local = f"_local ON CLUSTER `{cluster}`" if cluster else ""
    store.command(f"OPTIMIZE TABLE {table}{local} FINAL")


def purge(store: Store, cluster: str | None) -> int:
    """Have the parts removed that mutations and merges replaced; how many are left after a while.

    Raises `StoreError`.
    """
    tables = [*_CONDITIONS, "checkpoints"]
    local = f"_local ON CLUSTER `{cluster}`" if cluster else ""
    for table in tables:
        store.command(f"ALTER TABLE {table}{local} MODIFY SETTING old_parts_lifetime = 0")
        if store.embedded:
            # The embedded engine removes old parts when it loads a table.
            store.command(f"DETACH TABLE {table} SYNC")
            store.command(f"ATTACH TABLE {table}")
    deadline = time.monotonic() + PURGE_SECONDS
    while (left := _old_parts(store)) and time.monotonic() < deadline:
        time.sleep(0.2)
    for table in tables:
        store.command(f"ALTER TABLE {table}{local} RESET SETTING old_parts_lifetime")
    return left


def _old_parts(store: Store) -> int:
    rows = store.query(
        "SELECT count() AS n FROM system.parts WHERE database = {database:String} AND NOT active"
        " AND table NOT IN ('schema_migrations')",
        {"database": store.database},
    )
    left: int = rows[0]["n"]
    return left
