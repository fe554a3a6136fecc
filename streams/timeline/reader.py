"""Answers about customers, of one tenant: reads the store given, and changes nothing."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

from schemas.decode import Event, Rejected, decode
from schemas.timeline import (
    ChannelUse,
    Contact,
    Customer,
    OpenContact,
    Rating,
    Summary,
    TimelinePage,
)
from sinks.store import Store
from sinks.timeline import (
    EVER,
    MOST_RECENT,
    NEWEST,
    ChannelUsage,
    ContactRef,
    CustomerKeys,
    EventRecord,
    contacts_of,
    customer_of,
    events_of,
    linked_identifiers,
    rows_of,
    usage_of,
)
from streams.fold.customers import customer_key
from streams.identity.normalise import Identifiers
from streams.timeline.contact import contact_of_events, contact_of_row
from streams.timeline.cursor import cursor_after, position_of
from streams.timeline.happenings import instant

logger = logging.getLogger(__name__)

MOST_A_PAGE: Final = 100


class CustomerUnknown(LookupError):
    """There is nothing of a customer by that identifier."""


class TimelineReader:
    """Answers about customers.

    Args:
        store: where they are read. Calls block.
        identifiers: how identifiers are written.
        max_skew_seconds: how far the fold believes an event's time that is ahead of the broker's.
    """

    def __init__(
        self, store: Store, identifiers: Identifiers, *, max_skew_seconds: float = 300
    ) -> None:
        self._store = store
        self._identifiers = identifiers
        self._max_skew_ms = round(max_skew_seconds * 1000)

    def customer(self, tenant: str, asked: str, now: datetime) -> Customer:
        """Who is known by the identifier `asked`, in any usual form.

        Contacts of 7 and of 30 days are counted back from `now`. Raises `CustomerUnknown`, or
        `sinks.errors.StoreError`.
        """
        identifier, known = self._resolve(tenant, asked)
        now_ms = _milliseconds(now)
        usage = usage_of(self._store, tenant, known.keys, now_ms)
        refs = sorted(chain(*(u.recent for u in usage)), key=_position, reverse=True)[:MOST_RECENT]
        linked = self._linked(tenant, known)
        if not usage and not linked:
            raise self._unknown(tenant, asked)
        contacts = self._contacts(tenant, refs)
        names = (contact.customer_name for contact in contacts)
        shown = chain(*(contact.identifiers for contact in contacts))
        keys = set(known.keys)
        mine = (text for text in shown if customer_key(tenant, text) in keys)
        return Customer(
            customer_id=known.customer_id,
            name=next(filter(None, names), ""),
            identifiers=sorted({identifier, *linked, *mine}),
            summary=_summary(usage, contacts),
        )

    def page(
        self,
        tenant: str,
        asked: str,
        *,
        limit: int,
        since: datetime | None = None,
        cursor: str | None = None,
    ) -> TimelinePage:
        """At most `limit` contacts of a customer, newest first, that began at or after `since`.

        `cursor` is that of the page before. Raises `CustomerUnknown`, `BadCursor`,
        `sinks.errors.StoreError`.
        """
        before = NEWEST if cursor is None else position_of(cursor)
        _, known = self._resolve(tenant, asked)
        refs = contacts_of(
            self._store,
            tenant,
            known.keys,
            limit=limit + 1,
            since_ms=EVER if since is None else _milliseconds(since),
            before=before,
        )
        if not refs and not self._is_known(tenant, known):
            raise self._unknown(tenant, asked)
        on_page = refs[:limit]
        return TimelinePage(
            customer_id=known.customer_id,
            contacts=self._contacts(tenant, on_page),
            next_cursor=cursor_after(on_page[-1].position) if len(refs) > limit else None,
        )

    def _resolve(self, tenant: str, asked: str) -> tuple[str, CustomerKeys]:
        """The identifier as it is stored, and the customer it belongs to."""
        identifier = self._identifiers.one(tenant, asked)
        if not identifier:
            raise CustomerUnknown(f"{asked!r} is no identifier of anybody in particular")
        return identifier, customer_of(self._store, tenant, customer_key(tenant, identifier))

    def _unknown(self, tenant: str, asked: str) -> CustomerUnknown:
        return CustomerUnknown(
            f"nothing is known of {self._identifiers.one(tenant, asked)!r}; if it is of another"
            " kind, name it, as in customer_number:4711 or handle:network:name"
        )

    def _is_known(self, tenant: str, known: CustomerKeys) -> bool:
        anything = contacts_of(self._store, tenant, known.keys, limit=1)
        return bool(anything or self._linked(tenant, known))

    def _linked(self, tenant: str, known: CustomerKeys) -> list[str]:
        """The identifiers of the customer that were linked with another; alone it has no other."""
        if len(known.keys) == 1:
            return []
        return linked_identifiers(self._store, tenant, known.keys)

    def _contacts(self, tenant: str, refs: Sequence[ContactRef]) -> list[Contact]:
        """These contacts, in their order."""
        events = events_of(self._store, tenant, refs)
        folded = {
            ref.interaction_id: self._folded(ref, events[ref.interaction_id])
            for ref in refs
            if ref.interaction_id in events
        }
        missing = [ref.interaction_id for ref in refs if not folded.get(ref.interaction_id)]
        rows = rows_of(self._store, tenant, missing)
        stored = {name: contact_of_row(row) for name, row in rows.items()}
        found = (folded.get(r.interaction_id) or stored.get(r.interaction_id) for r in refs)
        return [contact for contact in found if contact is not None]

    def _folded(self, ref: ContactRef, records: Sequence[EventRecord]) -> Contact | None:
        events = readable(ref.interaction_id, records, self._max_skew_ms)
        return contact_of_events(events, ref.channel, self._identifiers)


def readable(
    interaction_id: str, records: Sequence[EventRecord], max_skew_ms: int
) -> Iterator[tuple[int, Event]]:
    """A contact's events, each with the time in milliseconds at which it counts in the fold."""
    for record in records:
        decoded = decode(record.payload)
        if isinstance(decoded, Rejected):
            # It was read once, by an earlier version of the contract.
            logger.warning(
                "an event of interaction %s cannot be read any more and is left out: %s",
                interaction_id,
                decoded.message,
            )
            continue
        at = record.occurred_ms
        if record.produced_ms >= 0:
            at = min(at, record.produced_ms + max_skew_ms)
        yield at, decoded


