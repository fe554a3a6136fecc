"""What answers look like, for OpenAPI: built from the models, so they cannot be wrong. Pure.

FastAPI leaves `null` out of examples, so these have values everywhere.
"""

from datetime import UTC, datetime
from typing import Any, Final

from schemas.timeline import (
    ChannelUse,
    Contact,
    Customer,
    Message,
    OpenContact,
    Rating,
    Summary,
    TimelinePage,
    Transfer,
    Visit,
)

_CUSTOMER_ID: Final = "0c6a1b8f53e87a40c1d9a3a7e1f0b2d4"
_RATING: Final = Rating(
    submitted_at=datetime(2026, 3, 2, 9, 20, tzinfo=UTC),
    kind="csat",
    score=4,
    scale_max=5,
    comment="",
    interaction_id="1772442000.17",
)

CUSTOMER: Final = Customer(
    customer_id=_CUSTOMER_ID,
    name="Anna Berg",
    identifiers=["email:anna.berg@example.com", "phone:+4930901820"],
    summary=Summary(
        first_seen_at=datetime(2025, 6, 1, 8, 0, tzinfo=UTC),
        last_contact_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        contacts=7,
        contacts_7_days=1,
        contacts_30_days=3,
        channels=[
            ChannelUse(
                channel="call",
                contacts=7,
                first_contact_at=datetime(2025, 6, 1, 8, 0, tzinfo=UTC),
                last_contact_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
            )
        ],
        open=[
            OpenContact(
                interaction_id="ticket-311",
                channel="email",
                started_at=datetime(2026, 3, 1, 17, 30, tzinfo=UTC),
                queue="support",
                agent="",
                topic="",
                waiting_since=datetime(2026, 3, 1, 17, 30, tzinfo=UTC),
                ticket_status="open",
            )
        ],
        ratings=[_RATING],
    ),
)

PAGE: Final = TimelinePage(
    customer_id=_CUSTOMER_ID,
    contacts=[
        Contact(
            interaction_id="1772442000.17",
            channel="chat",
            direction="inbound",
            status="ended",
            started_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
            last_event_at=datetime(2026, 3, 2, 9, 20, tzinfo=UTC),
            ended_at=datetime(2026, 3, 2, 9, 8, tzinfo=UTC),
            ended_by="customer",
            outcome="answered",
            purpose="service",
            language="de",
            site="",
            topic="delivery",
            disposition="",
            resolved=True,
            continues="",
            customer_name="Anna Berg",
            identifiers=["phone:+4930901820"],
            agents=["2005", "2010"],
            wait_seconds=12.0,
            talk_seconds=431.0,
            hold_seconds=20.0,
            wrapup_seconds=30.0,
            first_response_seconds=14.0,
            replies=1,
            reply_seconds=14.0,
            waiting_since=None,
            ticket_status="",
            ticket_status_at=None,
            solved_at=[datetime(2026, 3, 2, 9, 8, tzinfo=UTC)],
            reopened_at=[],
            missed_rings=1,
            visits=[
                Visit(
                    queue="support",
                    entered_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
                    outcome="answered",
                    agent="2005",
                    wait_seconds=12.0,
                    ring_seconds=4.0,
                    talk_seconds=431.0,
                    hold_seconds=20.0,
                    wrapup_seconds=30.0,
                    missed_rings=1,
                    transfer="consult",
                )
            ],
            transfers=[
                Transfer(
                    at=datetime(2026, 3, 2, 9, 4, tzinfo=UTC),
                    kind="consult",
                    from_agent="2005",
                    target="2010",
                    completed=True,
                )
            ],
            holds=[],
            menus=[],
            callbacks=[],
            messages=[
                Message(
                    at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
                    id="m-1",
                    author="customer",
                    agent="",
                    text="Where is my parcel?",
                    public=True,
                    automatic=False,
                    in_reply_to="",
                    depth=0,
                ),
                Message(
                    at=datetime(2026, 3, 2, 9, 0, 14, tzinfo=UTC),
                    id="m-2",
                    author="agent",
                    agent="2005",
                    text="It will be with you today.",
                    public=True,
                    automatic=False,
                    in_reply_to="m-1",
                    depth=1,
                ),
            ],
            tickets=[],
            ratings=[_RATING],
            recordings=[],
            has_events=True,
        )
    ],
    next_cursor="MQoxNzcyNDQyMDAwMDAwCjE3NzI0NDIwMDAuMTc",
)


def shown(example: Customer | TimelinePage) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: this is what a good answer looks like."""
    content = {"application/json": {"example": example.model_dump(mode="json")}}
    return {200: {"content": content}}
