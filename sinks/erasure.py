"""Erasing a customer from ClickHouse: what is theirs, deleting it, and looking for it everywhere.

Reads and changes the store it is given. A mutation rewrites parts and leaves the old ones on disk
for minutes; `purge` has them removed now.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from schemas.rows import Row, Str
from schemas.tables import TABLES
from sinks.store import Store

SHORTEST_FORM: Final = 5
"""Characters; a shorter value is not looked for as such: it would be found in everything."""
PURGE_SECONDS: Final = 60.0
LOAD_SECONDS: Final = 10.0
_AT_ONCE: Final = (
    "old_parts_lifetime = 0, cleanup_delay_period = 1, max_cleanup_delay_period = 1,"
    " cleanup_delay_period_random_add = 0"
)
"""Settings of a table under which replaced parts go within a second."""
PAGE: Final = 2_000

_CONTACT: Final = "IN (SELECT value FROM {targets} WHERE what = 'contact')"
_KEY: Final = "IN (SELECT value FROM {targets} WHERE what = 'key')"
_LIKE: Final = "(SELECT any(value) FROM {targets} WHERE what = 'pattern')"
_TENANT: Final = "tenant = (SELECT any(value) FROM {targets} WHERE what = 'tenant')"
_SHOWS: Final = (
    "hasAny(identifiers, (SELECT groupArray(value) FROM {targets} WHERE what = 'identifier'))"
)
_LINKED: Final = f"customer_key {_KEY} OR other_key {_KEY} OR evidence {_CONTACT}"
_BOUND: Final = f"customer_key {_KEY} OR customer_id {_KEY}"
_CONDITIONS: Final[Mapping[str, str]] = {
    "events": f"{_TENANT} AND (subject {_CONTACT} OR match(subject, {_LIKE})"
    f" OR match(payload, {_LIKE}))",
    "event_facts": f"{_TENANT} AND (subject {_CONTACT} OR customer_key {_KEY}"
    f" OR match(subject, {_LIKE}) OR arrayExists(l -> match(l, {_LIKE}), mapValues(labels)))",
    "interactions": f"{_TENANT} AND (interaction_id {_CONTACT} OR customer_key {_KEY} OR {_SHOWS})",
    "customer_interactions": f"{_TENANT} AND (customer_key {_KEY} OR interaction_id {_CONTACT})",
    "identity_links": f"{_TENANT} AND ({_LINKED})",
    "identity_edges": f"{_TENANT} AND ({_LINKED})",
    "identity_map": f"{_TENANT} AND ({_BOUND})",
    "identity_members": f"{_TENANT} AND ({_BOUND})",
    # What could not be read has no tenant.
    "dead_letters": f"key {_CONTACT} OR JSONExtractString(value, 'subject') {_CONTACT}"
    f" OR match(key, {_LIKE}) OR match(value, {_LIKE}) OR match(error, {_LIKE})"
    f" OR arrayExists(h -> match(h.2, {_LIKE}), headers)",
    "late_events": f"{_TENANT} AND (subject {_CONTACT} OR match(subject, {_LIKE}))",
}
"""What is a customer's, by table. `{targets}` is a table that says who is meant: the text of a
mutation stays on disk, and in logs, so it must not."""


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

    def targets(self) -> list[tuple[str, str]]:
        """(what, value) of all that is looked for."""
        return [
            ("tenant", self.tenant),
            ("pattern", self.pattern),
            *(("key", key) for key in self.keys),
            *(("identifier", text) for text in self.identifiers),
            *(("contact", contact) for contact in self.contacts),
        ]


class _TargetRow(Row):
    """Whom a mutation means."""

    TABLE = "erasure_targets"
    KEY = ()
    what: Str
    value: Str


@contextmanager
def _targets(store: Store, person: Person) -> Iterator[str]:
    """The name of a table in memory that says who is meant; gone at the end."""
    name = _TargetRow.TABLE
    store.command(f"DROP TABLE IF EXISTS {name} SYNC")
    store.command(f"CREATE TABLE {name} (what String, value String) ENGINE = Memory")
    try:
        store.insert(_TargetRow, person.targets())
        yield name
    finally:
        store.command(f"DROP TABLE IF EXISTS {name} SYNC")


def contacts_showing(store: Store, person: Person) -> frozenset[str]:
    """The ids of all interactions that showed one of the identifiers. Raises `StoreError`."""
    rows = store.query(
        "SELECT interaction_id FROM customer_interactions"
        " WHERE tenant = {tenant:String} AND customer_key IN {keys:Array(String)}"
        " UNION DISTINCT SELECT interaction_id FROM interactions"
        " WHERE tenant = {tenant:String} AND hasAny(identifiers, {texts:Array(String)})",
        {
            "tenant": person.tenant,
            "keys": sorted(person.keys),
            "texts": sorted(person.identifiers),
        },
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
        {"tenant": person.tenant, "pattern": person.pattern},
        bytes_columns=("payload",),
    )
    yield from (row["payload"] for row in rows)


def count(store: Store, person: Person) -> dict[str, int]:
    """Table -> rows that are the customer's, replaced ones included. Raises `StoreError`."""
    with _targets(store, person) as targets:
        return {
            table: store.query(
                f"SELECT count() AS n FROM {table}"  # noqa: S608 -- constants
                f" WHERE {condition.replace('{targets}', targets)}"
            )[0]["n"]
            for table, condition in _CONDITIONS.items()
        }


