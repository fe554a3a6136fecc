"""What stage 2 is told of queues from outside. Pure, immutable."""

import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from schemas.queues import QueueSettings, opening_minutes
from streams.identity.erased import Erased

STALE_MS: Final = 15_000
"""How long after a worker last said so a source partition is still taken to be read to its end."""
JUDGED_EVERY_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """The coefficients of a service-level preset (`sinks.kpis.definitions.service_level`)."""

    preset: str = "offered"
    abandoned_in_target_met: bool = False
    callback_in_target_met: bool = False
    abandoned_counted: bool = True
    short_abandons_removed: bool = False
    in_target_abandons_removed: bool = False
    flowed_out_counted: bool = True
    answered_once_ended: bool = False


@dataclass(frozen=True, slots=True)
class MonitorRules:
    """Settings of stage 2.

    `queue` gives the settings of any queue, `service_levels` the presets by id; `erased` is what
    must not come back.
    """

    queue: Callable[[str], QueueSettings] = field(default=lambda _: QueueSettings())
    service_levels: Mapping[str, ServiceLevel] = field(default_factory=dict)
    erased: Erased = field(default_factory=Erased)

    def service_level(self, queue: str) -> ServiceLevel:
        """The formula of a queue's preset."""
        preset = self.queue(queue).service_level_preset
        return self.service_levels.get(preset) or ServiceLevel(preset)


def day_begin(at_ms: int, timezone: str) -> int:
    """Midnight before an instant in a time zone, in seconds since the epoch."""
    # Many queues ask at the same time. No clock is set, and no day begins, but on a whole minute.
    return _day_begin(at_ms // 60_000, timezone)


@lru_cache(maxsize=1_024)
def _day_begin(minute: int, timezone: str) -> int:
    local = datetime.fromtimestamp(minute * 60, UTC).astimezone(zoneinfo.ZoneInfo(timezone))
    return round(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())


def is_open(at_ms: int, settings: QueueSettings) -> bool:
    """Whether an instant lies in a queue's business hours."""
    if not settings.business_hours:
        return True
    zone = zoneinfo.ZoneInfo(settings.timezone)
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    minute = local.hour * 60 + local.minute
    hours = {str(day): spans for day, spans in settings.business_hours.items()}
    return any(
        first <= minute < last
        for first, last in map(opening_minutes, hours.get(_WEEKDAYS[local.weekday()], ()))
    )


_WEEKDAYS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
