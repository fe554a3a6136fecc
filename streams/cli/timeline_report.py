"""A customer's timeline for people: who, then a block a contact. Prints on its console alone."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.timeline import Contact, Customer, Message, Rating, TimelinePage, Visit
from streams.cli.values import clock, local

_SEPARATOR: Final = " · "
_INDENT: Final = "  "
_ARROW: Final = {"inbound": "in", "outbound": "out"}
_STATUS_STYLES: Final = {"open": "bold yellow", "abandoned": "red", "timed_out": "red"}
_TEXT_SHOWN: Final = 240
"""Characters of a message: enough to know what it was about."""


def print_timeline(out: Console, customer: Customer, page: TimelinePage, zone: str) -> None:
    """Print who the customer is, and the contacts of the page; times on the wall of `zone`."""
    for line in _head(customer, zone):
        out.print(line, soft_wrap=True)
    continued = {c.continues: c.interaction_id for c in page.contacts if c.continues}
    for contact in page.contacts:
        out.print()
        out.print(_block(contact, continued.get(contact.interaction_id, ""), zone))
    if not page.contacts:
        out.print("\nNo contacts in that time.")
    if page.next_cursor is not None:
        older = customer.summary.contacts - len(page.contacts)
        out.print(f"\nOlder contacts are not shown (--limit): up to {older}.", style="dim")


def _head(customer: Customer, zone: str) -> Iterator[Text]:
    summary = customer.summary
    known = ", ".join(customer.identifiers)
    if customer.name:
        yield Text(customer.name, style="bold")
        yield _line("known by", known)
    else:
        yield Text(known, style="bold")
    if summary.first_seen_at is None or summary.last_contact_at is None:
        yield Text("no contacts yet")
        return
    channels = ", ".join(f"{use.channel} {use.contacts}" for use in summary.channels)
    counts = (
        f"{summary.contacts} ({channels})",
        f"{summary.contacts_7_days} in 7 days",
        f"{summary.contacts_30_days} in 30 days",
        f"last {local(summary.last_contact_at, zone)}",
        f"first {local(summary.first_seen_at, zone)}",
    )
    yield _line("contacts", _SEPARATOR.join(counts))
    for found in summary.open:
        where = ", ".join(filter(None, (found.queue, found.agent, found.topic)))
        said = f"{found.channel} since {local(found.started_at, zone)}"
        waits = _waits(found.waiting_since, zone)
        ticket = f"ticket {found.ticket_status}" if found.ticket_status else ""
        facts = filter(None, (said, where, ticket, waits, found.interaction_id))
        yield _line("open", _SEPARATOR.join(facts))
    if summary.ratings:
        rated = (f"{_rated(r)} ({local(r.submitted_at, zone)[:10]})" for r in summary.ratings)
        yield _line("rated", ", ".join(rated))


def _line(title: str, text: str) -> Text:
    return Text.assemble((f"{title} ", "dim"), text)


def _block(contact: Contact, continued_by: str, zone: str) -> Table:
    """When on the left, what on the right: the first line is the contact at a glance."""
    block = Table.grid(padding=(0, 2, 0, 0))
    block.add_column(no_wrap=True)
    block.add_column(overflow="fold")
    block.add_row(Text(local(contact.started_at, zone), style="bold"), _glance(contact))
    for line in _details(contact, continued_by, zone):
        block.add_row("", line)
    return block


def _glance(contact: Contact) -> Text:
    state = contact.outcome or contact.status
    if contact.status == "open" and state != "open":
        state = f"{state}, open"
    style = _STATUS_STYLES.get(contact.status) or _STATUS_STYLES.get(state, "")
    head = Text.assemble(
        (f"{contact.channel} {_ARROW[contact.direction]}", "bold"), "  ", (state, style)
    )
    queues = " → ".join(dict.fromkeys(visit.queue for visit in contact.visits))
    facts = (
        queues,
        ", ".join(contact.agents),
        f"waited {clock(contact.wait_seconds)}" if contact.visits else "",
        f"talked {clock(contact.talk_seconds)}" if contact.talk_seconds else "",
        contact.topic,
        _resolution(contact),
    )
    said = _SEPARATOR.join(filter(None, facts))
    return Text.assemble(head, f"  {said}" if said else "", (f"  {contact.interaction_id}", "dim"))


def _resolution(contact: Contact) -> str:
    solved = {True: "resolved", False: "not resolved", None: ""}[contact.resolved]
    return ", ".join(filter(None, (solved, contact.disposition)))


def _details(contact: Contact, continued_by: str, zone: str) -> Iterator[Text]:
    if contact.continues:
        yield _line("continues", contact.continues)
    if continued_by:
        yield _line("continued by", continued_by)
    for menu in contact.menus:
        yield _line("menu", _SEPARATOR.join(filter(None, (menu.menu, menu.path, menu.outcome))))
    if len(contact.visits) > 1 or any(visit.missed_rings for visit in contact.visits):
        for visit in contact.visits:
            yield _line("queue", _visit(visit))
    for hold in contact.holds:
        lasted = "not ended" if hold.seconds is None else clock(hold.seconds)
        said = (lasted, _at(hold.started_at, zone), hold.agent)
        yield _line("on hold", _SEPARATOR.join(filter(None, said)))
    if contact.transfers:
        chain = (
            f"{_at(t.at, zone)} {t.from_agent or '?'} → {t.target or '?'} ({t.kind}"
            f"{'' if t.completed else ', not completed'})"
            for t in contact.transfers
        )
        yield _line("transferred", ", ".join(chain))
    if contact.callbacks:
        steps = (
            " ".join(filter(None, (_at(c.at, zone), c.step, c.agent, c.reason)))
            for c in contact.callbacks
        )
        yield _line("callback", ", ".join(steps))
    if contact.replies or contact.first_response_seconds is not None or contact.waiting_since:
        yield _line("answers", _answers(contact, zone))
    for message in contact.messages:
        yield _message(message, zone)
    if contact.tickets:
        steps = (f"{_at(t.at, zone)} {t.status}" for t in contact.tickets)
        yield _line("ticket", ", ".join(steps))
    for rating in contact.ratings:
        comment = f" “{rating.comment}”" if rating.comment else ""
        yield _line("rated", _rated(rating) + comment)
    for recording in contact.recordings:
        yield _line("recording", recording.reference or f"from {_at(recording.started_at, zone)}")
    if not contact.has_events:
        yield Text("its events are no longer stored", style="dim")


def _waits(since: datetime | None, zone: str) -> str:
    return "" if since is None else f"waits for a reply since {local(since, zone)}"


def _answers(contact: Contact, zone: str) -> str:
    first = contact.first_response_seconds
    said = (
        "" if first is None else f"first response after {clock(first)}",
        f"{contact.replies} replies, on average after"
        f" {clock(contact.reply_seconds / contact.replies)}"
        if contact.replies > 1
        else "",
        _waits(contact.waiting_since, zone),
    )
    return _SEPARATOR.join(filter(None, said)) or f"reply after {clock(contact.reply_seconds)}"


def _visit(visit: Visit) -> str:
    said = (
        visit.queue,
        visit.outcome,
        "" if visit.wait_seconds is None else f"waited {clock(visit.wait_seconds)}",
        visit.agent,
        "" if visit.talk_seconds is None else f"talked {clock(visit.talk_seconds)}",
        f"{visit.missed_rings} missed rings" if visit.missed_rings else "",
    )
    return _SEPARATOR.join(filter(None, said))


def _message(message: Message, zone: str) -> Text:
    who = message.agent or message.author
    marks = [
        mark
        for mark, shown in (("automatic", message.automatic), ("internal", not message.public))
        if shown
    ]
    by = f"{who} ({', '.join(marks)})" if marks else who
    text = " ".join(message.text.split())
    if len(text) > _TEXT_SHOWN:
        text = text[: _TEXT_SHOWN - 1] + "…"
    return Text.assemble(
        _INDENT * min(message.depth, 6),
        (f"{_at(message.at, zone)} ", "dim"),
        (by, "bold" if message.author == "customer" else "cyan"),
        f" {text}" if text else "",
    )


def _rated(rating: Rating) -> str:
    return f"{rating.kind} {rating.score:g} of {rating.scale_max:g}"


def _at(at: datetime, zone: str) -> str:
    return local(at, zone)[5:]
