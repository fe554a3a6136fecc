"""Business hours of the queues of a simulated day, and the time within them. Pure.

Every other queue of messages has some, so that resolutions by the calendar and in business hours
are two figures; those of the rest are always open.
"""

from datetime import timedelta
from typing import Any, Final

from simulator.outcomes import OpenFor
from simulator.run import Run
from simulator.settings import QueueModel
from simulator.truth import Contact

HOURS: Final = (("08:00", "12:30"), ("13:15", "17:00"))
"""Of every day, in UTC."""
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _closing(run: Run) -> list[QueueModel]:
    return [queue for queue in run.settings.queues if queue.channel in ("email", "social")][::2]


def queue_settings(run: Run) -> dict[str, Any]:
    """The `queues` of settings."""
    hours = {day: [f"{opens}-{closes}" for opens, closes in HOURS] for day in _DAYS}
    return {queue.name: {"business_hours": hours} for queue in _closing(run)}


def open_for(run: Run) -> OpenFor:
    """How long a contact's queue was open between two instants, in milliseconds."""
    closing = {queue.name for queue in _closing(run)}
    began = run.settings.start_at
    midnight = began.replace(hour=0, minute=0, second=0, microsecond=0)
    first_ms = round((midnight - began) / timedelta(milliseconds=1))

    def spent(contact: Contact, since: int, until: int) -> int:
        if not contact.visits or contact.visits[-1].queue not in closing:
            return until - since
        total, day_ms = 0, first_ms
        while day_ms < until:
            for opens, closes in HOURS:
                total += max(0, min(until, day_ms + _ms(closes)) - max(since, day_ms + _ms(opens)))
            day_ms += 86_400_000
        return total

    return spent


def _ms(clock: str) -> int:
    hours, minutes = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000
