"""The count columns over which queue KPIs are computed, from panes and from interactions. Pure.

Two sources give the same counts. Panes (`kpi_panes`) hold them already added up, for the thresholds
that were configured when they were written. Interactions hold every visit, so any threshold can be
asked of them. A count is defined here once for each; a test holds the two to each other.

Names inside: `p` is a pane, `v` a visit, `s` the queue's settings; `applied_target_ms` and
`applied_short_ms` are the thresholds that apply to a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from schemas.sketch import LOG_GAMMA, ZERO_BIN

Total = Literal["sum", "known_sum", "max", "merge"]
"""How a count adds up: `known_sum` is NULL as soon as one addend is unknown."""

EXITS: Final[dict[str, str]] = {
    "timed_out": "timed_out",
    "overflowed": "overflowed",
    "key_pressed": "key_pressed",
    "callback_accepted": "callback_accepted",
    "emptied": "emptied",
    "transferred_waiting": "transferred",
}
"""Count of a way to flow out of a queue -> the visit outcome that it counts."""

_CONCLUDED: Final = "v.outcome != 'open'"
_ENDED: Final = "v.outcome = 'answered' AND v.talk_ms IS NOT NULL"
_EXITED: Final = "v.outcome NOT IN ('open', 'answered', 'abandoned')"
_WAIT: Final = "ifNull(v.wait_ms, 0)"


@dataclass(frozen=True, slots=True)
class Count:
    """One column: its SQL over a visit and over a pane, and how rows add up."""

    name: str
    of_visit: str
    of_pane: str
    total: Total = "sum"

    def added_up(self) -> str:
        """The aggregate over rows that carry this column under its name."""
        match self.total:
            case "sum":
                return f"sum({self.name})"
            case "known_sum":
                return f"if(count({self.name}) = count(), sum({self.name}), NULL)"
            case "max":
                return f"max({self.name})"
            case "merge":
                return f"sumMap({self.name})"

    @property
    def type(self) -> str:
        """ClickHouse type of one row's value, the same from both sources."""
        match self.total:
            case "sum":
                return "Int64"
            case "known_sum" | "max":
                return "Nullable(Int64)"
            case "merge":
                return "Map(Int32, Int64)"


def _visits(name: str, condition: str) -> Count:
    return Count(name, condition, f"p.{name}")


def _milliseconds(name: str, condition: str, value: str) -> Count:
    return Count(name, f"if({condition}, ifNull({value}, 0), 0)", f"p.{name}")


def _within(name: str, condition: str, threshold: str, histogram: str, whole: str) -> Count:
    """Visits that waited at most a threshold.

    A pane that counted visits before the threshold was configured does not know how many of them
    were within it: unknown is not 0. A pane that only corrects an earlier one may count none (one
    taken back, one added) and yet move a contact across a threshold: what it knows comes first.
    """
    known = f"mapContains(p.{histogram}, toUInt32({threshold}))"
    return Count(
        name,
        f"{condition} AND {_WAIT} <= {threshold}",
        f"multiIf({known}, p.{histogram}[toUInt32({threshold})], p.{whole} = 0, 0, NULL)",
        "known_sum",
    )


NO_BINS: Final = "CAST(map(), 'Map(Int32, Int64)')"


def bin_of(ms: str) -> str:
    """The bin of a sketch that a duration in milliseconds falls into (`schemas.sketch`)."""
    return f"if({ms} > 0, toInt32(ceil(ln(greatest({ms}, 1)) / {LOG_GAMMA!r})), {ZERO_BIN})"


COUNTS: Final[tuple[Count, ...]] = (
    _visits("offered", "1"),
    _visits("answered", "v.outcome = 'answered'"),
    _visits("abandoned", "v.outcome = 'abandoned'"),
    *(_visits(name, f"v.outcome = '{outcome}'") for name, outcome in EXITS.items()),
    _visits("ended", _ENDED),
    _milliseconds("wait_answered_ms", "v.outcome = 'answered'", "v.wait_ms"),
    _milliseconds("wait_abandoned_ms", "v.outcome = 'abandoned'", "v.wait_ms"),
    _milliseconds("wait_exited_ms", _EXITED, "v.wait_ms"),
    _milliseconds("talk_ms", _ENDED, "v.talk_ms"),
    _milliseconds("hold_ms", f"{_CONCLUDED} AND v.holds > 0", "v.hold_ms"),
    _visits("held", f"{_CONCLUDED} AND v.holds > 0"),
    _milliseconds("wrapup_ms", _CONCLUDED, "v.wrapup_ms"),
    _visits("wrapped_up", f"{_CONCLUDED} AND v.wrapup_ms IS NOT NULL"),
    _milliseconds("ring_ms", _CONCLUDED, "v.ring_ms"),
    _visits("rung", f"{_CONCLUDED} AND v.ring_ms IS NOT NULL"),
    _visits("missed_rings", "v.missed_rings"),
    *(
        _visits(f"transferred_{kind}", f"{_ENDED} AND v.transfer = '{kind}'")
        for kind in ("blind", "consult", "recall")
    ),
    _within(
        "answered_in_target",
        "v.outcome = 'answered'",
        "applied_target_ms",
        "answered_within",
        "answered",
    ),
    _within(
        "abandoned_in_target",
        "v.outcome = 'abandoned'",
        "applied_target_ms",
        "abandoned_within",
        "abandoned",
    ),
    _within(
        "abandoned_short",
        "v.outcome = 'abandoned'",
        "applied_short_ms",
        "abandoned_within",
        "abandoned",
    ),
    _within(
        "callback_in_target",
        "v.outcome = 'callback_accepted'",
        "applied_target_ms",
        "callback_within",
        "callback_accepted",
    ),
    _within("ended_in_target", _ENDED, "applied_target_ms", "ended_within", "ended"),
    Count(
        "wait_bins",
        f"if({_CONCLUDED}, map({bin_of(_WAIT)}, toInt64(1)), {NO_BINS})",
        "p.wait_bins",
        "merge",
    ),
    Count("longest_wait_ms", f"if({_CONCLUDED}, {_WAIT}, NULL)", "NULL", "max"),
    Count("presumed_lost", "v.outcome = 'open' AND v.silent_past_horizon", "0"),
)
"""Every count column. A maximum cannot be taken back, and silence is a judgement of the moment of
reading: `longest_wait_ms` and `presumed_lost` come from visits even where panes give the rest."""

NOT_IN_PANES: Final = ("longest_wait_ms", "presumed_lost")


def of_panes() -> str:
    """The select list over a pane `p`."""
    return _select_list({c.name: c.of_pane for c in COUNTS})


def of_visits() -> str:
    """The select list over a visit `v`."""
    return _select_list({c.name: c.of_visit for c in COUNTS})


def of_visits_beside_panes() -> str:
    """The select list over a visit `v` that adds only what panes cannot hold."""
    nothing = {"sum": "0", "known_sum": "0", "max": "NULL", "merge": NO_BINS}
    return _select_list(
        {c.name: c.of_visit if c.name in NOT_IN_PANES else nothing[c.total] for c in COUNTS}
    )


def added_up() -> str:
    """The aggregates of a group of rows."""
    return ",\n  ".join(f"{c.added_up()} AS {c.name}" for c in COUNTS)


def _select_list(expressions: Mapping[str, str]) -> str:
    types = {c.name: c.type for c in COUNTS}
    return ",\n  ".join(
        f"CAST({expression}, '{types[name]}') AS {name}" for name, expression in expressions.items()
    )
