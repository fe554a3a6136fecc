"""What the store has on one customer, by the heads of sorting keys. Reads the store given.

A customer is a set of keys (`schemas.identity_rows`), a contact is found under one of them
(`customer_interactions`), and what happened to it are its events. Rows are not merged for reading
(`FINAL`) but chosen by version among the few that the keys select. Instants are whole milliseconds
since the epoch, in UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.rows import VERSION_OFFSET_BITS, InteractionRow
from sinks.store import Store

DAY_MS: Final = 86_400_000
MOST_RECENT: Final = 20
"""Contacts of each channel that `usage_of` names."""

_ONE_THREAD: Final = "SETTINGS max_threads = 1"
"""A few granules: threads would cost more than they save, and others ask as well."""

# Most keys belong to nobody else, and this alone says so.
_LINKS_OF_KEY: Final = f"""
SELECT * FROM
(
  SELECT customer_id AS other_key, is_deleted, 1 AS is_map
  FROM identity_map
  WHERE tenant = {{tenant:String}} AND customer_key = {{key:String}}
  ORDER BY version DESC
  LIMIT 1
)
UNION ALL
SELECT customer_key AS other_key, 0 AS is_deleted, 0 AS is_map
FROM identity_members
WHERE tenant = {{tenant:String}} AND customer_id = {{key:String}}
{_ONE_THREAD}"""

# Members may have left since; what the map says of them decides.
_KEYS_OF_CUSTOMER: Final = f"""
SELECT customer_key
FROM identity_map FINAL
WHERE tenant = {{tenant:String}} AND customer_id = {{id:String}} AND customer_key IN
  (SELECT customer_key FROM identity_members
    WHERE tenant = {{tenant:String}} AND customer_id = {{id:String}})
{_ONE_THREAD}"""

_CONTACTS: Final = """
SELECT interaction_id, channel, started_ms
FROM
(
  SELECT interaction_id, channel, toUnixTimestamp64Milli(started_at) AS started_ms, version,
    is_deleted
  FROM customer_interactions
  WHERE tenant = {tenant:String} AND customer_key IN {keys:Array(String)}
  ORDER BY version DESC, is_deleted
  LIMIT 1 BY customer_key, interaction_id
)
WHERE NOT is_deleted
ORDER BY version DESC
LIMIT 1 BY interaction_id"""

_PAGE: Final = f"""
SELECT interaction_id, channel, started_ms
FROM ({_CONTACTS})
WHERE started_ms >= {{since:Int64}}
  AND (started_ms, interaction_id) < ({{before_ms:Int64}}, {{before_id:String}})
ORDER BY started_ms DESC, interaction_id DESC
LIMIT {{limit:UInt32}}
{_ONE_THREAD}"""

_USAGE: Final = f"""
SELECT channel, count() AS contacts, min(started_ms) AS first_ms, max(started_ms) AS last_ms,
  countIf(started_ms > {{now:Int64}} - 7 * {DAY_MS}) AS contacts_7_days,
  countIf(started_ms > {{now:Int64}} - 30 * {DAY_MS}) AS contacts_30_days,
  groupArraySorted({MOST_RECENT})((-started_ms, interaction_id)) AS recent
FROM ({_CONTACTS})
GROUP BY channel
{_ONE_THREAD}"""

# By contact before all else: the other columns are then read of those granules alone.
_EVENTS: Final = f"""
SELECT subject, payload, toUnixTimestamp64Milli(occurred_at) AS occurred_ms,
  toUnixTimestamp64Milli(produced_at) AS produced_ms, version
FROM events
PREWHERE subject IN {{ids:Array(String)}}
WHERE tenant = {{tenant:String}}
  AND occurred_at >= fromUnixTimestamp64Milli({{since:Int64}}, 'UTC')
{_ONE_THREAD}"""

_ROWS: Final = f"""
SELECT {", ".join(InteractionRow.columns())}
FROM interactions
WHERE tenant = {{tenant:String}} AND interaction_id IN {{ids:Array(String)}}
ORDER BY version DESC
LIMIT 1 BY interaction_id
{_ONE_THREAD}"""

_IDENTIFIERS: Final = f"""
SELECT DISTINCT identifier
FROM identity_links
WHERE tenant = {{tenant:String}} AND customer_key IN {{keys:Array(String)}}
{_ONE_THREAD}"""

NEWEST: Final = ((1 << 62), "")
"""A position that every contact is before."""
EVER: Final = -(1 << 62)


@dataclass(frozen=True, slots=True)
class CustomerKeys:
    """A customer, and the keys under which their history lies (that of the customer among them)."""

    customer_id: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContactRef:
    """Where a contact stands in a customer's history."""

    interaction_id: str
    channel: str
    started_ms: int

    @property
    def position(self) -> tuple[int, str]:
        """What contacts are ordered by, the greatest first; no two of a customer's are equal."""
        return (self.started_ms, self.interaction_id)