def _summary(usage: Sequence[ChannelUsage], contacts: Sequence[Contact]) -> Summary:
    return Summary(
        first_seen_at=instant(min(u.first_ms for u in usage)) if usage else None,
        last_contact_at=instant(max(u.last_ms for u in usage)) if usage else None,
        contacts=sum(u.contacts for u in usage),
        contacts_7_days=sum(u.contacts_7_days for u in usage),
        contacts_30_days=sum(u.contacts_30_days for u in usage),
        channels=[
            ChannelUse(
                channel=u.channel,
                contacts=u.contacts,
                first_contact_at=instant(u.first_ms),
                last_contact_at=instant(u.last_ms),
            )
            for u in usage
        ],
        open=[_open(contact) for contact in contacts if contact.status == "open"],
        ratings=_last_ratings(contacts),
    )


def _open(contact: Contact) -> OpenContact:
    last = contact.visits[-1] if contact.visits else None
    return OpenContact(
        interaction_id=contact.interaction_id,
        channel=contact.channel,
        started_at=contact.started_at,
        queue=last.queue if last else "",
        agent=(last.agent if last else "") or (contact.agents[-1] if contact.agents else ""),
        topic=contact.topic,
        waiting_since=contact.waiting_since,
        ticket_status=contact.ticket_status,
    )


def _last_ratings(contacts: Sequence[Contact]) -> list[Rating]:
    """The last of each kind, the latest first."""
    last: dict[str, Rating] = {}
    for rating in chain(*(contact.ratings for contact in contacts)):
        if rating.kind not in last or last[rating.kind].submitted_at < rating.submitted_at:
            last[rating.kind] = rating
    return sorted(last.values(), key=lambda rating: rating.submitted_at, reverse=True)


def _position(ref: ContactRef) -> tuple[int, str]:
    return ref.position


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
