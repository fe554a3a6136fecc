"""Messages: written down and told in one place. Pure."""

from schemas.events import Author, Message, TicketStatus, TicketStatusChanged
from simulator.centre import Centre
from simulator.truth import Contact, Written


def write(
    centre: Centre,
    contact: Contact,
    author: Author,
    *,
    agent: str = "",
    public: bool = True,
    automatic: bool = False,
) -> None:
    """One message of a thread. The first public one that a person of the centre wrote responds."""
    now = centre.env.now
    contact.messages.append(Written(author, now, agent, public, automatic))
    responds = author == "agent" and public and not automatic
    if responds and contact.first_response_ms is None:
        contact.first_response_ms = now - contact.started_at
    event_type = "message.received" if author == "customer" else "message.sent"
    message = Message(author=author, agent=agent, public=public, automatic=automatic)
    centre.say(contact, event_type, message)


def set_status(centre: Centre, contact: Contact, status: TicketStatus, agent: str = "") -> None:
    """The contact's ticket moves."""
    contact.ticket.append((centre.env.now, status))
    changed = TicketStatusChanged(status=status, agent=agent)
    centre.say(contact, "ticket.status_changed", changed)
