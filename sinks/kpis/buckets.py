"""Into which intervals a row falls: aligned intervals, days, everything, rolling windows. Pure.

Parameters of the rendered SQL:

- `from_at`, `to_at` DateTime64(3, 'UTC'): rows with from_at <= at < to_at; for rolling windows the
  first and last end of a window.
- `interval_seconds` UInt32: 10 to 3600, a divisor of 3600, aligned to the hours of `timezone`;
  86400 for days of `timezone`, of 23 to 25 hours; 0 for one interval from `from_at` to `to_at`.
- `timezone` String: an IANA name.
- `window_seconds`, `step_seconds` UInt32: rolling windows that end at multiples of the step.
"""

from dataclasses import dataclass
from typing import Final

DAY_SECONDS: Final = 86_400
WHOLE_SECONDS: Final = 0
"""`interval_seconds` that stands for one interval over everything."""

_FROM: Final = "{from_at:DateTime64(3, 'UTC')}"
_TO: Final = "{to_at:DateTime64(3, 'UTC')}"
_INTERVAL: Final = "{interval_seconds:UInt32}"
_ZONE: Final = "{timezone:String}"
_WINDOW: Final = "{window_seconds:UInt32}"
_STEP: Final = "{step_seconds:UInt32}"


@dataclass(frozen=True, slots=True)
class Buckets:
    """SQL that puts rows into intervals.

    `keys` is the select expression of a row's bucket over its instant `at` (a row may be in many);
    rows count from `since` on and before `until`; `begins` and `ends` are instants over `bucket`.
    """

    keys: str
    since: str
    until: str
    begins: str
    ends: str

    def kept(self, instant: str) -> str:
        """The condition on an instant; on a table's own column, so that its keys can serve it."""
        return f"{instant} >= {self.since} AND {instant} < {self.until}"


def _instant(expression: str) -> str:
    return f"CAST({expression}, 'DateTime64(3, \\'UTC\\')')"


_OFFSET: Final = f"timeZoneOffset(toTimeZone(at, {_ZONE}))"
_ALIGNED: Final = (
    f"toDateTime(intDiv(toUnixTimestamp(at) + {_OFFSET}, greatest({_INTERVAL}, 1))"
    f" * greatest({_INTERVAL}, 1) - {_OFFSET}, 'UTC')"
)
_DAY: Final = f"toStartOfDay(at, {_ZONE})"
_NEXT_DAY: Final = f"toStartOfDay(toTimeZone(bucket, {_ZONE}) + toIntervalDay(1), {_ZONE})"

ALIGNED: Final = Buckets(
    keys=(
        f"multiIf({_INTERVAL} = {WHOLE_SECONDS}, {_FROM},"
        f" {_INTERVAL} = {DAY_SECONDS}, {_instant(_DAY)}, {_instant(_ALIGNED)})"
    ),
    since=_FROM,
    until=_TO,
    begins="bucket",
    ends=(
        f"multiIf({_INTERVAL} = {WHOLE_SECONDS}, {_TO},"
        f" {_INTERVAL} = {DAY_SECONDS}, {_instant(_NEXT_DAY)},"
        f" bucket + toIntervalSecond({_INTERVAL}))"
    ),
)

_FIRST_END: Final = f"(intDiv(toUnixTimestamp(at), {_STEP}) + 1) * {_STEP}"
_LAST_END: Final = f"toUnixTimestamp(at) + {_WINDOW}"
_ENDS: Final = (
    f"arrayFilter(e -> e >= toUnixTimestamp({_FROM}) AND e <= toUnixTimestamp({_TO}),"
    f" range({_FIRST_END}, {_LAST_END} + 1, {_STEP}))"
)

ROLLING: Final = Buckets(
    keys=_instant(f"toDateTime(arrayJoin({_ENDS}), 'UTC')"),
    since=f"{_FROM} - toIntervalSecond({_WINDOW})",
    until=_TO,
    begins=f"bucket - toIntervalSecond({_WINDOW})",
    ends="bucket",
)
