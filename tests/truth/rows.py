"""Rows of contacts and customers beside what the model decided. Reads the store it is given."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from simulator.customers import known
from simulator.outcomes import agent_at, replies_of, solutions_of, waiting_since
from simulator.run import Run
from simulator.truth import Contact
from sinks.store import Store


def interactions(store: Store, run: Run) -> list[str]:
    """Every column of an interaction's row that says something else than the model decided."""
    rows = {
        row.pop("interaction_id"): row for row in store.query("SELECT * FROM interactions FINAL")
    }
    known = {contact.interaction for contact in run.truth.contacts}
    found = [f"{one}: no such row" for one in sorted(known - rows.keys())]
    found += [f"{one}: never happened" for one in sorted(rows.keys() - known)]
    for contact in run.truth.contacts:
        row = rows.get(contact.interaction, {})
        for name, expected in row_of(contact, run.settings.start_at).items():
            value = sorted(row.get(name, ())) if name == "agents" else row.get(name)
            if value != expected:
                found.append(f"{contact.interaction} {name}: {value}, in truth {expected}")
    return found


def strangers(store: Store, run: Run) -> list[str]:
    """Contacts that are another customer's than they can be known to be, and customers who are said
    to be one person and are several, of other households.
    """
    who = known(run.truth)
    people = run.truth.people
    rows = store.query("SELECT interaction_id, customer_id FROM contacts WHERE customer_id != ''")
    stored = {row["interaction_id"]: row["customer_id"] for row in rows}
    shown = [contact for contact in run.truth.contacts if contact.identifiers]
    found = [f"{c.interaction}: no customer" for c in shown if c.interaction not in stored]
    ids: dict[object, set[str]] = {}
    customers: dict[str, set[int]] = {}
    for contact in shown:
        customer_id = stored.get(contact.interaction, "")
        ids.setdefault(who(contact), set()).add(customer_id)
        customers.setdefault(customer_id, set()).add(contact.customer)
    found += [f"{who}: as customers {sorted(many)}" for who, many in ids.items() if len(many) > 1]
    for customer_id, persons in customers.items():
        homes = {people[person].shared or person for person in persons}
        if len(homes) > 1:
            found.append(f"customer {customer_id}: the persons {sorted(persons)}")
    if len(ids) != len(customers):
        found.append(f"{len(customers)} customers, in truth {len(ids)}")
    return found


def row_of(contact: Contact, began: datetime) -> dict[str, Any]:
    """The columns of `interactions` that a contact leads to."""

    def instant(at: int | None) -> datetime | None:
        return None if at is None else began + timedelta(milliseconds=at)

    over = [leg for leg in contact.legs if leg.ended_at is not None]
    legs = [visit.leg for visit in contact.visits]
    row = {
        "channel": contact.channel,
        "direction": contact.direction,
        "purpose": contact.purpose,
        "language": contact.language,
        "site": contact.site,
        "linked_to": contact.linked_to,
        "started_at": instant(contact.started_at),
        "ended_at": instant(contact.ended_at),
        "ended_by": contact.ended_by,
        "disposition": contact.disposition,
        "resolved": None if contact.resolved is None else int(contact.resolved),
        **_written_columns(contact, instant),
        "missed_rings": sum(ring.outcome == "missed" for ring in contact.rings),
        "agents": sorted({leg.agent for leg in contact.legs}),
        "wait_ms": sum(visit.wait_ms or 0 for visit in contact.visits),
        "talk_ms": sum(leg.talk_ms for leg in over),
        "hold_ms": sum(leg.hold_ms for leg in contact.legs),
        "wrapup_ms": sum(leg.wrapup_ms or 0 for leg in contact.legs),
        "visits_queue": [visit.queue for visit in contact.visits],
        "visits_entered_at": [instant(visit.entered_at) for visit in contact.visits],
        "visits_outcome": [visit.outcome or "open" for visit in contact.visits],
        "visits_wait_ms": [visit.wait_ms for visit in contact.visits],
        "visits_missed_rings": [visit.missed_rings for visit in contact.visits],
        "visits_agent": [leg.agent if leg else "" for leg in legs],
        "visits_talk_ms": [leg.talk_ms if leg in over else None for leg in legs],
        "visits_holds": [leg.holds if leg else 0 for leg in legs],
        "visits_wrapup_ms": [leg.wrapup_ms if leg else None for leg in legs],
        "visits_ring_ms": [leg.ring_ms if leg else None for leg in legs],
        "visits_transfer": [leg.transfer if leg else "" for leg in legs],
    }
    if contact.ended_at is not None:
        row["topic"] = contact.topic  # which sources say at the end
    return row


def _written_columns(
    contact: Contact, instant: Callable[[int | None], datetime | None]
) -> dict[str, Any]:
    by_people = [message.author for message in contact.messages if not message.automatic]
    replies = [ms for *_, ms in replies_of(contact)]
    solved = solutions_of(contact)
    responses = [(at, by) for at, by, _ in replies_of(contact)]
    last_status_at, last_status = contact.ticket[-1] if contact.ticket else (None, "")
    return {
        "messages_by_customer": by_people.count("customer"),
        "messages_by_agent": by_people.count("agent"),
        "messages_by_bot": by_people.count("bot"),
        "messages_automatic": len(contact.messages) - len(by_people),
        "first_response_ms": contact.first_response_ms,
        "replies": len(replies),
        "reply_ms": sum(replies),
        "responses_at": [instant(at) for at, _ in responses],
        "responses_reply_ms": replies,
        "responses_agent": [by for _, by in responses],
        "waiting_since": instant(waiting_since(contact)),
        "ticket_status": last_status,
        "ticket_status_at": instant(last_status_at),
        "solved_at": [instant(at) for at, _ in solved],
        "solved_agent": [agent_at(contact, at) for at, _ in solved],
        "reopened_at": [instant(undone) for _, undone in solved if undone is not None],
    }