def delete(store: Store, person: Person) -> None:
    """Delete all rows of the customer, and wait until that is done. Raises `StoreError`."""
    with _targets(store, person) as targets:
        for table, condition in _CONDITIONS.items():
            store.command(
                f"ALTER TABLE {table} DELETE WHERE {condition.replace('{targets}', targets)}",
                settings={"mutations_sync": 2},
            )
        # A breach is its queue's; the customer's is only that they were waiting then.
        contacts = f"(SELECT groupArray(value) FROM {targets} WHERE what = 'contact')"  # noqa: S608
        store.command(
            "ALTER TABLE queue_breaches UPDATE interactions ="
            f" arrayFilter(i -> NOT has({contacts}, i), interactions)"
            f" WHERE {_TENANT.replace('{targets}', targets)} AND hasAny(interactions, {contacts})",
            settings={"mutations_sync": 2},
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


def merge(store: Store, table: str) -> None:
    """Have replaced rows of a table removed. Raises `StoreError`."""
    store.command(f"OPTIMIZE TABLE {table} FINAL")


def purge(store: Store) -> int:
    """Have the parts removed that mutations and merges replaced; how many are left after a while.

    Raises `StoreError`.
    """
    tables = [*_CONDITIONS, "checkpoints"]
    for table in tables:
        store.command(f"ALTER TABLE {table} MODIFY SETTING {_AT_ONCE}")
    deadline = time.monotonic() + PURGE_SECONDS
    load_at = time.monotonic()
    while (left := _old_parts(store, tables)) and (now := time.monotonic()) < deadline:
        if store.embedded and now >= load_at:
            # The embedded engine removes old parts soon after it has loaded a table.
            for table in left:
                store.command(f"DETACH TABLE {table} SYNC")
                store.command(f"ATTACH TABLE {table}")
            load_at = time.monotonic() + LOAD_SECONDS
        time.sleep(0.1)
    names = ", ".join(setting.partition(" = ")[0] for setting in _AT_ONCE.split(", "))
    for table in tables:
        store.command(f"ALTER TABLE {table} RESET SETTING {names}")
    return sum(left.values())


def _old_parts(store: Store, tables: list[str]) -> dict[str, int]:
    """Table -> parts that were replaced and are still on disk."""
    rows = store.query(
        "SELECT table, count() AS n FROM system.parts WHERE database = {database:String}"
        " AND NOT active AND has({tables:Array(String)}, table) GROUP BY table",
        {"database": store.database, "tables": tables},
    )
    return {row["table"]: row["n"] for row in rows}
