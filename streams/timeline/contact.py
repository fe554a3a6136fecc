"""One contact of a timeline, from its events or from its row in `interactions`. Pure.

From events it is what the fold says of them (`streams.fold.interaction`): the same function of the
same facts that made the row. The row has its columns, so both are read alike.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from schemas.decode import Event
from schemas.rows import InteractionRow
from schemas.timeline import Contact, Visit
from streams.fold.customers import strongest
from streams.fold.facts import FACT_PARTS, Fact, fact_of, in_order, key_of
from streams.fold.interaction import interaction_of
from streams.fold.interaction_state import InteractionState
from streams.fold.output import Place, interaction_row
from streams.identity.normalise import Identifiers
from streams.timeline.happenings import Happenings, happenings_of, instant
from streams.timeline.threads import threaded

_NOWHERE: Final = Place("", 0, "")
_COLUMNS: Final = InteractionRow.columns()
_VISIT_COLUMNS: Final = tuple(name for name in _COLUMNS if name.startswith("visits_"))


def contact_of_events(
    events: Iterable[tuple[int, Event]], channel: str, identifiers: Identifiers
) -> Contact | None:
    """A contact from its events, each with its time in milliseconds.

    In any order, but that of an event which was told twice with different words the first counts,
    as in the fold. None where none of them is one of a contact.
    """
    facts = {}
    told = {}
    for fact, at_ms, event in told_facts(events):
        facts[fact.key] = fact
        told[fact.key] = (at_ms, event)
    if not facts:
        return None
    known = interaction_of(facts.values())
    _, event = next(iter(told.values()))
    state = InteractionState((event.tenant, event.subject), "", known.started_at, facts)
    shown = identifiers.of(event.tenant, known.identifiers)
    row = interaction_row(state, known, shown, strongest(shown), channel, _NOWHERE, 0)
    ordered = (told[fact.key] for fact in in_order(facts.values()))
    return _contact(dict(zip(_COLUMNS, row, strict=True)), happenings_of(ordered), has_events=True)


def told_facts(events: Iterable[tuple[int, Event]]) -> Iterator[tuple[Fact, int, Event]]:
    """The facts of a contact's events, each with its event; of one told twice the first."""
    keys = set()
    for at_ms, event in events:
        key = key_of(event.source, event.id)
        if event.type in FACT_PARTS and key not in keys:
            keys.add(key)
            yield fact_of(event.type, event.data, at_ms, key), at_ms, event


def contact_of_row(row: dict[str, Any]) -> Contact:
    """A contact from its row in `interactions`, times aware: what happened is not in it."""
    return _contact(row, Happenings(), has_events=False)


def _contact(row: dict[str, Any], happened: Happenings, *, has_events: bool) -> Contact:
    visits = [_visit(values) for values in zip(*(row[c] for c in _VISIT_COLUMNS), strict=True)]
    resolved = row["resolved"]
    return Contact(
        interaction_id=row["interaction_id"],
        channel=row["channel"],
        direction=row["direction"],
        status=row["status"],
        started_at=_time(row["started_at"]),
        last_event_at=_time(row["last_event_at"]),
        ended_at=_maybe_time(row["ended_at"]),
        ended_by=row["ended_by"],
        outcome=_outcome(row, visits),
        purpose=row["purpose"],
        language=row["language"],
        site=row["site"],
        topic=row["topic"],
        disposition=row["disposition"],
        resolved=None if resolved is None else bool(resolved),
        continues=row["linked_to"],
        customer_name=row["customer_name"],
        identifiers=list(row["identifiers"]),
        agents=list(row["agents"]),
        wait_seconds=row["wait_ms"] / 1000,
        talk_seconds=row["talk_ms"] / 1000,
        hold_seconds=row["hold_ms"] / 1000,
        wrapup_seconds=row["wrapup_ms"] / 1000,
        first_response_seconds=_maybe_seconds(row["first_response_ms"]),
        replies=row["replies"],
        reply_seconds=row["reply_ms"] / 1000,
        waiting_since=_maybe_time(row["waiting_since"]),
        ticket_status=row["ticket_status"],
        ticket_status_at=_maybe_time(row["ticket_status_at"]),
        solved_at=[_time(at) for at in row["solved_at"]],
        reopened_at=[_time(at) for at in row["reopened_at"]],
        missed_rings=row["missed_rings"],
        visits=visits,
        transfers=happened.transfers,
        holds=happened.holds,
        menus=happened.menus,
        callbacks=happened.callbacks,
        messages=threaded(happened.messages),
        tickets=happened.tickets,
        ratings=happened.ratings,
        recordings=happened.recordings,
        has_events=has_events,
    )


def _visit(values: Iterable[Any]) -> Visit:
    of = dict(zip(_VISIT_COLUMNS, values, strict=True))
    return Visit(
        queue=of["visits_queue"],
        entered_at=_time(of["visits_entered_at"]),
        outcome=of["visits_outcome"],
        agent=of["visits_agent"],
        wait_seconds=_maybe_seconds(of["visits_wait_ms"]),
        ring_seconds=_maybe_seconds(of["visits_ring_ms"]),
        talk_seconds=_maybe_seconds(of["visits_talk_ms"]),
        hold_seconds=of["visits_hold_ms"] / 1000,
        wrapup_seconds=_maybe_seconds(of["visits_wrapup_ms"]),
        missed_rings=of["visits_missed_rings"],
        transfer=of["visits_transfer"],
    )


def _outcome(row: dict[str, Any], visits: list[Visit]) -> str:
    if any(visit.outcome == "answered" for visit in visits) or row["talk_ms"]:
        return "answered"
    return visits[-1].outcome if visits else ""


def _time(at: int | datetime) -> datetime:
    return instant(at) if isinstance(at, int) else at


def _maybe_time(at: int | datetime | None) -> datetime | None:
    return None if at is None else _time(at)


def _maybe_seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