@dataclass(frozen=True, slots=True)
class ChannelUsage:
    """How often a customer was on a channel, and the latest contacts there, newest first."""

    channel: str
    contacts: int
    first_ms: int
    last_ms: int
    contacts_7_days: int
    contacts_30_days: int
    recent: tuple[ContactRef, ...]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event as it came; `produced_ms` is the broker's time, negative where it gave none."""

    payload: bytes
    occurred_ms: int
    produced_ms: int


def customer_of(store: Store, tenant: str, key: str) -> CustomerKeys:
    """The customer that a key belongs to; its own where nothing else is known.

    Raises `sinks.errors.StoreError`, as all of these do.
    """
    links = store.query(_LINKS_OF_KEY, {"tenant": tenant, "key": key})
    mapped = (link["other_key"] for link in links if link["is_map"] and not link["is_deleted"])
    customer_id = next(mapped, key)
    if not links:
        return CustomerKeys(key, (key,))
    rows = store.query(_KEYS_OF_CUSTOMER, {"tenant": tenant, "id": customer_id})
    keys = {customer_id, key, *(row["customer_key"] for row in rows)}
    return CustomerKeys(customer_id, tuple(sorted(keys)))


def contacts_of(
    store: Store,
    tenant: str,
    keys: Sequence[str],
    *,
    limit: int,
    since_ms: int = EVER,
    before: tuple[int, str] = NEWEST,
) -> list[ContactRef]:
    """At most `limit` contacts under these keys, newest first.

    Only those that began at or after `since_ms`, and whose position is below `before`.
    """
    rows = store.query(
        _PAGE,
        {
            "tenant": tenant,
            "keys": list(keys),
            "since": since_ms,
            "before_ms": before[0],
            "before_id": before[1],
            "limit": limit,
        },
    )
    return [ContactRef(r["interaction_id"], r["channel"], r["started_ms"]) for r in rows]


def usage_of(store: Store, tenant: str, keys: Sequence[str], now_ms: int) -> list[ChannelUsage]:
    """How the customer of these keys has used each channel, the last used first."""
    rows = store.query(_USAGE, {"tenant": tenant, "keys": list(keys), "now": now_ms})
    found = [
        ChannelUsage(
            channel=row["channel"],
            contacts=row["contacts"],
            first_ms=row["first_ms"],
            last_ms=row["last_ms"],
            contacts_7_days=row["contacts_7_days"],
            contacts_30_days=row["contacts_30_days"],
            recent=tuple(ContactRef(name, row["channel"], -at) for at, name in row["recent"]),
        )
        for row in rows
    ]
    return sorted(found, key=lambda usage: (-usage.last_ms, usage.channel))


def events_of(
    store: Store, tenant: str, contacts: Sequence[ContactRef]
) -> dict[str, list[EventRecord]]:
    """The events of these contacts, by interaction. One whose events are gone is left out.

    In the order in which they were stored; one that was told twice may be there twice.
    """
    if not contacts:
        return {}
    rows = store.query(
        _EVENTS,
        {
            "tenant": tenant,
            "ids": [contact.interaction_id for contact in contacts],
            "since": min(contact.started_ms for contact in contacts),
        },
        bytes_columns=("payload",),
    )
    found: dict[str, list[EventRecord]] = {}
    for row in sorted(rows, key=_told_at):
        record = EventRecord(row["payload"], row["occurred_ms"], row["produced_ms"])
        found.setdefault(row["subject"], []).append(record)
    return found


def _told_at(row: dict[str, Any]) -> tuple[int, int]:
    """The order of the log: within one, the earlier of two tellings has the greater version."""
    return (row["version"] >> VERSION_OFFSET_BITS, -row["version"])


def rows_of(store: Store, tenant: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The rows of `interactions` of these ids, by id; times are aware."""
    if not ids:
        return {}
    rows = store.query(_ROWS, {"tenant": tenant, "ids": list(ids)})
    return {row["interaction_id"]: row for row in rows}


def linked_identifiers(store: Store, tenant: str, keys: Sequence[str]) -> list[str]:
    """The texts of keys that were linked with any other, in order."""
    rows = store.query(_IDENTIFIERS, {"tenant": tenant, "keys": list(keys)})
    return sorted(row["identifier"] for row in rows)
